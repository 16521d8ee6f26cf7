"""A setting that is accepted has its effect. Those that other stories stand on (limits of heads, collapsing, volumes) are
theirs; here are the rest, one story each."""
import email.utils
import re
import socket
import time

import pytest

from harness import site, until

OK = b'HTTP/1.1 200 OK\r\n'
NO_STORE = b'Cache-Control: no-store\r\n'


def endless(request, conn):
    """64 MiB that nobody stores, as fast as they are read."""
    try:
        conn.send(OK + NO_STORE + b'Content-Length: %d\r\n\r\n' % (64 << 20))
        for _ in range(1024):
            conn.send(b'x' * 65536)
    except OSError:
        conn.origin.open_gate('over')
    conn.close()


# ---- clients ----

def test_send_timeout_ends_a_client_that_does_not_read(cached):
    daemon, o = cached(endless, settings='send_timeout 300ms;')
    client = daemon.client()
    client.request('/')
    o.pass_gate('over')
    record = daemon.record()
    assert (record['end'], record['status']) == ('send_timeout', '200')
    assert 0 < int(record['body_out']) < 64 << 20


def test_client_min_rate_ends_a_trickle(cached):
    daemon, o = cached(settings='client_min_rate 1k; client_body_timeout 60s;')
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Content-Length', '1000000')])
        begin = time.monotonic()
        client.sock.settimeout(0.5)
        while not client.buf:
            assert time.monotonic() - begin < 20, 'nothing came of it'
            client.send(b'x' * 100)
            try:
                client.buf += client.sock.recv(65536)
            except socket.timeout:
                pass
        client.sock.settimeout(10)
        assert client.response().status == 408
    record = daemon.record()
    assert (record['end'], record['refusal'], record['status']) == ('client_min_rate', 'body_timeout', '408')
    assert o.requests == []


# ---- streams ----

@pytest.mark.parametrize('size, low, high', [('64k', 1, 64 << 10), ('1m', 512 << 10, 1 << 20)])
def test_stream_buffer_bounds_what_waits_for_a_client(cached, size, low, high):
    daemon, o = cached(endless, settings=f'stream_buffer {size}; send_timeout 500ms;')
    client = daemon.client()
    client.request('/')
    o.pass_gate('over')
    assert low <= int(daemon.record()['high_water']) <= high


def test_a_stream_buffer_is_read_to_its_end(cached):
    body = b''.join(b'%07d\n' % i for i in range(1 << 20))
    daemon, _ = cached(headers=[('Cache-Control', 'no-store')], body=body, settings='stream_buffer 1m;')
    with daemon.client() as client:
        client.request('/')
        head = client.head()
        assert head.status == 200
        got = client.take(len(body))
    assert got == body


# ---- origins ----

def test_proxy_connect_timeout(proxy, origin):
    """A listener whose queue is full does not answer: nobody is refused and nobody connects."""
    full = socket.socket()
    full.bind(('127.0.0.1', 0))
    full.listen(0)
    waiting = []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(full.getsockname())
        waiting.append(s)
    daemon = proxy(site('127.0.0.1:%d' % full.getsockname()[1], settings='proxy_connect_timeout 200ms;'))
    assert daemon.get('/').status == 504
    record = daemon.record()
    assert (record['cache'], record['end'], record['connect_us']) == ('error', 'connect_timeout', '')
    assert 200000 <= int(record['total_us']) < 3000000
    for s in [*waiting, full]:
        s.close()


def test_proxy_send_timeout(cached):
    """An origin that takes no content."""
    def handler(request, conn):
        conn.origin.pass_gate()

    daemon, o = cached(handler, read_body=False, settings='proxy_send_timeout 300ms;')
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Content-Length', str(64 << 20))])
        client.sock.settimeout(0.1)
        with pytest.raises((socket.timeout, OSError)):
            for _ in range(1024):
                client.sock.sendall(b'x' * 65536)
        client.sock.settimeout(10)
        assert client.response().status == 504
    record = daemon.record()
    assert record['end'] == 'origin_send_timeout'
    assert 0 < int(record['origin_out']) < 64 << 20
    o.open_gate()


def test_stream_idle_timeout_is_for_event_streams(cached):
    def handler(request, conn):
        kind = b'text/event-stream' if request.target == '/events' else b'text/plain'
        conn.send(OK + NO_STORE + b'Content-Type: ' + kind + b'\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n')
        conn.origin.pass_gate()

    daemon, o = cached(handler, settings='proxy_read_timeout 300ms; stream_idle_timeout 1s;')
    for target, low in (('/text', 300000), ('/events', 1000000)):
        with daemon.client() as client:
            client.request(target)
            assert not client.response(cut=True).complete
    o.open_gate()
    text, events = daemon.records(2)
    assert text['end'] == events['end'] == 'origin_read_timeout'
    assert 300000 <= int(text['total_us']) < 900000
    assert int(events['total_us']) >= 1000000


