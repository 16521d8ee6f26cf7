"""HTTP/2: requests, content, windows, priorities; clients of other makes."""
import struct
import subprocess

import h2.config
import h2.connection
import h2.events
import pytest

from h2_help import DATA, END_HEADERS, END_STREAM, H2, HEADERS, PRIORITY_UPDATE, WINDOW, block, frame
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
        assert a.interim == [100] and a.status == 200


def test_cookie_crumbs_are_joined_and_trailers_dropped(run):
    daemon, origin = run()
    with H2(daemon.address) as client:
        s = client.request('/c', method='POST', headers=[('cookie', 'a=1'), ('x', 'y'), ('cookie', 'b=2')], body=b'q', end=False)
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, s, block(('x-checksum', '1'))))
        assert client.answer(s).status == 200
    sent = origin.requests[0]
    assert sent.headers.all('cookie') == ['a=1; b=2'] and not sent.headers.has('x-checksum') and sent.body == b'q'


def test_grpc_is_refused(run):
    daemon, origin = run()
    with H2(daemon.address) as client:
        assert client.get('/s/m', method='POST', headers=[('content-type', 'application/grpc+proto'), ('te', 'trailers')], body=b'x').status == 415
    assert last(daemon)['refusal'] == 'grpc' and not origin.requests


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


def test_urgency_decides_the_order(run):
    daemon, _ = run(big)
    with H2(daemon.address, auto=False) as client:
        lazy = client.request('/lazy', headers=[('priority', 'u=7')])
        client.until_head(lazy)
        urgent = client.request('/urgent', headers=[('priority', 'u=0')])
        client.until_head(urgent)
        client.ping()
        del client.order[:]
        # Both have bytes waiting, and no window.
        client.send(frame(WINDOW, 0, lazy, struct.pack('>I', 10 ** 6)) + frame(WINDOW, 0, urgent, struct.pack('>I', 10 ** 6)))
        client.ping()
        client.send(frame(WINDOW, 0, 0, struct.pack('>I', 40000)))
        while len(client.order) < 2:
            client.next()
        assert set(client.order[:2]) == {urgent}


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
