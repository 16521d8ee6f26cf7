"""HTTP/2: requests, content, windows, priorities; clients of other makes."""
import struct
import subprocess

import h2.config
import h2.connection
import h2.events
import pytest

from h2_help import CANCEL, DATA, END_HEADERS, END_STREAM, H2, HEADERS, PRIORITY_UPDATE, RST, WINDOW, block, frame, settings
from harness import Client


def last(daemon, count=1):
    return daemon.records(count)[-1]


# ---- requests ----

def test_get_and_its_record(run):
    daemon, origin = run()
    with H2(daemon.address) as client:
        a = client.get('/a?b', headers=[('user-agent', 'story')])
        assert a.status == 200 and a.body == b'hello\n' and a.headers.get('content-length') == '6'
        assert not a.headers.has('connection') and not a.headers.has('transfer-encoding')
    r = last(daemon)
    assert (r['proto'], r['status'], r['end'], r['method'], r['target'], r['agent']) == ('HTTP/2.0', '200', 'complete', 'GET', '/a?b', 'story')
    assert r['body_out'] == '6' and int(r['head_out']) > 0 and int(r['req_bytes']) > 0
    sent = origin.requests[0]
    assert sent.headers.get('via').startswith('2.0 ') and sent.headers.get('host') == 'site.test'
    assert sent.headers.get('x-forwarded-proto') == 'http'


@pytest.mark.parametrize('announced', [True, False])
def test_content_goes_to_the_origin_whole(run, announced):
    def handler(request, conn):
        conn.reply(body=str(len(request.body)).encode())
    daemon, origin = run(handler)
    body = bytes(range(256)) * 200
    with H2(daemon.address) as client:
        more = [('content-length', str(len(body)))] if announced else []
        assert client.get('/p', method='POST', headers=more, body=body).body == str(len(body)).encode()
    assert origin.requests[0].body == body
    assert int(last(daemon)['req_bytes']) > len(body)


def test_window_is_given_back_only_for_what_the_request_took(run):
    """An origin that does not answer its head yet, and content larger than all that may be held."""
    daemon, origin = run(settings='client_body_hold 1k;')
    with H2(daemon.address) as client:
        s = client.request('/p', method='POST', end=False)
        client.send(frame(DATA, 0, s, b'x' * 1000))
        client.ping()
        # Not taken yet, or taken: never more than was sent.
        given = sum(struct.unpack('>I', p)[0] for k, _, st, p in client.frames if k == WINDOW and st == s)
        assert given <= 1000
        client.send(frame(DATA, END_STREAM, s, b'y'))
        assert client.answer(s).status == 200


def test_continue(run):
    daemon, _ = run()
    with H2(daemon.address) as client:
        s = client.request('/p', method='POST', headers=[('expect', '100-continue'), ('content-length', '2')], end=False)
        while not (s in client.answers and client.answers[s].interim):
            client.next()
        client.send(frame(DATA, END_STREAM, s, b'ab'))
        a = client.answer(s)
        assert [i.status for i in a.interim] == [100] and a.status == 200


def test_cookie_crumbs_are_joined_and_trailers_dropped(run):
    daemon, origin = run()
    with H2(daemon.address) as client:
        s = client.request('/c', method='POST', headers=[('cookie', 'a=1'), ('x', 'y'), ('cookie', 'b=2')], body=b'q', end=False)
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, s, block(('x-checksum', '1'))))
        assert client.answer(s).status == 200
    sent = origin.requests[0]
    assert sent.headers.all('cookie') == ['a=1; b=2'] and not sent.headers.has('x-checksum') and sent.body == b'q'


def test_trailers_of_an_answer_are_dropped(run):
    """As over HTTP/1 (RFC 9110 section 6.5.1): the body ends by END_STREAM on DATA, and nothing follows."""
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n')
    daemon, _ = run(handler)
    with H2(daemon.address) as client:
        a = client.get('/a')
        assert (a.status, a.body, a.headers.has('x-sum'), a.headers.has('content-length')) == (200, b'abc', False, False)
    assert last(daemon)['end'] == 'complete'


