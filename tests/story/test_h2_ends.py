"""HTTP/2: time-outs, cancelled and broken streams, GOAWAY at reload, stop and upgrade: no request is lost."""
import struct

import pytest

from h2_help import ACK, CANCEL, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, NO_ERROR, PING, RST, WINDOW, block, frame, head
from harness import Client, site


def last(daemon, count=1):
    return daemon.records(count)[-1]


# ---- time-outs ----

def test_slow_reader_is_given_up(run):
    daemon, _ = run(big, settings='send_timeout 300ms;')
    with H2(daemon.address, auto=False) as client:
        s = client.request('/a')
        assert client.answer(s).reset == CANCEL
    assert last(daemon)['end'] == 'send_timeout'


def test_slow_content_is_answered(run):
    daemon, _ = run(settings='client_body_timeout 300ms;')
    with H2(daemon.address) as client:
        s = client.request('/p', method='POST', end=False)
        assert client.answer(s).status == 408
    assert last(daemon)['end'] == 'client_body_timeout'


# ---- ends ----

def test_cancelled_request_is_logged(run):
    def handler(request, conn):
        origin_of[0].pass_gate()
        conn.reply(body=b'x')
    origin_of = []
    daemon, origin = run(handler)
    origin_of.append(origin)
    origin.gate()
    with H2(daemon.address) as client:
        s = client.request('/a', method='POST', body=b'')
        origin.wait_requests(1)
        client.send(frame(RST, 0, s, struct.pack('>I', CANCEL)))
        assert last(daemon)['end'] == 'client_left'
        origin.open_gate()
        assert client.get('/b').status == 200


def test_broken_answer_resets_its_stream_only(run):
    def handler(request, conn):
        if request.target == '/cut':
            conn.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
            conn.close()
        else:
            conn.reply(body=b'x')
    daemon, _ = run(handler)
    with H2(daemon.address) as client:
        a = client.get('/cut')
        assert a.status == 200 and a.reset is not None and not a.complete
        assert client.get('/good').status == 200


def test_stop_lets_open_streams_end(run):
    def handler(request, conn):
        origin_of[0].pass_gate()
        conn.reply(body=b'late')
    origin_of = []
    daemon, origin = run(handler)
    origin_of.append(origin)
    origin.gate()
    with H2(daemon.address) as client:
        s = client.request('/a')
        origin.wait_requests(1)
        daemon.send_signal(3)                      # QUIT: graceful
        while not client.goaway:
            client.next()
        assert client.goaway == (2 ** 31 - 1, NO_ERROR)
        kind, _, _, payload = client.next()
        assert kind == PING, 'behind the notice'
        client.send(frame(PING, ACK, 0, payload))
        origin.open_gate()
        assert client.answer(s).body == b'late'
        assert client.until_end() == (1, NO_ERROR)
    daemon.wait_exit(0)


def test_reload_goes_on_with_the_new_configuration(run):
    daemon, origin = run()
    with H2(daemon.address) as client:
        assert client.get('/a').status == 200
        daemon.wait_said('reload', daemon.reload())
        assert client.get('/b').status == 200
    assert [r['config'] for r in daemon.records(2)] == ['1', '2']
