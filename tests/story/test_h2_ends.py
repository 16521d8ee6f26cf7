"""HTTP/2: time-outs, cancelled and broken streams, GOAWAY at reload, stop and upgrade: no request is lost."""
import select
import signal
import socket
import struct
import threading

import pytest

import harness
from h2_help import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, NO_ERROR, PING, PREFACE, RST, WINDOW, frame,
                     head, settings)
from harness import Client
from test_reload import free_port, wait_generation
from test_upgrade import upgrade, whole_audit


def last(daemon, count=1):
    return daemon.records(count)[-1]


# ---- time-outs ----

def passes(daemon, clock, seconds):
    """Time passes, and the daemon looks at its clock: somebody connects, and leaves without a word."""
    clock.passes(seconds)
    Client(daemon.address).close()


def big(request, conn):
    conn.reply(headers=[('Cache-Control', 'max-age=60')], body=b'x' * 300000)


def test_idle_connection_is_told_and_closed(run, clock):
    daemon, _ = run(clock=clock)
    with H2(daemon.address) as client:
        assert client.get('/a').status == 200
        passes(daemon, clock, 74)
        client.ping()
        passes(daemon, clock, 2)
        assert client.until_end() == (1, NO_ERROR)
    daemon.records(1)
    assert [r['rec'] for r in daemon.all_records() if r['rec'] in ('req', 'http2')] == ['req'], 'nothing happened to anybody'


def test_open_request_is_not_idle(run, clock):
    daemon, origin = run(lambda request, conn: (origin.pass_gate(), conn.reply(body=b'late')), clock=clock,
                         settings='proxy_read_timeout 1h;')
    origin.gate()
    with H2(daemon.address) as client:
        s = client.request('/a')
        origin.wait_requests(1)
        passes(daemon, clock, 500)
        client.ping()
        origin.open_gate()
        assert client.answer(s).body == b'late'


def test_preface_and_no_settings(run, clock):
    daemon, _ = run(clock=clock)
    with Client(daemon.address) as client:
        client.send(PREFACE)
        client.take(9)                                   # it was read: our SETTINGS
        passes(daemon, clock, 11)
        assert client.take_all().endswith(frame(GOAWAY, 0, 0, bytes(8)))
    ended = harness.until('its record', lambda: [r for r in daemon.all_records() if r['rec'] == 'http2'])
    assert ended[0]['end'] == 'client_header_timeout'


def test_settings_and_no_request(run, clock):
    daemon, _ = run(clock=clock)
    with H2(daemon.address) as client:
        client.ping()
        passes(daemon, clock, 11)
        assert client.until_end() == (0, NO_ERROR)


@pytest.mark.parametrize('data', [frame(HEADERS, END_STREAM, 3, head()), frame(HEADERS, END_STREAM, 3, head())[:-1],
                                  frame(HEADERS, END_STREAM, 3, head()) + frame(CONTINUATION, END_HEADERS, 3, b'x' * 9)[:-1]],
                         ids=['no_continuation', 'cut', 'cut_continuation'])
def test_head_that_is_never_whole(run, clock, data):
    """An open request holds the connection, but not for heads that do not end; it is told, as is the log."""
    daemon, origin = run(lambda request, conn: origin.pass_gate(), clock=clock, settings='proxy_read_timeout 1h;')
    origin.gate()
    with H2(daemon.address) as client:
        client.request('/a')
        origin.wait_requests(1)
        client.ping()
        client.send(data)
        # Time may pass before the daemon has read it, and then it passes again.
        harness.until('its end', lambda: passes(daemon, clock, 11) or select.select([client.sock], [], [], 0.05)[0])
        assert client.until_end()[1] == NO_ERROR
    ended = harness.until('its record', lambda: [r for r in daemon.all_records() if r['rec'] == 'http2'])
    assert ended[0]['end'] == last(daemon)['end'] == 'client_header_timeout'
    origin.open_gate()


