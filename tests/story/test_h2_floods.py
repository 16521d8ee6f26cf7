"""HTTP/2: who floods is sent GOAWAY, and a record `http2` says why; who asks for too much at once is refused, and it is logged."""
import struct

import pytest

import harness
from h2_help import (ACK, CALM, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, PADDED, PING, PRIORITY,
                     PRIORITY_UPDATE, PROTOCOL, REFUSED, RST, SETTINGS, WINDOW, block, frame, head, settings, text)

ALL = END_HEADERS | END_STREAM


def number(value):
    return struct.pack('>I', value)


def gets(n):
    return frame(HEADERS, ALL, n, head())


def each(count, make):
    """make(stream) for so many streams."""
    return b''.join(make(2 * i + 1) for i in range(count))


FLOODS = [
    ('rapid_reset', lambda: each(300, lambda n: gets(n) + frame(RST, 0, n, number(CANCEL))), CALM, 'h2_reset_flood'),
    # It is we who have to reset them: malformed heads, windows that grow by nothing or too much, content that was not announced.
    ('reset_by_heads', lambda: each(300, lambda n: frame(HEADERS, ALL, n, block((':method', 'GET')))), CALM, 'h2_reset_flood'),
    ('reset_by_windows', lambda: each(300, lambda n: settings((4, 0)) * (n == 1) + gets(n) + frame(WINDOW, 0, n, number(0))), PROTOCOL, 'h2_invalid'),
    ('reset_by_large_windows', lambda: each(300, lambda n: settings((4, 1)) * (n == 1) + gets(n) + frame(WINDOW, 0, n, number(2 ** 31 - 1))),
     CALM, 'h2_reset_flood'),
    ('reset_by_content', lambda: each(300, lambda n: frame(HEADERS, END_HEADERS, n, head('/', 'POST', 'site.test', 'http', ('content-length', '1')))
                                      + frame(DATA, END_STREAM, n, b'ab')), CALM, 'h2_reset_flood'),
    ('reset_by_trailers', lambda: each(300, lambda n: frame(HEADERS, END_HEADERS, n, head('/', 'POST')) + frame(HEADERS, ALL, n, block(('A', 'b')))),
     CALM, 'h2_reset_flood'),
    ('settings', lambda: settings() * 50, CALM, 'h2_settings_flood'),
    ('settings_that_change_windows', lambda: b''.join(settings((4, 65535 * (i % 2))) for i in range(50)), CALM, 'h2_settings_flood'),
    ('settings_in_one_frame', lambda: settings(*[(4, i) for i in range(2000)]), CALM, 'h2_settings_flood'),
    ('ping', lambda: frame(PING, 0, 0, b'x' * 8) * 200, CALM, 'h2_ping_flood'),
    ('ping_answers', lambda: frame(PING, ACK, 0, b'x' * 8) * 2000, CALM, 'h2_unknown_flood'),
    ('settings_answers', lambda: frame(SETTINGS, ACK) * 10, PROTOCOL, 'h2_invalid'),
    ('empty_data', lambda: frame(HEADERS, END_HEADERS, 1, head('/', 'POST')) + frame(DATA, 0, 1) * 200, CALM, 'h2_empty_flood'),
    ('padding_only', lambda: frame(HEADERS, END_HEADERS, 1, head('/', 'POST')) + frame(DATA, PADDED, 1, b'\xff' + bytes(255)) * 200, CALM, 'h2_empty_flood'),
    ('empty_heads', lambda: each(300, lambda n: frame(HEADERS, ALL, n)), CALM, 'h2_reset_flood'),
    ('priority', lambda: frame(PRIORITY, 0, 1, struct.pack('>IB', 0, 1)) * 2000, CALM, 'h2_priority_flood'),
    ('priority_of_idle_streams', lambda: each(2000, lambda n: frame(PRIORITY, 0, n, struct.pack('>IB', 0, 1))), CALM, 'h2_priority_flood'),
    ('priority_update', lambda: frame(PRIORITY_UPDATE, 0, 0, number(1) + b'u=1') * 2000, CALM, 'h2_priority_flood'),
    ('window_update', lambda: frame(WINDOW, 0, 0, number(1)) * 30000, CALM, 'h2_update_flood'),
    ('unknown', lambda: frame(0x77, 0, 0, b'x') * 1000, CALM, 'h2_unknown_flood'),
    ('goaway', lambda: frame(GOAWAY, 0, 0, bytes(8)) * 1000, CALM, 'h2_unknown_flood'),
    ('continuation', lambda: frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, 0, 1, block(('a', 'b'))) * 50, CALM, 'h2_continuation_flood'),
    ('empty_continuation', lambda: frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, 0, 1) * 50, CALM, 'h2_continuation_flood'),
    # A table entry of 4000 bytes, named 100 times by one byte each.
    ('hpack_bomb', lambda: frame(HEADERS, ALL, 1, head() + b'\x40' + text('a') + text('x' * 4000) + b'\xbe' * 100), CALM, 'h2_head_flood'),
    ('hpack_bomb_in_trailers', lambda: frame(HEADERS, END_HEADERS, 1, head('/', 'POST'))
     + frame(HEADERS, ALL, 1, b'\x40' + text('a') + text('x' * 4000) + b'\xbe' * 100), CALM, 'h2_head_flood'),
    ('hpack_bomb_of_crumbs', lambda: frame(HEADERS, ALL, 1, head() + b'\x40' + text('cookie') + text('x' * 4000) + b'\xbe' * 100), CALM, 'h2_head_flood'),
    ('hpack_bomb_of_empty_fields', lambda: frame(HEADERS, ALL, 1, head() + b'\x40' + text('a') + text('') + b'\xbe' * 16000)
     + frame(PING, 0, 0, b'x' * 8) * 200, CALM, None),
]


