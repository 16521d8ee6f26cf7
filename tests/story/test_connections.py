"""Client connections and contents: keep-alive, pipelining, HTTP/1.0, HEAD, Expect, both framings, both ways
(RFC 9112 sections 7 and 9, RFC 9110 section 10.1.1; design section 12, points 9 and 11)."""
import threading
import time

import pytest

from harness import Client, until


def echo(request, conn):
    conn.reply(headers=[('Cache-Control', 'no-store'), ('X-Framing', request.headers.get('transfer-encoding') or 'length')], body=request.body)


# ---- keep-alive ----

def test_a_connection_is_kept(cached):
    daemon, _ = cached()
    with daemon.client() as client:
        for i in range(20):
            assert client.get(f'/{i}').body == b'hello\n'
    records = daemon.records(20)
    assert {r['conn'] for r in records} == {records[0]['conn']}
    assert [int(r['conn_req']) for r in records] == list(range(1, 21))


def test_connection_close_is_obeyed(cached):
    daemon, _ = cached()
    with daemon.client() as client:
        answer = client.get('/', headers=[('Connection', 'close')])
        assert answer.status == 200 and answer.headers.get('connection').lower() == 'close'
        client.assert_closed()


def test_pipelined_requests_are_answered_in_order(cached):
    def handler(request, conn):
        if request.target == '/0':
            conn.origin.pass_gate()
        conn.reply(body=request.target)

    daemon, o = cached(handler)
    with daemon.client() as client:
        client.send(b''.join(b'GET /%d HTTP/1.1\r\nHost: site.test\r\n\r\n' % i for i in range(50)))
        o.wait_requests(1)
        o.open_gate()
        assert [client.response().body for _ in range(50)] == [b'/%d' % i for i in range(50)]
    assert [r['target'] for r in daemon.records(50)] == [f'/{i}' for i in range(50)]


def test_a_request_pipelined_behind_a_content_is_answered(cached):
    daemon, o = cached(echo)
    with daemon.client() as client:
        client.send(b'POST /a HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\n\r\nhello'
                    b'POST /b HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nworld\r\n0\r\n\r\n'
                    b'GET /c HTTP/1.1\r\nHost: site.test\r\n\r\n')
        assert [client.response().body for _ in range(3)] == [b'hello', b'world', b'']
    assert o.paths() == ['/a', '/b', '/c']


def test_a_pipelined_bad_request_ends_behind_the_good_answers(cached):
    daemon, o = cached()
    with daemon.client() as client:
        client.send(b'GET /a HTTP/1.1\r\nHost: site.test\r\n\r\nGET /b HTTP/1.1\r\nHost : x\r\n\r\nGET /c HTTP/1.1\r\nHost: site.test\r\n\r\n')
        assert client.response().status == 200
        assert client.response().status == 400
        client.assert_closed()
    assert o.paths() == ['/a']
    daemon.records(2)


def test_a_head_may_come_byte_by_byte(cached):
    daemon, o = cached()
    with daemon.client() as client:
        for byte in b'GET /slow HTTP/1.1\r\nHost: site.test\r\nA: b\r\n\r\n':
            client.send(bytes([byte]))
        assert client.response().status == 200
    assert o.paths() == ['/slow']


def test_keepalive_timeout_closes_an_idle_connection(cached):
    daemon, _ = cached(more='keepalive_timeout 200ms;')
    with daemon.client() as client:
        assert client.get('/').status == 200
        client.assert_closed()
    daemon.record()


def test_keepalive_requests_bounds_a_connection(cached):
    daemon, _ = cached(more='keepalive_requests 3;')
    with daemon.client() as client:
        for i in range(3):
            answer = client.get('/')
        assert answer.headers.get('connection').lower() == 'close'
        client.assert_closed()


def test_a_client_that_leaves_early_is_logged(cached):
    def handler(request, conn):
        conn.origin.pass_gate()
        conn.reply()

    daemon, o = cached(handler, cache=False)
    client = daemon.client()
    client.request('/')
    o.wait_requests(1)
    client.reset()
    record = daemon.record()
    o.open_gate()
    assert (record['end'], record['status']) == ('client_left', '0')


# ---- HTTP/1.0 ----

def test_http_1_0_is_answered_and_closed(cached):
    daemon, o = cached()
    got = daemon.raw(b'GET /old HTTP/1.0\r\n\r\n')
    assert got.startswith(b'HTTP/1.1 200 OK\r\n') and got.endswith(b'hello\n')
    assert o.requests[0].version == 'HTTP/1.1'
    assert o.requests[0].headers.has('host')
    assert daemon.record()['proto'] == 'HTTP/1.0'