@pytest.mark.parametrize('kind', ['application/grpc', 'application/grpc+proto', 'Application/gRPC; a=b'])
def test_grpc_is_refused(run, kind):
    """Its status is in trailers: without them every call would look broken."""
    daemon, origin = run()
    with H2(daemon.address) as client:
        assert client.get('/s/m', method='POST', headers=[('content-type', kind), ('te', 'trailers')], body=b'x').status == 415
    assert last(daemon)['refusal'] == 'grpc' and not origin.requests


@pytest.mark.parametrize('kind', ['application/grpc-web', 'application/grpc-web+proto', 'application/grpcish'])
def test_what_is_like_grpc_and_needs_no_trailers_passes(run, kind):
    daemon, _ = run()
    with H2(daemon.address) as client:
        assert client.get('/s/m', method='POST', headers=[('content-type', kind)], body=b'x').status == 200


def test_interim_answers_of_the_origin(run):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n')
        conn.reply(body=b'x')
    daemon, _ = run(handler)
    with H2(daemon.address) as client:
        a = client.get('/a')
        assert [(i.status, i.headers.get('link')) for i in a.interim] == [(103, '</a.css>; rel=preload')] and a.status == 200


def test_stream_without_an_end_is_sent_as_it_comes(run):
    """Server-sent events: each piece leaves when it has come."""
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
        for i in range(5):
            conn.origin.pass_gate(i)
            conn.send(b'7\r\ndata:%d\n\r\n' % i)
        conn.send(b'0\r\n\r\n')
    daemon, origin = run(handler)
    for i in range(5):
        origin.gate(i)
    with H2(daemon.address) as client:
        s = client.request('/a')
        client.until_head(s)
        for i in range(5):
            origin.open_gate(i)
            while not client.answers[s].body.endswith(b'data:%d\n' % i):
                client.next()
        assert client.answer(s).complete


def test_options_of_the_whole_server(run):
    daemon, origin = run()
    with H2(daemon.address) as client:
        assert client.get('*', method='OPTIONS').status == 200
    assert origin.requests[0].target == '*'


# ---- windows, order ----

def big(request, conn):
    conn.reply(headers=[('Cache-Control', 'max-age=60')], body=b'x' * 300000)


def test_body_keeps_to_the_windows_and_slow_streams_hold_up_nobody(run):
    daemon, _ = run(big)
    with H2(daemon.address, auto=False, opening=[(4, 1000)]) as client:
        slow = client.request('/slow')
        while len(client.answers.get(slow).body if slow in client.answers else b'') < 1000:
            client.next()
        other = client.request('/other')
        while len(client.answers.get(other).body if other in client.answers else b'') < 1000:
            client.next()
        client.ping()
        assert len(client.answers[slow].body) == 1000 and len(client.answers[other].body) == 1000
        client.send(frame(WINDOW, 0, 0, struct.pack('>I', 10 ** 6)) + frame(WINDOW, 0, other, struct.pack('>I', 10 ** 6)))
        assert len(client.answer(other).body) == 300000
        assert len(client.answers[slow].body) == 1000
        client.send(frame(WINDOW, 0, slow, struct.pack('>I', 10 ** 6)))
        assert len(client.answer(slow).body) == 300000
    assert all(int(r['high_water']) <= 200000 and r['end'] == 'complete' for r in daemon.records(2))


class Queue:
    """Answers that wait, all but their first bytes, for the connection's window, so that their order can be seen."""

    def __init__(self, client):
        self.client, self.streams = client, {}
        client.send(settings((4, 10 ** 6)))
        first = client.request('/takes_the_window')
        while len(client.answers[first].body if first in client.answers else b'') < 65535:
            client.next()
        client.send(frame(RST, 0, first, number(CANCEL)))

    def ask(self, name, priority=None):
        self.streams[name] = self.client.request(f'/{name}', headers=[('priority', priority)] if priority else [])
        self.client.until_head(self.streams[name])

    def order(self, pieces):
        """Names, in the order of so many DATA frames."""
        self.client.ping()
        del self.client.order[:]
        names = {s: n for n, s in self.streams.items()}
        for i in range(pieces):                          # a frame of 16 KB for each
            self.client.send(frame(WINDOW, 0, 0, number(16384)))
            while len(self.client.order) <= i:
                self.client.next()
        return ''.join(names[s] for s in self.client.order)


