"""Concurrent requests for one object become one fetch, and nobody waits in vain (design section 3)."""
import threading

import pytest

from harness import Client, until

OK = b'HTTP/1.1 200 OK\r\n'
MAX_AGE = b'Cache-Control: max-age=600\r\n'


def waiting(daemon, count, target='/', headers=lambda i: ()):
    """So many clients that have sent their request; their answers are not read."""
    clients = []
    for i in range(count):
        client = daemon.client()
        client.request(target, headers=headers(i))
        clients.append(client)
    return clients


def settle(daemon, count=1):
    """Every request sent before is in the daemon's hands now: each worker has answered a later one. (One worker reads
    its sockets in turn; a round trip behind them comes after them.)"""
    for i in range(count):
        assert daemon.get(f'/settle/{i}').status == 200


def gated(head, body, settle_headers=b'Cache-Control: no-store\r\n'):
    """/settle is answered at once, everything else when the gate opens."""
    def handler(request, conn):
        if request.target.startswith('/settle'):
            conn.send(OK + settle_headers + b'Content-Length: 0\r\n\r\n')
            return
        conn.origin.pass_gate()
        conn.send(head + b'Content-Length: %d\r\n\r\n' % len(body) + body)
    return handler


def asked(o, target='/'):
    return [r for r in o.requests if r.target == target]


@pytest.mark.parametrize('workers', [1, 2])
def test_50_concurrent_misses_are_one_request_at_the_origin(cached, workers):
    daemon, o = cached(gated(OK + MAX_AGE, b'shared'), workers=workers)
    clients = waiting(daemon, 50)
    settle(daemon, 10)
    assert len(asked(o)) == 1
    o.open_gate()
    assert [c.response().body for c in clients] == [b'shared'] * 50
    assert len(asked(o)) == 1
    records = [r for r in daemon.records(60) if r['target'] == '/']
    count = {v: len([r for r in records if r['cache'] == v]) for v in ('miss', 'collapsed', 'hit')}
    # A request that a worker only reads after the fetch is over is a plain hit.
    assert count['miss'] == 1 and count['collapsed'] + count['hit'] == 49 and count['collapsed'] >= 40
    for r in records:
        if r['cache'] == 'collapsed':
            assert (r['tier'], r['origin_tries']) == ('origin', '0')


def test_an_object_is_read_while_it_is_still_fetched(cached):
    def handler(request, conn):
        conn.send(OK + MAX_AGE + b'Content-Length: 12\r\n\r\nfirst ')
        conn.origin.pass_gate()
        conn.send(b'second')

    daemon, o = cached(handler)
    first = waiting(daemon, 1)[0]
    assert first.take_until(b'first ')
    late = waiting(daemon, 3)
    for client in late:
        assert client.take_until(b'first ').endswith(b'\r\n\r\nfirst ')      # streamed, not waited for
    o.open_gate()
    for client in [first] + late:
        assert client.take(6) == b'second'
    assert len(o.requests) == 1
    assert sorted(r['cache'] for r in daemon.records(4)) == ['collapsed'] * 3 + ['miss']


def test_a_slow_reader_does_not_hold_the_others(cached):
    body = b'z' * (4 << 20)

    def handler(request, conn):
        conn.send(OK + MAX_AGE + b'Content-Length: %d\r\n\r\n' % len(body))
        conn.send(body)

    daemon, o = cached(handler)
    slow = waiting(daemon, 1)[0]     # it leads the fetch, and reads nothing yet
    o.wait_requests(1)
    assert daemon.get('/').body == body
    assert slow.response().body == body
    assert len(o.requests) == 1


def test_a_client_that_leaves_does_not_end_a_fetch_that_others_read(cached):
    def handler(request, conn):
        if request.target.startswith('/settle'):
            conn.reply(headers=[('Cache-Control', 'no-store')])
            return
        conn.send(OK + MAX_AGE + b'Content-Length: 12\r\n\r\nfirst ')
        conn.origin.pass_gate()
        conn.send(b'second')

    daemon, o = cached(handler)
    first = waiting(daemon, 1)[0]
    first.take_until(b'first ')
    other = waiting(daemon, 1)[0]
    other.take_until(b'first ')
    first.reset()
    settle(daemon)
    o.open_gate()
    assert other.take(6) == b'second'
    assert daemon.get('/').body == b'first second'
    assert len(asked(o)) == 1
    records = daemon.records(4)
    assert sorted((r['cache'], r['end']) for r in records if r['target'] == '/') == [
        ('collapsed', 'complete'), ('hit', 'complete'), ('miss', 'client_left')]


