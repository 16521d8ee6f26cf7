"""The column `tier` says where the body's bytes were: `ram` all in memory, `disk` at least one read from the volume's file for
this request, `origin` from a fetch, `none` when there were none."""
from harness import until

MAX_AGE = [('Cache-Control', 'max-age=600')]


def gauge(daemon, name):
    return daemon.counters()[f'proxyd_volume_{name}']


def restarted(daemon, count):
    until(f'{count} objects committed', lambda: gauge(daemon, 'stored_total') >= count)
    daemon.stop()
    daemon.start()
    return len(daemon.requests())


def sized(cached, sizes, **kw):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=b'x' * sizes[request.target]), volume_size='64m', **kw)
    for target in sizes:
        daemon.get(target)
    return daemon, restarted(daemon, len(sizes))


def tiers(daemon, since, targets, **kw):
    for target in targets:
        daemon.get(target, **kw)
    return [(r['cache'], r['tier']) for r in daemon.records(since + len(targets))[since:]]


def test_the_first_hit_after_a_restart_is_from_disk_and_the_next_from_memory(cached):
    daemon, since = sized(cached, {'/a': 5000}, volume='ram 4m;')
    assert tiers(daemon, since, ['/a', '/a', '/a']) == [('hit', 'disk'), ('hit', 'ram'), ('hit', 'ram')]


def test_what_is_larger_than_a_quarter_of_the_memory_is_from_disk_each_time(cached):
    daemon, since = sized(cached, {'/a': 600_000, '/b': 3_000_000}, volume='ram 1m;')
    assert tiers(daemon, since, ['/a', '/b'] * 3) == [('hit', 'disk')] * 6


def test_what_had_to_leave_memory_is_from_disk_again(cached):
    sizes = {f'/{i}': 50_000 for i in range(30)}      # three times what fits
    daemon, since = sized(cached, sizes, volume='ram 512k;')
    assert tiers(daemon, since, list(sizes) + ['/0', '/0']) == [('hit', 'disk')] * 31 + [('hit', 'ram')]
    assert gauge(daemon, 'ram_bytes') <= 512 << 10


def test_what_the_page_cache_has_is_from_disk_too(cached):
    """Nothing was waited for, but it was read: memory that is ours does not have it."""
    daemon, since = sized(cached, {'/film': 3_000_000}, volume='ram 16m;')
    assert tiers(daemon, since, ['/film', '/film']) == [('hit', 'disk'), ('hit', 'disk')]


def test_while_it_is_being_filled_it_is_the_origin_s(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 20000\r\n\r\n' + b'x' * 10000)
        conn.origin.pass_gate()
        conn.send(b'x' * 10000)

    daemon, o = cached(handler)
    with daemon.client() as first, daemon.client() as second:
        first.request('/')
        first.take_until(b'x' * 100)
        second.request('/')
        second.take_until(b'x' * 100)
        o.open_gate()
        first.take_until(b'x' * 5000)
        daemon.records(2)
    assert daemon.get('/').body == b'x' * 20000
    assert [(r['cache'], r['tier']) for r in daemon.records(3)] == [('miss', 'origin'), ('collapsed', 'origin'), ('hit', 'ram')]


def test_without_a_body_there_is_no_tier(cached):
    daemon, o = cached(headers=MAX_AGE + [('ETag', '"1"')], body=b'x' * 5000)
    daemon.get('/')
    since = restarted(daemon, 1)
    daemon.get('/', headers=[('If-None-Match', '"1"')])
    daemon.get('/', method='HEAD')
    assert tiers(daemon, since + 2, ['/']) == [('hit', 'ram')]       # loaded by the first of the three
    assert [(r['status'], r['cache'], r['tier']) for r in daemon.requests()[since:since + 2]] == [('304', 'hit', ''), ('200', 'hit', '')]


def test_a_list_of_variants_that_is_read_from_disk_does_not_count(cached):
    """Its bytes go to nobody. The variant that is in memory already is from memory."""
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE + [('Vary', 'X-Kind')], body=b'x' * 50_000),
                       volume='ram 512k;', volume_size='32m')
    for kind in 'ab':
        daemon.get('/', headers=[('X-Kind', kind)])
    since = restarted(daemon, 3)           # two variants and the newest list
    for kind in 'aab':
        daemon.get('/', headers=[('X-Kind', kind)])
    assert [(r['cache'], r['tier']) for r in daemon.records(since + 3)[since:]] == [('hit', 'disk'), ('hit', 'ram'), ('hit', 'disk')]
