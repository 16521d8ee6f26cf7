"""Time that passes, to the microsecond, and dates that are set forward and back (RFC 9111 sections 4.2 and 4.2.3, RFC 5861)."""
import pytest

import harness

INSTANT = 0.000001               # the smallest step of the daemon's time
HOUR = 3600


def control(value, *more):
    return [('Cache-Control', value), *more]


def verdicts(daemon, count):
    return [r['cache'] for r in daemon.records(count)]


def dying(headers):
    """An origin that answers once."""
    def handler(request, conn):
        if len(conn.origin.requests) == 1:
            conn.reply(headers=headers)
        conn.close()
    return handler


def ages(daemon):
    """The Age of one more answer, as the client and as the log has it."""
    answer = daemon.get('/')
    assert answer.status == 200
    return int(answer.headers.get('age', '0'))


def test_the_program_that_is_shipped_has_no_such_clock(clock):
    programs = []
    for path in (harness.PROXYD, harness.PROXYD_CLOCK):
        with open(path, 'rb') as f:
            programs.append(f.read())
    for name in (b'PROXYD_TEST_CLOCK', b'test_clock'):      # the second: symbols and debugging information
        assert name not in programs[0]
        assert name in programs[1]


@pytest.mark.parametrize('headers', [control('max-age=60'), control('s-maxage=60, max-age=5'), control('max-age=90', ('Age', '30'))],
                         ids=['max-age', 's-maxage', 'age'])
def test_an_object_is_fresh_until_its_lifetime_is_over_and_not_longer(cached, clock, headers):
    daemon, o = cached(headers=headers, clock=clock)
    base = 30 if len(headers) > 1 else 0
    daemon.get('/')
    assert ages(daemon) == base
    clock.passes(60 - INSTANT)
    assert ages(daemon) == base + 59
    clock.passes(INSTANT)
    daemon.get('/')
    assert verdicts(daemon, 4) == ['miss', 'hit', 'hit', 'miss'] and len(o.requests) == 2


def test_the_window_of_stale_while_revalidate_ends(cached, clock):
    """Each URL is asked once after its lifetime: the fetch behind it begins a new one."""
    daemon, _ = cached(headers=control('max-age=10, stale-while-revalidate=20'), clock=clock)
    for target in ('/first', '/last', '/over'):
        daemon.get(target)
    for target, seconds in (('/first', 10), ('/last', 20 - INSTANT), ('/over', INSTANT)):
        clock.passes(seconds)
        daemon.get(target)
    assert verdicts(daemon, 6)[3:] == ['hit_stale', 'hit_stale', 'miss']


def test_the_window_of_stale_if_error_ends(cached, clock):
    daemon, _ = cached(dying(control('max-age=10, stale-if-error=20')), clock=clock)
    daemon.get('/')
    clock.passes(30 - INSTANT)
    assert daemon.get('/').status == 200
    clock.passes(INSTANT)
    assert daemon.get('/').status == 502
    assert verdicts(daemon, 3) == ['miss', 'hit_stale', 'error']


def test_hit_for_miss_ends(cached, clock):
    daemon, _ = cached(headers=control('no-store'), settings='hit_for_miss_time 30s;', clock=clock)
    daemon.get('/')
    clock.passes(30 - INSTANT)
    daemon.get('/')
    clock.passes(INSTANT)
    daemon.get('/')
    assert verdicts(daemon, 3) == ['miss', 'hit_for_miss', 'miss']


def test_a_date_that_is_set_back_makes_nothing_fresh_for_longer(cached, clock):
    """What was stored before, and what is stored after it, live as long as they may; no age is negative."""
    daemon, o = cached(headers=control('max-age=60'), clock=clock)
    daemon.get('/')
    clock.passes(30)
    clock.jumps(-HOUR)
    assert ages(daemon) == 30
    clock.passes(30 - INSTANT)
    assert ages(daemon) == 59
    clock.passes(INSTANT)
    assert ages(daemon) == 0 and len(o.requests) == 2
    clock.passes(60 - INSTANT)
    assert ages(daemon) == 59
    clock.jumps(HOUR)                # and right again
    assert ages(daemon) == 59
    clock.passes(INSTANT)
    assert ages(daemon) == 0 and len(o.requests) == 3
    assert all(int(r['age'] or 0) >= 0 for r in daemon.records(7))


def test_a_date_that_is_set_forward_makes_what_is_stored_old(cached, clock):
    """The system may have slept: it cannot be told apart, and an old answer is the worse mistake."""
    daemon, o = cached(headers=control('max-age=60'), clock=clock)
    daemon.get('/')
    clock.jumps(HOUR)
    assert ages(daemon) == 0 and len(o.requests) == 2


def test_a_restart_with_an_earlier_date_makes_nothing_fresh_for_longer(cached, clock):
    """Nobody knows how old it is: the origin is asked."""
    daemon, o = cached(headers=control('max-age=600', ('ETag', '"v1"')), clock=clock)
    daemon.get('/')
    daemon.records(1)
    daemon.stop()
    clock.jumps(-HOUR)
    daemon.start()
    daemon.get('/')
    assert verdicts(daemon, 2) == ['miss', 'miss'] and len(o.requests) == 2
    assert o.requests[1].headers.get('if-none-match') == '"v1"'


def test_a_date_that_is_set_back_stops_no_stale_window_from_ending(cached, clock):
    daemon, _ = cached(dying(control('max-age=10, stale-if-error=20')), clock=clock)
    daemon.get('/')
    clock.passes(20)
    clock.jumps(-HOUR)
    assert daemon.get('/').status == 200
    clock.passes(10)
    assert daemon.get('/').status == 502


def test_a_date_that_is_set_while_the_origin_answers_costs_no_lifetime(cached, clock):
    """The time that an answer took counts as age; a date that was set meanwhile is no time."""
    def handler(request, conn):
        if request.target == '/back':
            clock.jumps(-HOUR)
        else:
            clock.passes(5)
        conn.reply(headers=control('max-age=60'))
    daemon, _ = cached(handler, clock=clock)
    for target, age in (('/back', 0), ('/slow', 5)):
        daemon.get(target)
        assert int(daemon.get(target).headers.get('age')) == age


def test_the_log_has_the_system_s_date(cached, clock):
    daemon, _ = cached(clock=clock)
    daemon.get('/')
    clock.jumps(-HOUR)
    daemon.get('/')
    first, second = daemon.records(2)
    assert int(second['t_us']) - int(first['t_us']) == -HOUR * 1000000
    assert int(second['total_us']) == 0