@pytest.mark.parametrize('head', [b'Cache-Control: no-store\r\n', b'Cache-Control: private\r\n', b'Set-Cookie: a=b\r\nCache-Control: max-age=60\r\n', b''],
                         ids=['no-store', 'private', 'set-cookie', 'nothing'])
def test_an_uncacheable_first_answer_releases_everybody_at_once(cached, head):
    """Never a queue: the waiters' requests are at the origin together, while none of them has been answered."""
    def handler(request, conn):
        if request.target.startswith('/settle'):
            conn.send(OK + b'Cache-Control: no-store\r\nContent-Length: 0\r\n\r\n')
            return
        first = len(asked(conn.origin)) == 1
        conn.origin.pass_gate('first' if first else 'others')
        conn.send(OK + head + b'Content-Length: 3\r\n\r\nown')

    daemon, o = cached(handler)
    clients = waiting(daemon, 20)
    settle(daemon, 3)
    assert len(asked(o)) == 1
    o.open_gate('first')
    until('20 requests at the origin at once', lambda: len(asked(o)) == 20)
    o.open_gate('others')
    assert [c.response().body for c in clients] == [b'own'] * 20


def test_what_was_uncacheable_is_remembered(cached):
    """hit-for-miss: the next ones do not wait for each other."""
    def handler(request, conn):
        if len(conn.origin.requests) > 1:
            conn.origin.pass_gate()
        conn.send(OK + b'Cache-Control: no-store\r\nContent-Length: 3\r\n\r\nown')

    daemon, o = cached(handler)
    assert daemon.get('/').body == b'own'
    clients = waiting(daemon, 10)
    o.wait_requests(11)              # all at once, none answered
    o.open_gate()
    for client in clients:
        assert client.response().body == b'own'
    assert {r['cache'] for r in daemon.records(11)[1:]} == {'hit_for_miss'}


def test_hit_for_miss_ends_when_an_answer_is_cacheable(cached):
    def handler(request, conn):
        cacheable = len(conn.origin.requests) > 1
        conn.reply(headers=[('Cache-Control', 'max-age=600' if cacheable else 'no-store')])

    daemon, o = cached(handler)
    for i in range(4):
        daemon.get('/')
        daemon.records(i + 1)
    assert [r['cache'] for r in daemon.records(4)] == ['miss', 'hit_for_miss', 'hit', 'hit']
    assert len(o.requests) == 2


@pytest.mark.parametrize('how', ['close', 'reset', 'invalid'])
def test_a_failing_first_fetch_leaves_nobody_behind(cached, how):
    def handler(request, conn):
        if request.target.startswith('/settle') or len(asked(conn.origin)) > 1:
            conn.send(OK + b'Cache-Control: no-store\r\nContent-Length: 4\r\n\r\ngood')
            return
        conn.origin.pass_gate()
        if how == 'invalid':
            conn.send(b'nonsense\r\n\r\n')
        conn.reset() if how == 'reset' else conn.close()

    daemon, o = cached(handler)
    clients = waiting(daemon, 10)
    settle(daemon, 3)
    o.open_gate()
    answers = [c.response() for c in clients]
    assert len([a for a in answers if a.status == 200]) >= 9
    assert all(a.status in (200, 502) for a in answers)
    daemon.records(13)


def test_a_leader_that_leaves_does_not_strand_its_waiters(cached):
    daemon, o = cached(gated(OK + MAX_AGE, b'shared'))
    leader = waiting(daemon, 1)[0]
    o.wait_requests(1)
    others = waiting(daemon, 5)
    settle(daemon)
    leader.reset()
    settle(daemon)
    o.open_gate()
    assert [c.response().body for c in others] == [b'shared'] * 5


