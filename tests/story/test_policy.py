"""Who is let into a volume and who leaves it: `admission` and `eviction` (issue 4)."""
import pytest

from harness import audit_json, findings, site, until
from test_collapse import OK, asked, gated, settle, waiting
from test_purge import ctl

MAX_AGE = [('Cache-Control', 'max-age=600')]


def seen(daemon, count):
    return [(r['cache'], r['stored'], r['nostore']) for r in daemon.records(count)]


def test_second_hit_stores_what_is_asked_for_again(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'again' * 100, volume='admission second_hit;')
    for target in ('/a', '/b', '/a', '/a'):
        assert daemon.get(target).body == b'again' * 100
    assert seen(daemon, 4) == [('miss', '0', 'second_hit'), ('miss', '0', 'second_hit'), ('miss', '1', ''), ('hit', '0', '')]
    assert len(o.requests) == 3
    assert (daemon.counters()['proxyd_not_admitted_total'], daemon.counters()['proxyd_volume_not_admitted_total']) == (2, 2)
    daemon.stop()
    assert audit_json('check', daemon.log)['findings'] == []


def test_a_size_lets_small_bodies_in_at_once(cached):
    def handler(request, conn):
        if request.target == '/unknown':
            conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
        else:
            conn.reply(headers=MAX_AGE, body=b'x' * (1024 if request.target == '/small' else 1025))

    daemon, _ = cached(handler, volume='admission second_hit over=1k;')
    for target in ('/small', '/large', '/unknown', '/small', '/large', '/unknown'):
        daemon.get(target)
    assert seen(daemon, 6) == [('miss', '1', ''), ('miss', '0', 'second_hit'), ('miss', '0', 'second_hit'),
                               ('hit', '0', ''), ('miss', '1', ''), ('miss', '1', '')]


def test_an_object_that_is_stored_is_renewed_whatever_the_rule(cached, clock):
    """What has an entry is no first request: its lifetime is over, its successor takes its place."""
    daemon, _ = cached(headers=[('Cache-Control', 'max-age=60')], volume='admission second_hit;', clock=clock)
    for _ in range(2):
        daemon.get('/page')
    clock.passes(120)
    daemon.get('/page')
    daemon.get('/page')
    assert [one[1:] for one in seen(daemon, 4)] == [('0', 'second_hit'), ('1', ''), ('1', ''), ('0', '')]


def test_who_waits_for_a_first_request_is_a_second_one(cached):
    """The one who is first is not stored for; of those who waited one is, for all of them."""
    daemon, o = cached(gated(OK + b'Cache-Control: max-age=600\r\n', b'shared'), volume='admission second_hit;')
    first = waiting(daemon, 1)
    o.wait_requests(1)
    others = waiting(daemon, 5)
    settle(daemon)
    o.open_gate()
    assert [c.response().body for c in first + others] == [b'shared'] * 6
    records = [r for r in daemon.records(7) if not r['target'].strip('"').startswith('/settle')]
    assert sorted((r['cache'], r['stored'], r['nostore']) for r in records) == \
        [('collapsed', '0', '')] * 4 + [('miss', '0', 'second_hit'), ('miss', '1', '')]
    assert len(asked(o)) == 2


def test_variants_are_let_in_one_by_one(cached):
    """The list of a URL's variants is bookkeeping: it is no object that is asked for."""
    def handler(request, conn):
        conn.reply(headers=MAX_AGE + [('Vary', 'Accept-Language')], body=request.headers.get('accept-language', '-').encode())

    daemon, _ = cached(handler, volume='admission second_hit;')
    for language in ('de', 'fr', 'de', 'fr', 'de', 'fr'):
        assert daemon.get('/page', headers=[('Accept-Language', language)]).body == language.encode()
    assert seen(daemon, 6) == [('miss', '0', 'second_hit')] * 2 + [('miss', '1', '')] * 2 + [('hit', '0', '')] * 2