@pytest.mark.parametrize('opening', [[], [(4, 0)], [(4, 2 ** 31 - 1)]], ids=['stream_and_connection', 'stream_never', 'connection'])
def test_reader_that_opens_no_window_is_given_up(run, clock, opening):
    daemon, _ = run(big, clock=clock)
    with H2(daemon.address, auto=False, opening=opening) as client:
        s = client.request('/a')
        client.until_head(s)
        client.ping()
        passes(daemon, clock, 59)
        client.ping()
        assert client.answers[s].reset is None
        passes(daemon, clock, 2)
        assert client.answer(s).reset == CANCEL
        client.send(frame(WINDOW, 0, 0, struct.pack('>I', 10 ** 6)) + settings((4, 65535)))
        assert client.get('/b', method='HEAD').status == 200, 'the connection lives'
    r = daemon.records(2)[0]
    assert (r['end'], r['status'], r['target']) == ('send_timeout', '200', '/a')


def test_window_that_is_opened_renews_the_time(run, clock):
    daemon, _ = run(big, clock=clock)
    with H2(daemon.address, auto=False, opening=[(4, 1000)]) as client:
        s = client.request('/a')
        for i in range(1, 5):
            while len(client.answers[s].body if s in client.answers else b'') < 1000 * i:
                client.next()
            passes(daemon, clock, 40)
            client.ping()
            client.send(frame(WINDOW, 0, s, struct.pack('>I', 1000)))
        client.ping()
        assert client.answers[s].reset is None


def test_slow_content_is_answered(run, clock):
    daemon, _ = run(clock=clock)
    with H2(daemon.address) as client:
        s = client.request('/p', method='POST', end=False)
        client.ping()
        passes(daemon, clock, 61)
        assert client.answer(s).status == 408
        assert client.get('/b').status == 200, 'the connection lives'
    r = daemon.records(2)[0]
    assert (r['end'], r['refusal'], r['status']) == ('client_body_timeout', 'body_timeout', '408')


def test_content_that_trickles_is_answered(run, clock):
    daemon, _ = run(clock=clock, settings='client_min_rate 1k;')
    with H2(daemon.address) as client:
        s = client.request('/p', method='POST', end=False)
        for _ in range(3):
            client.send(frame(DATA, 0, s, b'x' * 100))
            client.ping()
            passes(daemon, clock, 5)
        client.send(frame(DATA, 0, s, b'x'))
        assert client.answer(s).status == 408
    assert daemon.record()['end'] == 'client_min_rate'


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


def test_early_answer_and_content_that_nobody_reads(run):
    """The answer is whole before the content: the rest is not wanted (RFC 9113 section 8.1), and the connection lives."""
    daemon, _ = run(settings='client_max_body_size 10;')
    with H2(daemon.address) as client:
        s = client.request('/p', method='POST', headers=[('content-length', '100')], end=False)
        a = client.answer(s)
        assert a.status == 413 and a.complete
        while a.reset is None:
            client.next()
        assert a.reset == NO_ERROR
        client.send(frame(DATA, END_STREAM, s, b'x' * 100))
        assert client.get('/b').status == 200
    assert [r['status'] for r in daemon.records(2)] == ['413', '200']


def test_end_of_the_clients_bytes_is_its_end(run):
    """Without its windows and acknowledgements nothing goes on: a client of HTTP/2 that closes its sending half has left."""
    daemon, origin = run(lambda request, conn: origin.pass_gate())
    origin.gate()
    with H2(daemon.address) as client:
        client.request('/a', headers=[('authorization', 'x')])
        origin.wait_requests(1)
        client.sock.shutdown(socket.SHUT_WR)
        assert daemon.record()['end'] == 'client_left'
    origin.open_gate()


def test_client_that_says_goodbye_gets_its_answers(run):
    daemon, origin = run(lambda request, conn: (origin.pass_gate(), conn.reply(body=b'late')))
    origin.gate()
    with H2(daemon.address) as client:
        s = client.request('/a')
        origin.wait_requests(1)
        client.send(frame(GOAWAY, 0, 0, bytes(8)))
        client.ping()
        origin.open_gate()
        assert client.answer(s).body == b'late'
        client.until_end()