def test_a_very_slow_first_request_does_not_hold_the_others(cached):
    def handler(request, conn):
        if request.target.startswith('/settle'):
            conn.send(OK + b'Cache-Control: no-store\r\nContent-Length: 0\r\n\r\n')
        elif len(asked(conn.origin)) == 1:
            conn.origin.pass_gate()
            conn.close()
        else:
            conn.send(OK + MAX_AGE + b'Content-Length: 5\r\n\r\nquick')

    daemon, o = cached(handler, settings='collapse_timeout 300ms;')
    waiting(daemon, 1)
    o.wait_requests(1)
    assert daemon.get('/').status == 200
    o.open_gate()


def test_collapse_off_asks_for_each(cached):
    daemon, o = cached(gated(OK + MAX_AGE, b'own'), settings='collapse off;')
    clients = waiting(daemon, 10)
    until('10 requests at the origin', lambda: len(asked(o)) == 10)
    o.open_gate()
    assert [c.response().body for c in clients] == [b'own'] * 10


def test_other_variants_do_not_wait_for_each_other(cached):
    def handler(request, conn):
        conn.origin.pass_gate(request.headers.get('accept-language'))
        conn.reply(headers=[('Cache-Control', 'max-age=600'), ('Vary', 'Accept-Language')], body=request.headers.get('accept-language'))

    daemon, o = cached(handler)
    o.open_gate('de')
    o.open_gate('en')
    for lang in ('de', 'en'):
        daemon.get('/', headers=[('Accept-Language', lang)])
    daemon.records(2)
    stuck = waiting(daemon, 1, headers=lambda i: [('Accept-Language', 'fr')])[0]
    o.wait_requests(3)
    assert daemon.get('/', headers=[('Accept-Language', 'de')]).body == b'de'
    o.open_gate('fr')
    assert stuck.response().body == b'fr'


def varying(gates=()):
    """Each language has its own answer; those of `gates` stop behind their heads. The gate `heads` holds all heads."""
    def handler(request, conn):
        if request.target.startswith('/settle'):
            conn.reply(headers=[('Cache-Control', 'no-store')])
            return
        lang = request.headers.get('accept-language')
        conn.origin.pass_gate('heads')
        conn.send(OK + MAX_AGE + b'Vary: Accept-Language\r\nContent-Length: 2\r\n\r\n')
        if lang in gates:
            conn.origin.pass_gate(lang)
        conn.send(lang.encode())
    return handler


def test_another_variant_is_fetched_while_the_first_one_still_runs(cached):
    """Nobody knows of the variants before the first head: who finds another one on its way asks for itself."""
    daemon, o = cached(varying(gates=['de']))
    o.open_gate('heads')
    first = waiting(daemon, 1, headers=lambda i: [('Accept-Language', 'de')])[0]
    first.take_until(b'\r\n\r\n')
    assert daemon.get('/', headers=[('Accept-Language', 'fr')]).body == b'fr'
    o.open_gate('de')
    assert first.take(2) == b'de'
    assert len(asked(o)) == 2


def test_concurrent_first_requests_of_two_variants_are_two_fetches(cached):
    daemon, o = cached(varying())
    clients = waiting(daemon, 40, headers=lambda i: [('Accept-Language', ('de', 'fr')[i % 2])])
    settle(daemon, 5)
    assert len(asked(o)) == 1
    o.open_gate('heads')
    assert [c.response().body for c in clients] == [b'de', b'fr'] * 20
    assert sorted(r.headers.get('accept-language') for r in asked(o)) == ['de', 'fr']


def test_many_objects_many_clients_one_fetch_each(cached):
    def handler(request, conn):
        conn.reply(headers=[('Cache-Control', 'max-age=600')], body=request.target * 100)

    daemon, o = cached(handler, workers=2)
    bad = []

    def run(n):
        try:
            with Client(daemon.address) as client:
                for i in range(100):
                    target = f'/{(i * 7 + n) % 40}'
                    if client.get(target).body.decode() != target * 100:
                        bad.append(target)
        except Exception as failure:
            bad.append(failure)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert bad == []
    assert sorted(o.paths()) == sorted(f'/{i}' for i in range(40))
    assert len(daemon.records(1600)) == 1600


# ---- a hundred waiters, and what can happen to the first request: the origin sees one request, or all, and never a queue ----

HUNDRED = 100