@pytest.mark.parametrize('policy', ['lrfu', 'lrfu_small', 's3fifo', 'sieve', 'lru'])
def test_a_full_volume_keeps_what_is_used(cached, policy):
    """Twelve megabytes of what nobody asks for again go through four; what is asked for all the time stays."""
    daemon, o = cached(headers=MAX_AGE, body=b'0123456789abcdef' * 4096, volume_size='4m', volume=f'ram 0; eviction {policy};')
    count = 0
    for i in range(160):
        daemon.get(f'/once/{i}')
        count += 1
        if i % 4 == 0:
            assert daemon.get('/often').status == 200
            count += 1
        if i % 8 == 0:
            stored = sum(r['stored'] == '1' for r in daemon.records(count))
            until('what was put is on disk', lambda: daemon.counters()['proxyd_volume_stored_total'] == stored)
    records = daemon.records(count)
    often = [r['cache'] for r in records if r['target'].strip('"') == '/often']
    assert len(often) == 40 and often.count('hit') >= 35, often
    assert {r['nostore'] for r in records} == {''}
    assert daemon.counters()['proxyd_volume_evicted_total'] > 80
    daemon.stop()
    assert findings(audit_json('check', daemon.log)) == []


def test_another_policy_waits_for_the_next_start(proxy, origin):
    o = origin(headers=MAX_AGE)
    daemon = proxy(site(o, volume='eviction lru;'))
    since = daemon.reload(site(o, volume='eviction sieve; admission second_hit;'))
    for word in ('eviction', 'admission'):
        daemon.wait_said(f"volume 'main': the new {word} takes effect at the next start", since)


def owners(daemon):
    """What `ctl volumes` says of each: bytes and quota."""
    return {o['owner']: (o['live_bytes'], o['quota_bytes']) for o in ctl(daemon, 'volumes')['owners']}


def two_sites(o, admin, quota):
    return site(o, volume_size='8m', volume='ram 0;', http=f'admin unix:{admin};', more=f'''
    location /bulk/ {{ proxy_pass http://{o.address}; proxy_cache main{quota}; }}''')


def fill(daemon, targets, since):
    """Asks for all of them, waiting for the disk every so often. Returns how many records there are now."""
    for i, target in enumerate(targets):
        assert daemon.get(target).status == 200
        if i % 8 == 7 or i + 1 == len(targets):
            stored = sum(r['stored'] == '1' for r in daemon.records(since + i + 1))
            until('what was put is on disk', lambda: daemon.counters()['proxyd_volume_stored_total'] == stored)
    return since + len(targets)


def test_a_site_over_its_quota_gives_way(proxy, origin, admin):
    """Bulk fills the volume while there is room; then what it has above its quota goes, and nothing of the others."""
    o = origin(headers=MAX_AGE, body=b'0123456789abcdef' * 4096)
    daemon = proxy(two_sites(o, admin, ' quota=1m'))
    count = fill(daemon, [f'/bulk/{i}' for i in range(40)], 0)
    assert owners(daemon) == {'site.test /bulk/': (40 * 65536, 1 << 20)}
    count = fill(daemon, [f'/page/{i}' for i in range(80)], count)
    assert owners(daemon)['site.test /bulk/'][0] < 40 * 65536
    assert f'proxyd_owner_quota_bytes{{volume="main",owner="site.test /bulk/"}} {1 << 20}' in daemon.metrics()
    for i in range(80):
        daemon.get(f'/page/{i}')
    assert {r['cache'] for r in daemon.records(count + 80)[count:]} == {'hit'}


def test_a_quota_outlives_a_restart_by_its_name(proxy, origin, admin):
    """Another site comes before it in the file, with a quota of its own; what is stored stays whose it was."""
    o = origin(headers=MAX_AGE, body=b'0123456789abcdef' * 4096)
    daemon = proxy(two_sites(o, admin, ' quota=1m'))
    fill(daemon, [f'/bulk/{i}' for i in range(5)], 0)
    daemon.stop()
    daemon.write_config(two_sites(o, admin, ' quota=2m').replace('server_name site.test;', 'server_name site.test; proxy_cache main quota=3m;', 1))
    daemon.start()
    assert owners(daemon) == {'site.test /bulk/': (5 * 65536, 2 << 20), 'site.test': (0, 3 << 20)}
    daemon.reload(two_sites(o, admin, ''))
    until('the quota is gone', lambda: owners(daemon) == {'site.test /bulk/': (5 * 65536, 0), 'site.test': (0, 0)})