def test_http_1_0_with_keep_alive_is_kept(cached):
    daemon, _ = cached()
    with daemon.client() as client:
        for _ in range(2):
            answer = client.get('/', version='HTTP/1.0', headers=[('Connection', 'keep-alive')])
            assert answer.headers.get('connection').lower() == 'keep-alive'


def test_http_1_0_gets_no_chunks(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')

    daemon, _ = cached(handler)
    head, body = daemon.raw(b'GET / HTTP/1.0\r\nHost: site.test\r\n\r\n').split(b'\r\n\r\n', 1)
    assert b'chunked' not in head.lower() and body == b'hello'


def test_a_cut_is_visible_to_http_1_0_as_a_reset(cached):
    """Without a length only the way the connection ends can tell (design section 12, point 5)."""
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
        conn.origin.pass_gate()
        conn.close()

    daemon, o = cached(handler)
    with daemon.client() as client:
        client.request('/', version='HTTP/1.0')
        client.take_until(b'hello')
        o.open_gate()
        with pytest.raises(ConnectionResetError):
            while client.sock.recv(4096):
                pass
            pytest.fail('the connection ended as if the answer were whole')


def test_an_http_1_0_origin_may_be_asked_for(cached):
    daemon, o = cached(settings='proxy_http_version 1.0;')
    assert daemon.get('/').body == b'hello\n'
    assert o.requests[0].version == 'HTTP/1.0'


def test_an_http_1_0_origin_gets_a_length_and_no_chunks(cached):
    daemon, o = cached(settings='proxy_http_version 1.0; client_body_hold 64k;')
    with daemon.client() as client:
        for chunks in (b'', b'5\r\nhello\r\n3\r\nyou\r\n'):
            client.request('/', method='POST', headers=[('Transfer-Encoding', 'chunked')])
            client.send(chunks + b'0\r\n\r\n')
            assert client.response().status == 200
    assert [(r.headers.get('content-length'), r.headers.get('transfer-encoding'), r.body) for r in o.requests] == \
        [('0', None, b''), ('8', None, b'helloyou')]


def test_a_long_chunked_upload_to_an_http_1_0_origin_is_411(cached):
    daemon, o = cached(settings='proxy_http_version 1.0; client_body_hold 4k;')
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Transfer-Encoding', 'chunked')])
        client.send(b'%x\r\n' % 100000 + b'x' * 100000 + b'\r\n0\r\n\r\n')
        assert client.response().status == 411
        client.assert_closed()
    assert daemon.record()['refusal'] == 'length_required'
    assert o.requests == []


def test_chunks_reach_http_1_1(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\n\r\n')

    daemon, _ = cached(handler)
    with daemon.client() as client:
        answer = client.get('/')
        assert answer.body == b'hello world' and b'ext=1' not in client.seen
        assert client.get('/').body == b'hello world'


# ---- HEAD ----

def test_head_has_the_head_of_get_and_no_body(cached):
    def handler(request, conn):
        conn.reply(headers=[('ETag', '"1"'), ('Cache-Control', 'no-store')], body=b'' if request.method == 'HEAD' else b'hello')

    daemon, o = cached(handler)
    with daemon.client() as client:
        assert client.get('/', method='HEAD').headers.get('etag') == '"1"'
        assert client.get('/').body == b'hello'
    assert [r.method for r in o.requests] == ['HEAD', 'GET']
    assert [r['body_out'] for r in daemon.records(2)] == ['0', '5']


def test_head_is_answered_from_what_get_stored(cached):
    daemon, o = cached(headers=[('Cache-Control', 'max-age=60')])
    daemon.get('/')
    daemon.records(1)
    answer = daemon.get('/', method='HEAD')
    assert (answer.headers.get('content-length'), answer.body) == ('6', b'')
    assert daemon.records(2)[1]['cache'] == 'hit'
    assert len(o.requests) == 1


@pytest.mark.parametrize('status', [204, 304])
def test_bodiless_statuses_keep_the_connection(cached, status):
    daemon, _ = cached(lambda request, conn: conn.reply(status, headers=[('ETag', '"1"')]), cache=False)
    with daemon.client() as client:
        for _ in range(2):
            answer = client.get('/', headers=[('If-None-Match', '"1"')])
            assert answer.status == status and not answer.headers.has('transfer-encoding')


# ---- contents ----

def test_a_content_with_a_length_is_passed_on(cached):
    daemon, o = cached(echo)
    answer = daemon.get('/', method='POST', body=b'x' * 300000)
    assert answer.body == b'x' * 300000
    assert o.requests[0].headers.get('content-length') == '300000'
    record = daemon.record()
    assert (record['origin_out'], record['body_out'], record['cache'], record['nostore']) == ('300000', '300000', 'pass', 'method')


def test_a_chunked_content_is_passed_on(cached):
    daemon, o = cached(echo)
    with daemon.client() as client:
        client.request('/', method='PUT', headers=[('Transfer-Encoding', 'chunked'), ('Trailer', 'X-Sum')])
        for i in range(100):
            client.send(b'%x;n=%d\r\n' % (1000, i) + b'z' * 1000 + b'\r\n')
        client.send(b'0\r\nX-Sum: 1\r\n\r\n')
        answer = client.response()
        assert answer.body == b'z' * 100000
        assert client.get('/next').status == 200
    assert not (o.requests[0].headers.has('content-length') and o.requests[0].headers.has('transfer-encoding'))
    assert b'X-Sum: 1' not in o.bytes_seen()
    assert daemon.records(2)[0]['origin_out'] == '100000'


def test_a_large_upload_is_streamed(cached):
    """The origin gets the first megabyte while the rest has not been sent."""
    def handler(request, conn):
        conn.take(1 << 20)
        conn.origin.open_gate('first')
        conn.take(7 << 20)
        conn.reply()

    daemon, o = cached(handler, read_body=False)
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Content-Length', str(8 << 20))])
        client.send(b'x' * (2 << 20))
        o.pass_gate('first')
        client.send(b'x' * (6 << 20))
        assert client.response().status == 200
    assert daemon.record()['origin_out'] == str(8 << 20)


def test_a_slow_upload_does_not_hold_an_origin_connection(cached):
    daemon, o = cached(echo)
    clients = []
    for _ in range(100):
        client = daemon.client()
        client.request('/slow', method='POST', headers=[('Content-Length', '1000')])
        client.send(b'x' * 10)
        clients.append(client)
    assert daemon.get('/quick').status == 200      # the daemon has seen all of them: they came before
    assert len(o.connections) == 1
    for client in clients:
        client.send(b'x' * 990)
    for client in clients:
        assert client.response().body == b'x' * 1000
    assert len(daemon.records(101)) == 101


def test_an_upload_that_stops_is_ended(cached):
    daemon, o = cached(echo, settings='client_body_timeout 300ms;')
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Content-Length', '1000')])
        client.send(b'x' * 10)
        answer = client.response()
        assert answer.status == 408
        client.assert_closed()
    assert daemon.record()['end'] == 'client_body_timeout'
    assert o.requests == []


def test_a_cut_upload_stays_cut_at_the_origin(cached):
    cut = []

    def handler(request, conn):
        try:
            cut.append(conn.read_body(request))
        except Exception as end:     # Closed: it was cut
            cut.append(end)
        conn.origin.open_gate('seen')
        conn.close()

    daemon, o = cached(handler, read_body=False)
    client = daemon.client()
    client.request('/', method='POST', headers=[('Transfer-Encoding', 'chunked')])
    client.send(b'%x\r\n' % 200000 + b'x' * 200000 + b'\r\n')
    o.wait_requests(1)
    client.reset()
    o.pass_gate('seen')
    assert not isinstance(cut[0], bytes), 'the origin took a cut upload for a whole one'
    assert daemon.record()['end'] == 'client_left'


def test_a_malformed_chunk_in_mid_upload_stays_cut_at_the_origin(cached):
    cut = []

    def handler(request, conn):
        try:
            cut.append(conn.read_body(request))
        except Exception as end:
            cut.append(end)
        conn.origin.open_gate('seen')
        conn.close()

    daemon, o = cached(handler, read_body=False)
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Transfer-Encoding', 'chunked')])
        client.send(b'%x\r\n' % 200000 + b'x' * 200000 + b'\r\n')
        o.wait_requests(1)
        client.send(b'zz\r\n')
        client.send(b'x' * 10)
        client.take_all()
    o.pass_gate('seen')
    assert not isinstance(cut[0], bytes), 'the origin took a malformed upload for a whole one'
    assert daemon.record()['end'] in ('refused', 'client_left')


def test_an_answer_may_come_before_the_upload_is_whole(cached):
    def handler(request, conn):
        conn.take(65536)
        conn.send(b'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
        conn.origin.pass_gate()
        conn.close()

    daemon, o = cached(handler, read_body=False)
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Content-Length', str(10 << 20))])
        client.send(b'x' * 100000)
        answer = client.response()
        assert (answer.status, answer.body) == (403, b'no')
        o.open_gate()
    assert daemon.record()['status'] == '403'


# ---- Expect ----

def test_expect_is_answered_with_100(cached):
    daemon, o = cached(echo)
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Content-Length', '5'), ('Expect', '100-continue')])
        assert client.head().status == 100
        client.send(b'hello')
        answer = client.response()
        assert (answer.status, answer.body, answer.interim) == (200, b'hello', [])
        assert client.get('/next').status == 200
    assert len(o.requests) == 2


def test_expect_without_waiting_needs_no_100(cached):
    daemon, _ = cached(echo)
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Expect', '100-continue')], body=b'hello')
        assert client.response().body == b'hello'
        assert client.get('/next').status == 200


def test_expect_of_http_1_0_is_ignored(cached):
    daemon, _ = cached(echo)
    got = daemon.raw(b'POST / HTTP/1.0\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello')
    assert got.startswith(b'HTTP/1.1 200 ') and got.endswith(b'hello')


def test_a_refused_expectation_never_makes_its_content_a_request(cached):
    """The final answer came instead of 100: what follows is either content or nothing, never a request."""
    daemon, o = cached(settings='client_max_body_size 10;')
    with daemon.client() as client:
        client.request('/', method='POST', headers=[('Content-Length', '44'), ('Expect', '100-continue')])
        assert client.response().status == 413
        try:
            client.send(b'GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n')
        except OSError:
            pass
        client.take_all()
    daemon.record()
    assert b'smuggled' not in o.bytes_seen()


# ---- many at once ----

def test_two_workers_answer_many_clients(cached):
    daemon, _ = cached(echo, workers=2)
    bad = []

    def run(n):
        try:
            with Client(daemon.address) as client:
                for i in range(50):
                    body = b'%d-%d' % (n, i)
                    if client.get(f'/{n}/{i}', method='POST', body=body).body != body:
                        bad.append((n, i))
        except Exception as failure:
            bad.append(failure)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert bad == []
    records = daemon.records(1000)
    assert len({r['rid'] for r in records}) == 1000


def test_a_graceful_stop_finishes_the_running_request(cached):
    def handler(request, conn):
        conn.origin.pass_gate()
        conn.reply(body=b'finished')

    daemon, o = cached(handler)
    client = daemon.client()
    idle = daemon.client()
    client.request('/')
    o.wait_requests(1)
    daemon.send_signal(3)            # SIGQUIT
    until('the idle connection closed', idle.at_end)
    assert daemon.process.poll() is None
    o.open_gate()
    answer = client.response()
    assert (answer.body, answer.headers.get('connection').lower()) == (b'finished', 'close')
    client.close()
    daemon.wait_exit()
    assert daemon.record()['end'] == 'complete'
    assert daemon.all_records()[-1]['rec'] == 'stop'


def test_a_quick_stop_logs_what_it_cuts(cached):
    def handler(request, conn):
        conn.origin.pass_gate()
        conn.reply()

    daemon, o = cached(handler, cache=False)
    client = daemon.client()
    client.request('/')
    o.wait_requests(1)
    begun = time.monotonic()
    daemon.stop()
    assert time.monotonic() - begun < 5
    o.open_gate()
    assert daemon.record()['end'] == 'shutdown'


EXPECTING = b'POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n'


@pytest.mark.parametrize('cut', [1, 30, len(EXPECTING) - 1])
def test_expect_is_answered_however_its_head_comes(cached, cut):
    daemon, _ = cached()
    client = daemon.client()
    client.send(EXPECTING[:cut])
    daemon.get('/behind')            # on the same worker: it has seen the first part by now
    client.send(EXPECTING[cut:])
    assert client.head().status == 100
    client.send(b'hello')
    assert client.response('POST').status == 200


def test_expect_is_answered_behind_another_request(cached):
    daemon, _ = cached()
    client = daemon.client()
    client.send(b'GET / HTTP/1.1\r\nHost: site.test\r\n\r\n' + EXPECTING)
    assert client.response().status == 200
    assert client.head().status == 100
    client.send(b'hello')
    assert client.response('POST').status == 200
