"""An upstream of several servers: weights, passive failover, backup, down (issue: the main job, part 3)."""
from collections import Counter

from harness import site


def upstream(rows, settings='', more=''):
    return f'''
        workers 1; node story; access_log access.csv;
        upstream app {{ {rows} }}
        server {{ listen 127.0.0.1:0; server_name site.test; location / {{ proxy_pass http://app; {settings} }} {more} }}'''


def named(origin, name, **kw):
    return origin(lambda request, conn: conn.reply(headers=[('Cache-Control', 'no-store')], body=name), **kw)


def dead(origin):
    o = origin()
    address = o.address
    o.close()
    return address


def ask(daemon, count):
    with daemon.client() as client:
        return [client.get('/').body.decode() for _ in range(count)]


def test_servers_take_turns_by_weight(proxy, origin):
    a, b = named(origin, 'a'), named(origin, 'b')
    daemon = proxy(upstream(f'server {a.address} weight=3; server {b.address};'))
    got = ask(daemon, 40)
    assert Counter(got) == {'a': 30, 'b': 10}
    assert 'bb' not in ''.join(got), 'smooth: the light one never comes twice in a row'


def test_a_dead_server_is_left_out(proxy, origin):
    a = named(origin, 'a')
    gone = dead(origin)
    daemon = proxy(upstream(f'server {gone}; server {a.address};'))
    assert set(ask(daemon, 20)) == {'a'}
    records = daemon.records(20)
    assert {r['status'] for r in records} == {'200'}
    assert sum(int(r['origin_tries']) for r in records) == 21, 'after one failure it is left alone'


def test_a_server_that_dies_is_left_out_for_safe_requests(proxy, origin):
    def handler(request, conn):
        conn.close()

    a, bad = named(origin, 'a'), origin(handler)
    daemon = proxy(upstream(f'server {bad.address}; server {a.address};'))
    assert set(ask(daemon, 10)) == {'a'}
    assert len(bad.requests) == 1


def test_a_post_is_not_sent_to_a_second_server_after_it_was_sent(proxy, origin):
    def handler(request, conn):
        conn.close()

    a, bad = named(origin, 'a'), origin(handler)
    daemon = proxy(upstream(f'server {bad.address}; server {a.address} backup;'))
    answer = daemon.get('/', method='POST', body=b'once')
    assert answer.status == 502
    assert len(bad.requests) == 1 and a.requests == []


def test_a_post_may_go_elsewhere_when_no_connection_was_made(proxy, origin):
    a = named(origin, 'a')
    daemon = proxy(upstream(f'server {dead(origin)}; server {a.address};'))
    assert {daemon.get('/', method='POST', body=b'once').body for _ in range(4)} == {b'a'}


def test_a_backup_serves_only_when_all_others_are_gone(proxy, origin):
    a, b = named(origin, 'a'), named(origin, 'b')
    daemon = proxy(upstream(f'server {a.address}; server {b.address} backup;'))
    assert set(ask(daemon, 10)) == {'a'}
    daemon = proxy(upstream(f'server {dead(origin)}; server {b.address} backup;'), folder='two')
    assert set(ask(daemon, 10)) == {'b'}


def test_a_server_that_is_down_is_never_asked(proxy, origin):
    a, b = named(origin, 'a'), named(origin, 'b')
    daemon = proxy(upstream(f'server {a.address}; server {b.address} down;'))
    assert set(ask(daemon, 10)) == {'a'}
    assert b.connections == []


def test_a_server_comes_back_after_fail_timeout(proxy, origin):
    from harness import until
    a = named(origin, 'a')
    gone = dead(origin)
    daemon = proxy(upstream(f'server {gone} fail_timeout=1s; server {a.address};'))
    assert set(ask(daemon, 4)) == {'a'}
    back = named(origin, 'back', port=int(gone.rsplit(':', 1)[1]))
    until('the server is asked again', lambda: 'back' in ask(daemon, 2))
    assert back.requests


def test_all_dead_is_502_with_its_reason(proxy, origin):
    daemon = proxy(upstream(f'server {dead(origin)}; server {dead(origin)};'))
    assert daemon.get('/').status == 502
    record = daemon.record()
    assert record['end'] in ('connect_refused', 'no_origin') and int(record['origin_tries']) == 2


def test_while_all_are_left_out_nobody_is_asked(proxy, origin):
    daemon = proxy("""
        workers 1; access_log access.csv;
        upstream u { server 127.0.0.1:1 fail_timeout=1h; server 127.0.0.1:2 fail_timeout=1h; }
        server { listen 127.0.0.1:0; location / { proxy_pass http://u; } }""")
    assert [daemon.get('/').status for _ in range(2)] == [502, 503]
    first, second = daemon.records(2)
    assert (first['end'], first['origin_tries']) == ('connect_refused', '2')
    assert (second['end'], second['origin_tries'], second['origin'], second['cache']) == ('no_origin', '0', '', 'error')


def test_all_down_is_an_error(proxy, origin):
    a = named(origin, 'a')
    daemon = proxy(upstream(f'server {a.address} down;'), start=False)
    check = daemon.run('-t', '-c', daemon.config_path)
    if check.returncode != 0:
        assert 'app' in check.stderr or 'down' in check.stderr
        return
    daemon.start()
    assert daemon.get('/').status in (502, 503)
    assert daemon.record()['end'] == 'no_origin'


def test_keepalive_bounds_the_idle_connections(proxy, origin):
    def handler(request, conn):
        conn.origin.pass_gate()
        conn.reply(headers=[('Cache-Control', 'no-store')])

    o = origin(handler)
    daemon = proxy(upstream(f'server {o.address}; keepalive 2;'))
    clients = [daemon.client() for _ in range(10)]
    for client in clients:
        client.request('/')
    o.wait_requests(10)
    o.open_gate()
    for client in clients:
        client.response()
    daemon.records(10)
    from harness import until
    until('8 of 10 origin connections closed', lambda: sum(c.sock.fileno() == -1 for c in o.connections) == 8)


def test_the_log_names_the_server_that_answered(proxy, origin):
    a, b = named(origin, 'a'), named(origin, 'b')
    daemon = proxy(upstream(f'server {a.address}; server {b.address};'))
    got = ask(daemon, 4)
    by_name = {'a': a.address, 'b': b.address}
    assert [r['origin'] for r in daemon.records(4)] == [by_name[n] for n in got]


def test_a_cached_site_asks_its_upstream_once(proxy, origin):
    o = origin(headers=[('Cache-Control', 'max-age=60')])
    daemon = proxy(site(o))
    for _ in range(5):
        daemon.get('/')
    assert len(o.requests) == 1