def test_so_many_requests_a_connection(run):
    daemon, _ = run(http='keepalive_requests 5;')
    with H2(daemon.address) as client:
        for i in range(4):
            assert client.get(f'/{i}').status == 200
        fifth = client.request('/4')
        over = client.request('/5')                      # on its way when the notice comes: answered, too
        assert client.answer(fifth).status == client.answer(over).status == 200
        say_goodbye(client)
        assert client.until_end() == (over, NO_ERROR)
    assert len(daemon.records(6)) == 6


# ---- GOAWAY: nothing is lost ----

def say_goodbye(client):
    """Waits for the notice (RFC 9113 section 6.8) and for the PING behind it, and answers that."""
    while not client.goaway:
        client.next()
    assert client.goaway == (2 ** 31 - 1, NO_ERROR)
    pings = lambda: [p for k, f, _, p in client.frames if k == PING and not f & ACK]     # noqa: E731
    while not pings():
        client.next()
    client.send(frame(PING, ACK, 0, pings()[0]))


def slow(origin_of):
    """An origin whose answers wait for the gate."""
    def handler(request, conn):
        origin_of[0].pass_gate()
        conn.reply(body=request.target.encode())
    return handler


@pytest.fixture
def gated(run):
    def make(**kw):
        origin_of = []
        daemon, origin = run(slow(origin_of), **kw)
        origin_of.append(origin)
        origin.gate()
        return daemon, origin
    return make


def test_stop_lets_open_streams_end(gated):
    daemon, origin = gated()
    with H2(daemon.address) as client:
        s = client.request('/a')
        origin.wait_requests(1)
        daemon.send_signal(signal.SIGQUIT)
        while not client.goaway:
            client.next()
        crossing = client.request('/crossing')           # sent before the client knew
        say_goodbye(client)
        origin.open_gate()
        assert client.answer(s).body == b'/a' and client.answer(crossing).body == b'/crossing'
        assert client.until_end() == (crossing, NO_ERROR)
    daemon.wait_exit(0)
    assert [r['end'] for r in daemon.requests()] == ['complete'] * 2


def test_stop_does_not_wait_for_a_client_that_does_not_answer(gated):
    """It gets its answers; what it asks after the second GOAWAY is for somebody else."""
    daemon, origin = gated()
    with H2(daemon.address) as client:
        s = client.request('/a')
        origin.wait_requests(1)
        daemon.send_signal(signal.SIGQUIT)
        while client.goaway != (s, NO_ERROR):
            client.next()
        client.request('/too_late')
        origin.open_gate()
        assert client.answer(s).body == b'/a'
        client.until_end()
        assert list(client.answers) == [s]
    daemon.wait_exit(0)


def test_idle_connections_do_not_hold_a_stop_up(run):
    daemon, _ = run()
    with H2(daemon.address) as asked, H2(daemon.address) as fresh, H2(daemon.address, begin=False) as silent:
        assert asked.get('/a').status == 200
        fresh.ping()
        daemon.send_signal(signal.SIGQUIT)
        say_goodbye(asked)
        assert asked.until_end() == (1, NO_ERROR)
        say_goodbye(fresh)
        assert fresh.until_end() == (0, NO_ERROR)
        silent.take_all()
    daemon.wait_exit(0)


def test_listener_that_a_reload_removes(proxy, origin):
    """Its connections end gracefully, others hardly notice."""
    o = origin(lambda request, conn: (o.pass_gate(), conn.reply(body=request.target.encode())))
    o.gate()
    one, two = free_port(), free_port()

    def text(*ports):
        return 'workers 1; node story; access_log access.csv; server {' + ''.join(f'listen 127.0.0.1:{p};' for p in ports) \
            + f'location / {{ proxy_pass http://{o.address}; }} }}'
    daemon = proxy(text(one, two), listens=2)
    with H2(('127.0.0.1', one)) as stays, H2(('127.0.0.1', two)) as goes:
        streams = [c.request(f'/{i}') for i, c in enumerate((stays, goes))]
        o.wait_requests(2)
        daemon.reload(text(one))
        wait_generation(daemon, 2)
        say_goodbye(goes)
        o.open_gate()
        assert goes.answer(streams[1]).body == b'/1'
        assert goes.until_end() == (1, NO_ERROR)
        assert stays.answer(streams[0]).body == b'/0'
        assert stays.get('/again').status == 200 and stays.goaway is None
    assert [(r['target'], r['config'], r['end']) for r in sorted(daemon.records(3), key=lambda r: r['target'])] == [
        ('/0', '1', 'complete'), ('/1', '1', 'complete'), ('/again', '2', 'complete')]