@pytest.mark.parametrize('setting, fields, status', [
    ('proxy_header_max 2k;', [('A', 'x' * 3000)], 502), ('', [('A', 'x' * 3000)], 200),
    ('proxy_header_count_max 20;', [('A', 'x')] * 30, 502), ('', [('A', 'x')] * 30, 200),
])
def test_limits_of_an_origins_head(cached, setting, fields, status):
    daemon, _ = cached(headers=fields, settings=setting)
    assert daemon.get('/').status == status
    assert daemon.record()['end'] == ('complete' if status == 200 else 'origin_invalid')


@pytest.mark.parametrize('tries', [1, 2, 3])
def test_proxy_tries(proxy, origin, tries):
    """Each server of the upstream closes without a word."""
    dead = [origin(lambda request, conn: conn.close()) for _ in range(4)]
    servers = ' '.join(f'server {o.address} max_fails=0;' for o in dead)
    daemon = proxy(site('all', http=f'upstream all {{ {servers} }}', settings=f'proxy_tries {tries};'))
    assert daemon.get('/').status == 502
    record = daemon.record()
    assert (record['origin_tries'], record['end']) == (str(tries), 'origin_left')
    assert sum(len(o.requests) for o in dead) == tries


def test_proxy_keepalive_timeout(cached):
    daemon, o = cached(settings='proxy_keepalive_timeout 200ms;', headers=[('Cache-Control', 'no-store')])
    assert daemon.get('/').status == 200
    until('end of the idle connection', lambda: o.connections[0].done or o.connections[0].at_end())


def test_proxy_keepalive_timeout_0_keeps_none(cached):
    daemon, o = cached(settings='proxy_keepalive_timeout 0;', headers=[('Cache-Control', 'no-store')])
    for _ in range(3):
        assert daemon.get('/').status == 200
    assert len(o.connections) == 3
    assert {r['origin_reused'] for r in daemon.records(3)} == {'0'}


# ---- the cache ----

@pytest.mark.parametrize('setting, lifetime, nostore', [
    ('', 86400, ''), ('heuristic_percent 1;', 8640, ''), ('heuristic_max 1h;', 3600, ''), ('heuristic_percent 0;', 0, 'no_freshness'),
])
def test_estimated_lifetimes(cached, setting, lifetime, nostore):
    old = email.utils.formatdate(time.time() - 864000, usegmt=True)
    daemon, _ = cached(headers=[('Last-Modified', old)], settings=setting)
    daemon.get('/')
    record = daemon.record()
    assert record['nostore'] == nostore
    assert abs(int(record['lifetime'] or 0) - lifetime) <= 2


def test_hit_for_miss_time_is_how_long_it_is_remembered(cached):
    daemon, _ = cached(headers=[('Cache-Control', 'no-store')], settings='hit_for_miss_time 300ms;')

    def verdict():
        before = len(daemon.requests())
        daemon.get('/')
        return daemon.records(before + 1)[-1]['cache']

    assert verdict() == 'miss'
    assert verdict() == 'hit_for_miss'
    until('end of the memory', lambda: verdict() == 'miss')


@pytest.mark.parametrize('setting, status', [('stale_on_error 1h;', 200), ('stale_on_error 0;', 502)])
def test_stale_on_error(cached, setting, status):
    def handler(request, conn):
        if len(conn.origin.requests) > 1:
            conn.close()
            return
        conn.reply(headers=[('Cache-Control', 'max-age=60'), ('Age', '61'), ('ETag', '"1"')])

    daemon, _ = cached(handler, settings=setting)
    assert daemon.get('/').status == 200
    daemon.records(1)
    assert daemon.get('/').status == status
    record = daemon.records(2)[1]
    assert (record['cache'], record['end']) == (('hit_stale', 'complete') if status == 200 else ('error', 'origin_left'))


# ---- the process ----

def test_connections_max_lets_others_wait(cached):
    daemon, _ = cached(http='connections_max 2;')
    first, second, third = daemon.client(), daemon.client(), daemon.client()
    assert first.get('/').status == second.get('/').status == 200
    third.request('/')
    daemon.wait_said('connections_max')
    assert len(daemon.records(2)) == 2
    first.close()
    assert third.response().status == 200


@pytest.mark.parametrize('level, notes, warnings', [('debug', True, True), ('notice', True, True), ('warn', False, True), ('error', False, False)])
def test_error_log_keeps_to_its_level(proxy, origin, level, notes, warnings):
    o = origin()
    config = site(o, http=f'error_log err.txt {level}; connections_max 1;')
    daemon = proxy(config)
    first, second = daemon.client(), daemon.client()
    assert first.get('/').status == 200
    second.request('/')
    first.close()
    assert second.response().status == 200
    daemon.stop()
    with open(f'{daemon.tmp}/err.txt') as f:
        text = f.read()
    assert bool(re.search(r' notice: ', text)) == notes, text
    assert bool(re.search(r' warn: ', text)) == warnings, text