def number(value):
    return struct.pack('>I', value)


def update(stream, value):
    return frame(PRIORITY_UPDATE, 0, 0, number(stream) + value)


@pytest.fixture
def queue(run):
    daemon, _ = run(big)
    with H2(daemon.address, auto=False) as client:
        yield Queue(client)


def test_urgency_decides_the_order(queue):
    queue.ask('z', 'u=7')
    queue.ask('d')
    queue.ask('a', 'u=0')
    queue.ask('m', 'u=4')
    assert queue.order(4) == 'aaaa'
    queue.client.send(frame(RST, 0, queue.streams['a'], number(CANCEL)))
    assert queue.order(2) == 'dd'
    queue.client.send(frame(RST, 0, queue.streams['d'], number(CANCEL)))
    assert queue.order(2) == 'mm'


def test_of_one_urgency_the_first_comes_first(queue):
    queue.ask('a', 'u=3')
    queue.ask('b')
    got = queue.order(22)                                # 300,000 bytes are 19 pieces
    assert got.startswith('a' * 18) and got == ''.join(sorted(got)) and got.endswith('bb')


def test_incremental_answers_take_turns(queue):
    queue.ask('a', 'i')
    queue.ask('b', 'i')
    queue.ask('c', 'i')
    got = queue.order(12)
    assert all(got.count(n) == 4 for n in 'abc') and all(x != y for x, y in zip(got, got[1:])), got


def test_priority_update_changes_the_order(queue):
    queue.ask('a')
    queue.ask('b')
    queue.client.send(update(queue.streams['b'], b'u=1'))
    assert queue.order(3) == 'bbb'
    queue.client.send(update(queue.streams['b'], b'u=6'))
    assert queue.order(3) == 'aaa'


def test_priority_update_before_its_stream_has_the_word(queue):
    queue.ask('a')
    queue.client.send(update(queue.client.stream + 2, b'u=1'))
    queue.ask('b', 'u=7')
    assert queue.order(3) == 'bbb'


def test_malformed_priority_is_none(queue):
    queue.ask('a')
    queue.ask('b', 'u=1, ,')
    queue.ask('c', 'u=-1')
    queue.ask('d', 'u="0"')
    assert queue.order(3) == 'aaa'


def test_origin_may_say_what_its_answer_is_worth(run):
    """RFC 9218 section 8: what it names replaces what the client said."""
    def handler(request, conn):
        conn.reply(headers=[('Priority', 'u=1')] if request.target == '/b' else [], body=b'x' * 300000)
    daemon, _ = run(handler)
    with H2(daemon.address, auto=False) as client:
        queue = Queue(client)
        queue.ask('a')
        queue.ask('b', 'u=5')
        assert queue.order(3) == 'bbb'
        assert client.answers[queue.streams['b']].headers.get('priority') == 'u=1'


# ---- clients of another make ----

def test_pythons_h2(run):
    daemon, _ = run(big)
    with Client(daemon.address) as raw:
        conn = h2.connection.H2Connection(config=h2.config.H2Configuration(header_encoding='utf-8'))
        conn.initiate_connection()
        for stream in (1, 3, 5):
            conn.send_headers(stream, [(':method', 'GET'), (':scheme', 'http'), (':path', f'/{stream}'), (':authority', 'site.test')], end_stream=True)
        raw.send(conn.data_to_send())
        got = {}
        while sum(1 for v in got.values() if v is True) < 3:
            assert raw.fill()
            data, raw.buf = raw.buf, b''
            for event in conn.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    got[-event.stream_id] = got.get(-event.stream_id, 0) + len(event.data)
                    conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    got[event.stream_id] = True
            raw.send(conn.data_to_send())
        assert [got[-s] for s in (1, 3, 5)] == [300000] * 3


def test_h2load_every_request_has_its_line(run):
    daemon, _ = run()
    out = subprocess.run(['h2load', '-n', '500', '-c', '5', '-m', '10', f'http://{daemon.address[0]}:{daemon.address[1]}/a'],
                         capture_output=True, text=True, timeout=60).stdout
    assert '500 succeeded' in out
    assert len(daemon.records(500)) == 500 and len(daemon.requests()) == 500
