"""What an origin may send and what becomes of it: strictness towards origins, 1xx, visible cuts, reuse of connections
(design section 12, points 3 to 7; RFC 9112 sections 6 to 9)."""
import pytest

from harness import Closed, Headers, until


def raw_answer(data, close=True):
    """A handler that answers these bytes and closes."""
    def handler(request, conn):
        conn.send(data)
        if close:
            conn.close()
    return handler


OK = b'HTTP/1.1 200 OK\r\n'

INVALID = [
    ('both_framings', OK + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ('lengths_conflict', OK + b'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello'),
    ('length_list_conflict', OK + b'Content-Length: 5, 6\r\n\r\nhello'),
    ('length_invalid', OK + b'Content-Length: five\r\n\r\nhello'),
    ('length_minus', OK + b'Content-Length: -1\r\n\r\n'),
    ('length_empty', OK + b'Content-Length:\r\n\r\nhello'),
    ('length_huge', OK + b'Content-Length: 99999999999999999999999\r\n\r\n'),
    ('coding_unknown', OK + b'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'),
    ('coding_in_1_0', b'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ('http_0_9_lines', b'hello\r\nworld\r\n\r\n'),
    ('version_2', b'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'),
    ('status_two_digits', b'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'),
    ('status_four_digits', b'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'),
    ('status_600', b'HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n'),
    ('status_letters', b'HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n'),
    ('bare_lf', b'HTTP/1.1 200 OK\nContent-Length: 0\n\n'),
    ('bare_cr', OK + b'A: b\rc\r\nContent-Length: 0\r\n\r\n'),
    ('nul', OK + b'A: b\0c\r\nContent-Length: 0\r\n\r\n'),
    ('obs_fold', OK + b'A: b\r\n c\r\nContent-Length: 0\r\n\r\n'),
    ('blank_before_colon', OK + b'A : b\r\nContent-Length: 0\r\n\r\n'),
    ('no_colon', OK + b'nonsense\r\nContent-Length: 0\r\n\r\n'),
    ('empty_name', OK + b': b\r\nContent-Length: 0\r\n\r\n'),
    ('unasked_101', b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
    ('nothing_but_1xx', b'HTTP/1.1 100 Continue\r\n\r\n' * 1000),
    ('head_too_large', OK + b'A: ' + b'x' * 200000 + b'\r\nContent-Length: 0\r\n\r\n'),
    ('too_many_fields', OK + b'A: b\r\n' * 5000 + b'Content-Length: 0\r\n\r\n'),
]


@pytest.mark.parametrize('data', [r[1] for r in INVALID], ids=[r[0] for r in INVALID])
def test_an_invalid_answer_is_502_and_never_stored(cached, data):
    daemon, o = cached(raw_answer(data))
    answer = daemon.get('/')
    assert answer.status == 502, answer
    record = daemon.record()
    assert (record['cache'], record['end'], record['stored']) == ('error', 'origin_invalid', '0')
    assert len(o.requests) == 1, 'an answer that was understood to be wrong is no reason to ask again'


def test_there_is_no_http_0_9(cached):
    daemon, _ = cached(raw_answer(b'<html>hello</html>'))
    answer = daemon.get('/')
    assert answer.status == 502 and b'<html>' not in answer.body
    assert daemon.record()['stored'] == '0'


def test_equal_lengths_are_one(cached):
    daemon, _ = cached(raw_answer(OK + b'Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello'))
    answer = daemon.get('/')
    assert (answer.status, answer.body, answer.headers.all('content-length')) == (200, b'hello', ['5'])


def test_no_answer_is_502(cached):
    daemon, o = cached(lambda request, conn: conn.close())
    assert daemon.get('/', method='POST', body=b'x').status == 502
    assert daemon.record()['end'] == 'origin_left'
    assert len(o.requests) == 1


def test_nobody_listening_is_502(proxy, origin):
    o = origin()
    address = o.address
    o.close()
    from harness import site
    daemon = proxy(site(address))
    assert daemon.get('/').status == 502
    record = daemon.record()
    assert (record['end'], record['cache']) == ('connect_refused', 'error')


def test_a_silent_origin_is_504(cached):
    def handler(request, conn):
        conn.origin.pass_gate()

    daemon, o = cached(handler, settings='proxy_read_timeout 300ms;')
    assert daemon.get('/').status == 504
    record = daemon.record()
    assert (record['end'], record['status']) == ('origin_read_timeout', '504')
    o.open_gate()


def test_our_own_status_line_is_written(cached):
    """Reason phrases are ours: what an origin puts there does not reach the client."""
    daemon, _ = cached(raw_answer(b'HTTP/1.1 200 <script>\r\nContent-Length: 0\r\n\r\n'))
    assert daemon.raw(b'GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n').startswith(b'HTTP/1.1 200 OK\r\n')


# ---- 1xx ----

EARLY = b'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n'


def test_1xx_is_forwarded_to_http_1_1(cached):
    daemon, _ = cached(raw_answer(EARLY + EARLY + OK + b'Content-Length: 5\r\n\r\nhello'))
    answer = daemon.get('/')
    assert [i.status for i in answer.interim] == [103, 103]
    assert answer.interim[0].headers.get('link') == '</style.css>; rel=preload'
    assert answer.body == b'hello'
    assert daemon.record()['status'] == '200'


def test_1xx_comes_before_the_final_answer_is_there(cached):
    def handler(request, conn):
        conn.send(EARLY)
        conn.origin.pass_gate()
        conn.reply(body=b'late')

    daemon, o = cached(handler)
    with daemon.client() as client:
        client.request('/')
        assert client.head().status == 103
        o.open_gate()
        assert client.response().body == b'late'


def test_1xx_is_never_sent_to_http_1_0(cached):
    daemon, _ = cached(raw_answer(EARLY + OK + b'Content-Length: 5\r\n\r\nhello'))
    got = daemon.raw(b'GET / HTTP/1.0\r\nHost: site.test\r\n\r\n')
    assert got.startswith(b'HTTP/1.1 200 ') and b'103' not in got.split(b'\r\n\r\n')[0]
    assert got.endswith(b'hello')


# ---- cuts ----

def test_a_cut_length_stays_cut_and_is_not_stored(cached):
    daemon, o = cached(raw_answer(OK + b'Cache-Control: max-age=600\r\nContent-Length: 100\r\n\r\nhalf of it'))
    with daemon.client() as client:
        client.request('/')
        answer = client.response(cut=True)
        assert not answer.complete and b'half of it'.startswith(answer.body)
    with daemon.client() as client:
        client.request('/')
        assert not client.response(cut=True).complete
    first, second = daemon.records(2)
    assert (first['end'], first['stored'], first['nostore']) == ('origin_left', '0', 'short_body')
    assert second['cache'] == 'miss'
    assert len(o.requests) == 2


def test_a_cut_chunked_body_has_no_last_chunk_and_is_not_stored(cached):
    daemon, o = cached(raw_answer(OK + b'Cache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'))
    for _ in range(2):
        with daemon.client() as client:
            client.request('/')
            answer = client.response(cut=True)
            assert not answer.complete
            assert b'\r\n0\r\n' not in client.seen and not client.seen.endswith(b'0\r\n\r\n')
    assert [r['end'] for r in daemon.records(2)] == ['origin_left', 'origin_left']
    assert len(o.requests) == 2


def test_a_broken_chunk_cuts_the_answer(cached):
    daemon, _ = cached(raw_answer(OK + b'Cache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n'))
    with daemon.client() as client:
        client.request('/')
        assert not client.response(cut=True).complete
    record = daemon.record()
    assert (record['end'], record['stored']) == ('origin_invalid', '0')


def test_a_cut_passed_answer_stays_cut(cached):
    daemon, _ = cached(raw_answer(OK + b'Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'))
    with daemon.client() as client:
        client.request('/')
        assert not client.response(cut=True).complete
    assert daemon.record()['end'] == 'origin_left'


def test_a_reset_is_no_good_end_of_a_body_without_length(cached):
    def handler(request, conn):
        conn.send(OK + b'Cache-Control: max-age=600\r\n\r\nhello')
        conn.origin.pass_gate()
        conn.reset()

    daemon, o = cached(handler)
    with daemon.client() as client:
        client.request('/')
        client.take_until(b'hello')
        o.open_gate()
        try:
            rest = client.take_all()
        except Closed:
            rest = b''
        assert not rest.endswith(b'0\r\n\r\n')
    assert daemon.record()['stored'] == '0'


def test_a_body_that_ends_with_the_connection_is_whole(cached):
    daemon, o = cached(raw_answer(b'HTTP/1.0 200 OK\r\nCache-Control: max-age=600\r\n\r\nhello'))
    for _ in range(2):
        answer = daemon.get('/')
        assert answer.body == b'hello' and answer.complete
    first, second = daemon.records(2)
    assert (first['end'], first['cache'], second['cache']) == ('complete', 'miss', 'hit')
    assert len(o.requests) == 1


# ---- reuse of connections ----

def test_a_kept_connection_is_reused(cached):
    daemon, o = cached(headers=[('Cache-Control', 'no-store')])
    for i in range(5):
        assert daemon.get(f'/{i}').status == 200
    assert (len(o.requests), len(o.connections)) == (5, 1)
    assert [r['origin_reused'] for r in daemon.records(5)] == ['0', '1', '1', '1', '1']


@pytest.mark.parametrize('data', [
    OK + b'Cache-Control: no-store\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    b'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    b'HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    OK + b'Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
], ids=['length', '204', '304', 'chunked'])
def test_bytes_beyond_an_answer_close_the_connection(cached, data):
    daemon, o = cached(raw_answer(data, close=False), cache=b'304' not in data)
    for _ in range(3):
        assert b'evil' not in daemon.get('/', headers=[('If-None-Match', '"x"')] if b'304' in data else []).body
    assert (len(o.requests), len(o.connections)) == (3, 3)


def test_bytes_on_an_idle_connection_close_it(cached):
    def handler(request, conn):
        conn.reply(headers=[('Cache-Control', 'no-store')], body=b'hello')
        if conn.number == 1:
            conn.origin.pass_gate()
            conn.send(OK + b'Content-Length: 4\r\n\r\nevil')
            conn.origin.open_gate('sent')
            conn.take_all()          # until the proxy closes
            conn.origin.open_gate('closed')

    daemon, o = cached(handler)
    assert daemon.get('/').body == b'hello'
    o.open_gate()
    o.pass_gate('closed')
    assert daemon.get('/').body == b'hello'
    assert len(o.connections) == 2


def test_a_head_answer_has_no_body_even_if_the_origin_sends_one(cached):
    def handler(request, conn):
        conn.send(OK + b'Cache-Control: no-store\r\nContent-Length: 5\r\n\r\n' + b'hello')

    daemon, o = cached(handler)
    with daemon.client() as client:
        answer = client.get('/', method='HEAD')
        assert (answer.status, answer.headers.get('content-length')) == (200, '5')
        assert client.get('/').body == b'hello'
    assert len(o.connections) == 2


def closes_reused(request, conn):
    """Every connection answers once; the second request on it finds it closed without a word."""
    if len([r for r in conn.origin.requests if r.conn is conn]) > 1:
        conn.reset()
        return
    conn.reply(headers=[('Cache-Control', 'no-store')], body=b'hello')


def test_a_reused_connection_that_closes_is_retried_for_a_safe_request(cached):
    daemon, o = cached(closes_reused)
    assert daemon.get('/a').status == 200
    assert daemon.get('/b').body == b'hello'
    assert daemon.records(2)[1]['status'] == '200'
    assert o.paths() == ['/a', '/b', '/b']


def test_a_reused_connection_that_closes_is_not_retried_for_a_post(cached):
    daemon, o = cached(closes_reused)
    assert daemon.get('/a').status == 200
    answer = daemon.get('/b', method='POST', body=b'once')
    assert len([p for p in o.paths() if p == '/b']) <= 1, 'a POST must not be sent twice'
    assert answer.status in (200, 502)


def test_a_closed_idle_connection_is_not_used(cached):
    def handler(request, conn):
        conn.reply(headers=[('Cache-Control', 'no-store'), ('Connection', 'close')], body=b'hello')
        conn.close()

    daemon, o = cached(handler)
    for _ in range(3):
        assert daemon.get('/', method='POST', body=b'x').status == 200
    assert len(o.connections) == 3
    assert all(r['origin_reused'] == '0' for r in daemon.records(3))


# ---- fields ----

def test_fields_that_connection_names_are_removed_from_the_answer(cached):
    daemon, _ = cached(raw_answer(
        OK + b'Connection: X-Private, close\r\nX-Private: secret\r\nX-Public: yes\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n'
        b'Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTE: trailers\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok'))
    for _ in range(2):               # from the origin, and as it was stored
        answer = daemon.get('/')
        assert answer.headers.get('x-public') == 'yes'
        for name in ('x-private', 'keep-alive', 'proxy-connection', 'upgrade', 'te'):
            assert not answer.headers.has(name), name
        assert 'x-private' not in (answer.headers.get('connection') or '').lower()
    assert [r['cache'] for r in daemon.records(2)] == ['miss', 'hit']


def test_an_origin_cannot_remove_what_we_rely_on(cached):
    """Connection: cache-control does not make a no-store answer storable."""
    daemon, o = cached(raw_answer(OK + b'Connection: cache-control, content-length\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok'))
    for _ in range(2):
        assert daemon.get('/').body == b'ok'
    assert len(o.requests) == 2


def test_fields_that_connection_names_are_removed_from_the_request(cached):
    daemon, o = cached()
    daemon.get('/', headers=[('Connection', 'X-Private, keep-alive, TE'), ('X-Private', 'secret'), ('X-Public', 'yes'), ('Keep-Alive', '5'),
                             ('TE', 'trailers'), ('Proxy-Connection', 'keep-alive'), ('Upgrade', 'foo')])
    headers = Headers(o.requests[0].headers)
    assert headers.get('x-public') == 'yes'
    for name in ('x-private', 'keep-alive', 'te', 'proxy-connection', 'upgrade'):
        assert not headers.has(name), name


def test_trailers_are_dropped(cached):
    daemon, _ = cached(raw_answer(
        OK + b'Trailer: X-Sum, Cache-Control\r\nTransfer-Encoding: chunked\r\nCache-Control: no-store\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 99\r\n\r\n'))
    with daemon.client() as client:
        answer = client.get('/')
        assert answer.body == b'ok' and b'X-Sum: 1' not in client.seen
        assert client.get('/').body == b'ok'


# ---- streams ----

def test_a_stream_is_flushed_at_each_read(cached):
    def handler(request, conn):
        conn.send(OK + b'Content-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n')
        for i in range(5):
            conn.origin.pass_gate(i)
            conn.send(b'data: %d\n\n' % i)
        conn.close()

    daemon, o = cached(handler)
    with daemon.client() as client:
        client.request('/events')
        assert client.head().status == 200
        for i in range(5):
            o.open_gate(i)
            client.take_until(b'data: %d\n\n' % i)     # each arrives before the next is sent
    record = daemon.record()
    assert record['resp_type'].startswith('text/event-stream')


def test_a_client_that_leaves_a_stream_ends_it_at_the_origin(cached):
    def handler(request, conn):
        conn.send(OK + b'Content-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\ndata: 1\n\n')
        conn.take_all()              # until the proxy closes
        conn.origin.open_gate('closed')
        conn.close()

    daemon, o = cached(handler)
    with daemon.client() as client:
        client.request('/events')
        client.take_until(b'data: 1\n\n')
    o.pass_gate('closed')
    record = daemon.record()
    assert (record['end'], record['status']) == ('client_left', '200')


def test_a_slow_reader_slows_its_origin(cached):
    """Bytes wait in the origin, not in memory, when a client does not read (design section 2)."""
    sent = [0]

    def handler(request, conn):
        conn.send(OK + b'Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n' % (64 << 20))
        conn.sock.settimeout(1)
        try:
            for _ in range(1024):
                conn.send(b'x' * 65536)
                sent[0] += 65536
        except OSError:
            conn.origin.open_gate('blocked')
        conn.close()

    daemon, o = cached(handler, settings='stream_buffer 64k;')
    before = daemon.memory()
    with daemon.client() as client:
        client.request('/large')
        client.head()
        o.pass_gate('blocked')
        assert sent[0] < 32 << 20
        assert daemon.memory() - before < 4 << 20
    assert int(daemon.record()['high_water']) <= 256 * 1024


def test_400_slow_readers_of_6_megabytes_take_tens_of_megabytes(cached):
    body = b'y' * (6 << 20)
    daemon, o = cached(headers=[('Cache-Control', 'max-age=600')], body=body, volume_size='32m')
    assert daemon.get('/large').body == body
    daemon.records(1)
    before = daemon.memory()
    clients = []
    for _ in range(400):
        client = daemon.client()
        client.request('/large')
        clients.append(client)
    for client in clients:
        assert client.head().status == 200
    grown = daemon.memory() - before
    for client in clients:
        client.close()
    assert grown < 80 << 20, f'{grown >> 20} MiB for 400 slow readers'
    until('400 readers\' records', lambda: len(daemon.requests()) >= 401)
    assert len(o.requests) == 1


@pytest.mark.parametrize('target', ['*', 'http://site.test'])
def test_options_for_the_whole_server_is_passed_on(cached, target):
    daemon, o = cached()
    assert daemon.get(target, method='OPTIONS').status == 200
    assert [(r.method, r.target) for r in o.requests] == [('OPTIONS', '*')]
