"""The cache over HTTP/2: every feature is that of HTTP/1, and so is the log."""
from h2_help import H2
from harness import Client


def test_cache_over_h2_is_that_of_http_1(run):
    daemon, origin = run()
    with H2(daemon.address) as client:
        client.get('/a')
        assert client.get('/a').body == b'hello\n'
        with Client(daemon.address) as old:
            assert old.get('/a').body == b'hello\n'
        part = client.get('/a', headers=[('range', 'bytes=1-2')])
        assert part.status == 206 and part.body == b'el' and part.headers.get('content-range') == 'bytes 1-2/6'
        empty = client.get('/a', method='HEAD')
        assert empty.status == 200 and empty.body == b'' and empty.headers.get('content-length') == '6'
    assert len(origin.requests) == 1
    assert [r['cache'] for r in daemon.records(5)] == ['miss', 'hit', 'hit', 'hit', 'hit']


def test_conditional(run):
    def handler(request, conn):
        conn.reply(headers=[('ETag', '"x"'), ('Cache-Control', 'max-age=60')], body=b'hello\n')
    daemon, _ = run(handler)
    with H2(daemon.address) as client:
        client.get('/a')
        a = client.get('/a', headers=[('if-none-match', '"x"')])
        assert a.status == 304 and a.body == b'' and a.complete


def test_purge_and_invalidation(run):
    daemon, origin = run(settings='purge_token 0123456789abcdef;')
    with H2(daemon.address) as client:
        client.get('/a')
        assert client.get('/a', method='PURGE', headers=[('purge-token', '0123456789abcdef')]).status == 200
        client.get('/a')
    assert len([p for p in origin.requests if p.target == '/a']) == 2


def test_many_streams_collapse_to_one_fetch(run):
    gate = {}

    def handler(request, conn):
        gate['origin'].pass_gate()
        conn.reply(headers=[('Cache-Control', 'max-age=60')], body=b'one\n')
    daemon, origin = run(handler)
    gate['origin'] = origin
    origin.gate()
    with H2(daemon.address) as client:
        streams = [client.request('/same') for _ in range(20)]
        client.ping()
        origin.wait_requests(1)
        origin.open_gate()
        assert all(client.answer(s).body == b'one\n' for s in streams)
    assert len(origin.requests) == 1 and len(daemon.records(20)) == 20