def hundred(cached, first, other=None, workers=1, settings=''):
    """One first request that is held by the origin, and a hundred that wait for it. `first` answers it when the gate `first`
    opens; `other`, if any, answers all later ones, but only when they are all there."""
    def handler(request, conn):
        if request.target.startswith('/settle'):
            conn.reply(headers=[('Cache-Control', 'no-store')])
        elif len(asked(conn.origin)) == 1 and conn.origin.claim():
            conn.origin.pass_gate('first')
            first(conn)
        else:
            conn.origin.pass_gate('others')
            other(conn)

    daemon, o = cached(handler, workers=workers, settings=settings)
    claimed = []
    o.claim = lambda: not claimed and not claimed.append(1)
    leader = waiting(daemon, 1)[0]
    o.wait_requests(1)
    clients = waiting(daemon, HUNDRED)
    settle(daemon, 4)
    assert len(asked(o)) == 1
    return daemon, o, leader, clients


def stored(conn):
    conn.send(OK + MAX_AGE + b'Content-Length: 6\r\n\r\nshared')


def own(conn):
    conn.send(OK + b'Cache-Control: no-store\r\nContent-Length: 3\r\n\r\nown')


def all_at_once(o, count=HUNDRED + 1):
    """They are at the origin together while none of them has been answered: no queue."""
    until(f'{count} requests at the origin at once', lambda: len(asked(o)) == count)
    o.open_gate('others')


def test_a_hundred_wait_for_a_slow_first_request_that_is_stored(cached):
    daemon, o, leader, clients = hundred(cached, stored)
    o.open_gate('first')
    assert [c.response().body for c in [leader, *clients]] == [b'shared'] * (HUNDRED + 1)
    assert len(asked(o)) == 1


@pytest.mark.parametrize('workers', [1, 2])
def test_a_hundred_who_wait_too_long_for_a_slow_first_request_ask_all_at_once(cached, workers):
    daemon, o, leader, clients = hundred(cached, own, own, workers=workers, settings='collapse_timeout 1500ms;')
    all_at_once(o)
    assert [c.response().body for c in clients] == [b'own'] * HUNDRED
    o.open_gate('first')
    assert leader.response().body == b'own'


@pytest.mark.parametrize('how', ['close', 'reset', 'nonsense'])
def test_a_hundred_wait_for_a_first_request_that_fails(cached, how):
    def fail(conn):
        if how == 'nonsense':
            conn.send(b'nonsense\r\n\r\n')
        conn.reset() if how == 'reset' else conn.close()

    daemon, o, leader, clients = hundred(cached, fail, own, settings='proxy_tries 1;')
    o.open_gate('first')
    all_at_once(o)
    assert [c.response().body for c in clients] == [b'own'] * HUNDRED
    assert leader.response().status == 502


def test_a_hundred_wait_for_a_first_request_that_breaks_off(cached):
    """Behind its head: they have the beginning, and nobody can give them the rest."""
    def broken(conn):
        conn.send(OK + MAX_AGE + b'Content-Length: 12\r\n\r\nfirst ')
        conn.origin.pass_gate('rest')
        conn.close()

    daemon, o, leader, clients = hundred(cached, broken, own)
    o.open_gate('first')
    for client in [leader, *clients]:
        client.take_until(b'first ')
    o.open_gate('rest')
    for client in [leader, *clients]:
        client.assert_closed()
    assert len(asked(o)) == 1
    o.open_gate('others')
    assert daemon.get('/').body == b'own', 'nothing of it is stored'


@pytest.mark.parametrize('workers', [1, 2])
def test_a_hundred_wait_for_a_first_request_that_is_uncacheable(cached, workers):
    daemon, o, leader, clients = hundred(cached, own, own, workers=workers)
    o.open_gate('first')
    all_at_once(o)
    assert [c.response().body for c in [leader, *clients]] == [b'own'] * (HUNDRED + 1)


def test_a_hundred_whose_first_client_leaves_get_its_answer(cached):
    daemon, o, leader, clients = hundred(cached, stored)
    leader.reset()
    settle(daemon)
    o.open_gate('first')
    assert [c.response().body for c in clients] == [b'shared'] * HUNDRED
    assert len(asked(o)) == 1