def test_upgrade_finishes_what_is_open(gated):
    daemon, origin = gated()
    with H2(daemon.address) as client:
        streams = [client.request(f'/{i}') for i in range(3)]
        origin.wait_requests(3)
        old = upgrade(daemon, ends=False)
        say_goodbye(client)
        origin.open_gate()
        assert [client.answer(s).body for s in streams] == [b'/0', b'/1', b'/2']
        assert client.until_end() == (streams[-1], NO_ERROR)
    assert old.wait(harness.DEADLINE) == 0
    with H2(daemon.address) as client:
        assert client.get('/new').body == b'/new'
    assert [r['end'] for r in daemon.records(4)] == ['complete'] * 4


class Load:
    """Clients that keep eight requests going. Those above the last stream of a GOAWAY are asked again elsewhere, as RFC 9113
    section 6.8 allows; all others must be answered."""

    def __init__(self, daemon, clients=3):
        self.address, self.stopped, self.done, self.failed = daemon.address, False, 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        try:
            while not self.stopped:
                with H2(self.address) as client:
                    self.ask(client)
        except Exception as failure:                     # the story has to fail, not the thread
            self.failed.append(failure)

    def ask(self, client):
        open_streams = []
        try:
            while not self.stopped and not client.goaway:
                while len(open_streams) < 8:
                    open_streams.append(client.request(f'/{client.stream + 2}'))
                self.take(client, open_streams.pop(0))
            for stream in open_streams:
                self.take(client, stream)
        except (harness.Closed, OSError):
            assert client.goaway, 'closed without a word'
            assert all(s > client.goaway[0] for s in open_streams if s not in client.answers or not client.answers[s].complete)

    def take(self, client, stream):
        while not (stream in client.answers and client.answers[stream].complete):
            if client.goaway and stream > client.goaway[0]:
                return
            kind, flags, _, payload = client.next()
            if kind == PING and not flags & ACK:
                client.send_lax(frame(PING, ACK, 0, payload))
        assert client.answers[stream].status == 200 and client.answers[stream].body == f'/{stream}'.encode() * 500
        with self.lock:
            self.done += 1

    def wait(self, more):
        want = self.done + more
        harness.until(f'{more} more answers', lambda: self.done >= want or self.failed, 30)

    def end(self):
        self.stopped = True
        for thread in self.threads:
            thread.join(harness.DEADLINE)
        assert not self.failed, self.failed[:3]
        return self.done


def test_no_request_is_lost_by_reloads_and_upgrades(run):
    daemon, _ = run(lambda request, conn: conn.reply(headers=[('Cache-Control', 'max-age=60')], body=request.target * 500))
    load = Load(daemon)
    load.wait(100)
    for generation in (2, 3):
        daemon.reload()
        wait_generation(daemon, generation)
        load.wait(100)
    for _ in range(2):
        upgrade(daemon)
        load.wait(100)
    done = load.end()
    daemon.stop()
    assert len([r for r in daemon.requests() if r['end'] == 'complete' and r['status'] == '200']) == done
    whole_audit(daemon)


def test_reload_goes_on_with_the_new_configuration(run):
    daemon, origin = run()
    with H2(daemon.address) as client:
        assert client.get('/a').status == 200
        daemon.wait_said('reload', daemon.reload())
        assert client.get('/b').status == 200
    assert [r['config'] for r in daemon.records(2)] == ['1', '2']
