"""Every request comes to an end, its line says which, and nothing it does ends the daemon."""
import signal

import pytest


def begin_fill(daemon, origin):
    """A client whose answer is being stored when it has read the head: (client, the gate lets the rest come)."""
    client = daemon.client()
    client.request('/fill')
    client.head()
    return client


def half_an_answer(request, conn):
    if request.target == '/fill':
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100000\r\n\r\n' + b'x' * 5000)
        conn.origin.pass_gate()
        conn.close()
    else:
        conn.reply()


@pytest.mark.parametrize('number, left, end', [
    (signal.SIGTERM, False, 'shutdown'),
    (signal.SIGTERM, True, 'client_left'),
    (signal.SIGQUIT, True, 'client_left'),
])
def test_a_stop_does_not_wait_for_what_is_being_stored(cached, number, left, end):
    daemon, o = cached(half_an_answer)
    client = begin_fill(daemon, o)
    if left:
        client.reset()
        daemon.get('/behind')        # on the same worker: it has seen the reset by now
        daemon.records(1)
    daemon.stop(number)
    o.open_gate()
    assert [r['end'] for r in daemon.requests() if r['target'] == '/fill'] == [end]


def large_fields(name, count):
    return ' '.join(f'{name} X-Echo-{i} "is $http_cookie";' for i in range(count))


@pytest.mark.parametrize('count', [8, 60])
def test_an_answer_whose_head_does_not_fit_is_500(cached, count):
    """Whatever an add_header makes of a client's fields: more than a head may have, or more than a request may hold."""
    daemon, o = cached(headers=[('Cache-Control', 'max-age=60')], settings=large_fields('add_header', count))
    for _ in range(2):
        answer = daemon.get('/', headers=[('Cookie', 'a=' + 'x' * 30000)])
        assert answer.status == 500
    assert daemon.get('/').status == 200
    records = daemon.records(3)
    assert [(r['status'], r['end']) for r in records] == [('500', 'internal')] * 2 + [('200', 'complete')]


def test_a_request_whose_head_does_not_fit_is_431(cached):
    daemon, o = cached(settings=large_fields('proxy_set_header', 60))
    assert daemon.get('/', headers=[('Cookie', 'a=' + 'x' * 30000)]).status == 431
    assert daemon.get('/').status == 200
    assert [r['refusal'] for r in daemon.records(2)] == ['head_too_large', '']


def test_large_1xx_cost_the_final_answer_nothing(cached):
    def handler(request, conn):
        for _ in range(16):
            conn.send(b'HTTP/1.1 103 Early\r\n' + b''.join(b'Link-%d: %s\r\n' % (k, b'x' * 7000) for k in range(8)) + b'\r\n')
        conn.reply(body=b'final')

    daemon, _ = cached(handler, settings='proxy_header_max 64k;')
    answer = daemon.get('/')
    assert (len(answer.interim), answer.status, answer.body) == (16, 200, b'final')


def test_a_1xx_has_no_length(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 103 Early\r\nContent-Length: 5\r\nLink: </a>\r\n\r\n')
        conn.reply()

    daemon, _ = cached(handler)
    answer = daemon.get('/')
    assert answer.interim[0].headers.has('link') and not answer.interim[0].headers.has('content-length')


def chunk(data):
    return b'%x\r\n%s\r\n' % (len(data), data)


def test_a_fetch_that_nobody_wants_any_more_ends(cached):
    """The client has its 304, and what was to be stored turns out too large for the store."""
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk(b'x' * 32768))
        conn.origin.pass_gate()
        conn.send(chunk(b'x' * 32768) * 4)
        assert conn.take_all() == b'', 'the connection to the origin is closed'
        conn.close()

    daemon, o = cached(handler, settings='object_max 64k;')
    with daemon.client() as client:
        client.request('/', headers=[('If-None-Match', '"a"')])
        assert client.response().status == 304
        o.open_gate()
        record = daemon.record()
    assert (record['status'], record['end'], record['stored'], record['nostore']) == ('304', 'complete', '0', 'too_large')


def echo(request, conn):
    """Answers before the content is there, and goes on until it has ended."""
    conn.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk(b'begun'))
    conn.read_body(request)
    conn.send(b'0\r\n\r\n')


@pytest.mark.parametrize('rest, settings, end, refusal', [
    (b'zz\r\n', '', 'refused', 'chunk_size'),
    (b'', 'client_body_timeout 300ms;', 'client_body_timeout', ''),
    (chunk(b'x' * 16384) * 2, 'client_max_body_size 16k;', 'refused', 'body_too_large'),
])
def test_an_answer_that_has_begun_ends_with_the_content_it_depends_on(cached, rest, settings, end, refusal):
    daemon, o = cached(echo, read_body=False, settings='client_body_hold 0; ' + settings)
    with daemon.client() as client:
        client.send(b'POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk(b'hello'))
        client.head()
        client.send(rest)
        record = daemon.record()
    assert (record['status'], record['end']) == ('200', end)
    assert record['refusal'] == refusal or end == 'client_body_timeout'


def test_an_error_that_came_early_does_not_depend_on_the_content(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\nfor')
        conn.origin.pass_gate()
        conn.send(b'bid')

    daemon, o = cached(handler, read_body=False, settings='client_body_hold 0;')
    with daemon.client() as client:
        client.send(b'POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk(b'hello'))
        answer = client.head()
        client.send(b'zz\r\n')
        o.open_gate()
        client.body_of(answer, 'POST')
    assert (answer.status, answer.body) == (403, b'forbid')
    assert daemon.record()['end'] == 'complete'