def test_a_hundred_whose_first_client_leaves_an_uncacheable_answer_ask_all_at_once(cached):
    daemon, o, leader, clients = hundred(cached, own, own)
    leader.reset()
    settle(daemon)
    o.open_gate('first')
    all_at_once(o)
    assert [c.response().body for c in clients] == [b'own'] * HUNDRED


@pytest.mark.parametrize('leader_first', [True, False])
@pytest.mark.parametrize('workers', [1, 2])
def test_a_hundred_who_all_leave_end_the_fetch(cached, leader_first, workers):
    """For nobody nothing is fetched."""
    daemon, o, leader, clients = hundred(cached, lambda conn: None, own, workers=workers)
    for client in [leader, *clients] if leader_first else [*clients, leader]:
        client.reset()
    until('the end of the fetch', asked(o)[0].conn.at_end)
    o.open_gate('first')
    o.open_gate('others')
    assert daemon.get('/').body == b'own'
    assert len(asked(o)) == 2


def test_a_hundred_variants_by_rule_are_a_fetch_each(cached):
    def handler(request, conn):
        if request.target.startswith('/settle'):
            conn.reply(headers=[('Cache-Control', 'no-store')])
        else:
            conn.origin.pass_gate()
            conn.reply(headers=[('Cache-Control', 'max-age=600')], body=request.headers.get('cookie'))

    daemon, o = cached(handler, settings='cache_key_cookies n;')
    clients = waiting(daemon, HUNDRED, headers=lambda i: [('Cookie', f'n={i % 5}; x={i}')])
    settle(daemon, 4)
    assert len(asked(o)) == 5
    o.open_gate()
    assert [c.response().body.decode() for c in clients] == [f'n={i % 5}' for i in range(HUNDRED)]
    assert len(asked(o)) == 5


# ---- what has the same URL and is another ----

def test_two_sites_with_the_same_url_in_two_volumes_share_no_fetch(proxy, origin):
    """Two listeners, two origins, two volumes, one name: what one site fetches is nothing to the other."""
    def handler(name):
        def answer(request, conn):
            conn.origin.pass_gate()
            conn.reply(headers=[('Cache-Control', 'max-age=600')], body=f'{name} {len(conn.origin.requests)}')
        return answer

    one, two = origin(handler('one')), origin(handler('two'))
    daemon = proxy(f'''workers 1; node story; access_log access.csv;
volume one {{ path one; size 8m; }} volume two {{ path two; size 8m; }}
server {{ listen 127.0.0.1:0; server_name site.test; location / {{ proxy_pass http://{one.address}; proxy_cache one; }} }}
server {{ listen 127.0.0.2:0; server_name site.test; collapse_timeout 1m; location / {{ proxy_pass http://{two.address}; proxy_cache two; }} }}''', listens=2)
    with daemon.client(0) as first, daemon.client(1) as second:
        first.request('/')
        one.wait_requests(1)
        second.request('/')
        two.wait_requests(1)
        one.open_gate()
        two.open_gate()
        assert (first.response().body, second.response().body) == (b'one 1', b'two 1')
    assert [daemon.get('/', listen=i).body for i in (0, 1)] == [b'one 1', b'two 1']
    assert [(r['cache'], r['volume']) for r in daemon.records(4)][2:] == [('hit', 'one'), ('hit', 'two')]


def test_an_uncacheable_answer_of_one_site_says_nothing_of_the_same_url_in_another_volume(proxy, origin):
    one = origin(lambda request, conn: conn.reply(headers=[('Cache-Control', 'no-store')], body='one'))
    two = origin(lambda request, conn: conn.reply(headers=[('Cache-Control', 'max-age=600')], body='two'))
    daemon = proxy(f'''workers 1; node story; access_log access.csv;
volume one {{ path one; size 8m; }} volume two {{ path two; size 8m; }}
server {{ listen 127.0.0.1:0; server_name site.test; location / {{ proxy_pass http://{one.address}; proxy_cache one; }} }}
server {{ listen 127.0.0.2:0; server_name site.test; location / {{ proxy_pass http://{two.address}; proxy_cache two; }} }}''', listens=2)
    daemon.get('/', listen=0)
    daemon.get('/', listen=0)
    daemon.get('/', listen=1)
    assert [r['cache'] for r in daemon.records(3)] == ['miss', 'hit_for_miss', 'miss']