@pytest.mark.parametrize('data,code,end', [f[1:] for f in FLOODS], ids=[f[0] for f in FLOODS])
def test_flood_ends_the_connection(run, data, code, end):
    daemon, _ = run()
    with H2(daemon.address) as client:
        client.send_lax(data())
        gone = client.until_end()
        assert gone and gone[1] == code
    harness.until('its record', lambda: [r for r in daemon.all_records() if r['rec'] == 'http2'])
    records = [r for r in daemon.all_records() if r['rec'] == 'http2']
    assert len(records) == 1 and (end is None or records[0]['end'] == end)
    assert records[0]['h2_error'] or records[0]['end'].endswith('_flood')
    assert daemon.get('/after').status == 200
    assert daemon.counters()['proxyd_h2_ended_total'] == 1


def test_open_requests_of_a_flooder_end_as_it_does(run):
    daemon, origin = run(lambda request, conn: origin.pass_gate())
    origin.gate()
    with H2(daemon.address) as client:
        client.request('/a')
        origin.wait_requests(1)
        client.send_lax(settings() * 50)
        assert client.until_end()[1] == CALM
    r = daemon.record()
    assert (r['end'], r['target'], r['status']) == ('h2_settings_flood', '/a', '0')
    origin.open_gate()


def test_below_the_limits_nobody_is_disturbed(run):
    """What a lively client does within ten seconds."""
    daemon, _ = run()
    with H2(daemon.address) as client:
        client.send(settings() * 10 + frame(PING, 0, 0, b'x' * 8) * 50 + frame(0x77, 0, 0, b'x') * 200
                    + frame(PRIORITY_UPDATE, 0, 0, number(1) + b'u=1') * 500 + frame(WINDOW, 0, 0, number(1)) * 10000)
        client.send(each(150, lambda n: gets(n) + frame(RST, 0, n, number(CANCEL))))
        client.stream = 301
        assert client.get('/a').status == 200
    assert not [r for r in daemon.all_records() if r['rec'] == 'http2']


def test_every_reset_stream_has_its_line(run):
    daemon, _ = run()
    with H2(daemon.address) as client:
        client.send(each(150, lambda n: gets(n) + frame(RST, 0, n, number(CANCEL))))
        client.ping()
    assert {r['end'] for r in daemon.records(150)} <= {'client_left', 'complete'}


def test_who_does_not_read_is_not_read(run):
    """All windows are open, and the socket is not read: memory is bounded, the connection ends by its time-out."""
    daemon, _ = run(lambda request, conn: conn.reply(body=b'x' * 40000000), settings='send_timeout 300ms;')
    with H2(daemon.address, auto=False, opening=[(4, 2 ** 31 - 1)]) as client:
        client.send(frame(WINDOW, 0, 0, number(2 ** 31 - 1 - 65535)))
        client.request('/a')
        assert daemon.record()['end'] == 'send_timeout'
    assert int(daemon.record()['high_water']) <= 100000


def test_window_by_window_a_body_comes_whole(run):
    """One byte at a time is slow, and allowed."""
    daemon, _ = run(lambda request, conn: conn.reply(body=bytes(range(200))))
    with H2(daemon.address, auto=False, opening=[(4, 1)]) as client:
        s = client.request('/a')
        while not (s in client.answers and client.answers[s].complete):
            kind, flags, n, _ = client.next()
            if kind == DATA and not flags & END_STREAM:
                client.send(frame(WINDOW, 0, n, number(1)))
        assert client.answers[s].body == bytes(range(200))
    assert daemon.record()['end'] == 'complete'


# ---- more than is allowed at once ----

def test_refused_stream_has_its_line(run):
    """Before a client has confirmed the limit nobody can blame it: REFUSED_STREAM, and the others go on."""
    daemon, origin = run(lambda request, conn: (origin.pass_gate(), conn.reply(body=b'x')), http='http2_max_concurrent_streams 4;')
    origin.gate()
    with H2(daemon.address) as client:
        client.send(each(5, gets))
        assert client.answer(9).reset == REFUSED
        origin.open_gate()
        assert [client.answer(s).status for s in (1, 3, 5, 7)] == [200] * 4
        client.stream = 9
        assert client.get('/again').status == 200
    refused = [r for r in daemon.records(6) if r['refusal'] == 'h2_streams']
    assert [(r['status'], r['cache'], r['end'], r['proto'], r['method']) for r in refused] == [('0', 'refused', 'refused', 'HTTP/2.0', '')]
    assert int(refused[0]['req_bytes']) > 9


def test_limit_that_was_confirmed(run):
    """Who knows the limit and goes beyond it breaks the protocol."""
    daemon, origin = run(lambda request, conn: origin.pass_gate(), http='http2_max_concurrent_streams 4;')
    origin.gate()
    with H2(daemon.address) as client:
        client.ping()
        assert [p for k, f, _, p in client.frames if k == SETTINGS and not f & ACK][0].startswith(struct.pack('>HI', 3, 4))
        client.ping()
        client.send(each(5, gets))
        assert client.until_end()[1] == PROTOCOL
    assert [r['end'] for r in daemon.records(4)] == ['h2_invalid'] * 4
    origin.open_gate()
