"""HTTP/2: requests, content, windows, priorities, limits, ends; the cache over it."""
import struct
import subprocess

import h2.config
import h2.connection
import h2.events
import pytest

import harness
import tls_help
from h2_help import (ACK, CALM, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW, GOAWAY, H2, HEADERS, NO_ERROR, PING, PREFACE,
                     PRIORITY_UPDATE, PROTOCOL, RST, SETTINGS, WINDOW, block, frame, head, settings, text)
from harness import Client, Origin, Proxyd, site


@pytest.fixture
def run(tmp_path, request):
    made = []

    def start(handler=None, config=None, **kw):
        origin = Origin(handler, headers=[('Cache-Control', 'max-age=60')])
        made.append(origin)
        daemon = Proxyd(tmp_path, config or site(origin, **kw))
        made.append(daemon)
        daemon.start()
        return daemon, origin
    yield start
    for one in reversed(made):
        one.close()


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


# ---- what is malformed ----

P = ((':method', 'GET'), (':scheme', 'http'), (':path', '/'), (':authority', 'site.test'))
MALFORMED = [
    ('upper_case', block(*P, ('X-Upper', '1')), 'h2_upper_case'),
    ('connection', block(*P, ('connection', 'close')), 'h2_connection_field'),
    ('keep_alive', block(*P, ('keep-alive', '1')), 'h2_connection_field'),
    ('proxy_connection', block(*P, ('proxy-connection', 'x')), 'h2_connection_field'),
    ('transfer_encoding', block(*P, ('transfer-encoding', 'chunked')), 'h2_connection_field'),
    ('upgrade', block(*P, ('upgrade', 'x')), 'h2_connection_field'),
    ('te', block(*P, ('te', 'gzip')), 'h2_connection_field'),
    ('no_method', block(*P[1:]), 'h2_pseudo'),
    ('no_scheme', block(P[0], *P[2:]), 'h2_pseudo'),
    ('no_path', block(P[0], P[1], P[3]), 'h2_pseudo'),
    ('empty_path', block(P[0], P[1], (':path', ''), P[3]), 'h2_pseudo'),
    ('two_methods', block(P[0], *P), 'h2_pseudo'),
    ('two_paths', block(*P, P[2]), 'h2_pseudo'),
    ('unknown_pseudo', block(*P, (':unknown', '1')), 'h2_pseudo'),
    ('response_pseudo', block(*P, (':status', '200')), 'h2_pseudo'),
    ('protocol_pseudo', block(*P, (':protocol', 'websocket')), 'h2_pseudo'),
    ('pseudo_behind_fields', block(*P[:3], ('a', 'b'), P[3]), 'h2_pseudo'),
    ('scheme_ftp', block(P[0], (':scheme', 'ftp'), *P[2:]), 'h2_pseudo'),
    ('path_without_slash', block(*P[:2], (':path', 'a'), P[3]), 'target_form'),
    ('path_absolute', block(*P[:2], (':path', 'http://site.test/'), P[3]), 'target_form'),
    ('path_with_blank', block(*P[:2], (':path', '/a b'), P[3]), None),
    ('path_with_line', block(*P[:2], (':path', '/ HTTP/1.1\r\nx: y'), P[3]), 'control_byte'),
    ('method_with_blank', block((':method', 'GET /x'), *P[1:]), None),
    ('value_with_line', block(*P, ('a', 'b\r\nc: d')), 'control_byte'),
    ('value_with_nul', block(*P, ('a', 'b\0')), 'control_byte'),
    ('value_begins_blank', block(*P, ('a', ' b')), 'h2_blank'),
    ('name_with_blank', block(*P, ('a b', 'c')), 'field_name'),
    ('name_empty', block(*P, ('', 'c')), 'field_name'),
    ('name_with_colon', block(*P, ('a:b', 'c')), 'field_name'),
    ('host_differs', block(*P, ('host', 'other.test')), 'host_mismatch'),
    ('authority_user', block(*P[:3], (':authority', 'u@site.test')), 'host_invalid'),
    ('two_lengths', block(*P, ('content-length', '0'), ('content-length', '0')), 'length_conflict'),
    ('length_no_number', block(*P, ('content-length', 'x')), 'length_invalid'),
    ('length_without_content', block(*P, ('content-length', '5')), 'h2_length'),
]


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    origin = Origin(headers=[('Cache-Control', 'max-age=60')])
    daemon = Proxyd(tmp_path_factory.mktemp('h2'), site(origin))
    daemon.start()
    yield daemon, origin
    daemon.close()
    origin.close()


@pytest.mark.parametrize('fields,refusal', [m[1:] for m in MALFORMED], ids=[m[0] for m in MALFORMED])
def test_malformed_head_resets_its_stream_and_is_logged(shared, fields, refusal):
    daemon, origin = shared
    before, asked = len(daemon.requests()), len(origin.requests)
    with H2(daemon.address) as client:
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, fields))
        a = client.answer(1)
        assert a.reset == PROTOCOL and a.status is None
        client.stream = 1
        assert client.get('/good').status == 200, 'the others go on'
    r = daemon.records(before + 2)[before]
    assert (r['status'], r['cache'], r['end']) == ('0', 'refused', 'refused') and (refusal is None or r['refusal'] == refusal)
    assert r['refusal'] and r['proto'] == 'HTTP/2.0'
    assert all(q.target == '/good' for q in origin.requests[asked:])


BROKEN_CONTENT = [
    ('too_much', [('content-length', '2')], frame(DATA, END_STREAM, 1, b'abc')),
    ('too_little', [('content-length', '4')], frame(DATA, END_STREAM, 1, b'abc')),
    ('trailers_with_pseudo', [], frame(HEADERS, END_HEADERS | END_STREAM, 1, block((':path', '/')))),
    ('trailers_upper_case', [], frame(HEADERS, END_HEADERS | END_STREAM, 1, block(('A', '/')))),
    ('trailers_without_end', [], frame(HEADERS, END_HEADERS, 1, block(('a', '/')))),
]


@pytest.mark.parametrize('headers,data', [m[1:] for m in BROKEN_CONTENT], ids=[m[0] for m in BROKEN_CONTENT])
def test_malformed_content_resets_its_stream(shared, headers, data):
    daemon, _ = shared
    before = len(daemon.requests())
    with H2(daemon.address) as client:
        s = client.request('/p', method='POST', headers=headers, end=False)
        client.send(data)
        assert client.answer(s).reset == PROTOCOL
    assert daemon.records(before + 1)[before]['end'] == 'h2_malformed'


def test_too_large_heads_are_answered(run):
    daemon, _ = run()
    with H2(daemon.address) as client:
        big = block(*P, *[(f'a{i}', 'x' * 5000) for i in range(8)])
        pieces = [big[i:i + 16384] for i in range(0, len(big), 16384)]
        client.send(frame(HEADERS, END_STREAM, 1, pieces[0]) + b''.join(
            frame(CONTINUATION, END_HEADERS if p is pieces[-1] else 0, 1, p) for p in pieces[1:]))
        assert client.answer(1).status == 431
        client.stream = 1
        assert client.get('/' + 'x' * 9000).status == 414
        assert client.get('/', headers=[(f'h{i}', '1') for i in range(120)]).status == 431
        client.stream += 2
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, client.stream, block((':method', 'CONNECT'), (':authority', 'site.test:443'))))
        assert client.answer(client.stream).status == 405
    assert [r['refusal'] for r in daemon.records(4)] == ['head_too_large', 'line_too_long', 'too_many_fields', 'connect_method']


# ---- floods: GOAWAY, and a record that says why ----

GETS = lambda n: frame(HEADERS, END_HEADERS | END_STREAM, n, head())
FLOODS = [
    ('reset', lambda: b''.join(GETS(2 * i + 1) + frame(RST, 0, 2 * i + 1, struct.pack('>I', CANCEL)) for i in range(300)), CALM, 'h2_reset_flood'),
    ('malformed', lambda: b''.join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, block(*P[:2])) for i in range(300)), CALM, 'h2_reset_flood'),
    ('settings', lambda: settings() * 50, CALM, 'h2_settings_flood'),
    ('ping', lambda: frame(PING, 0, 0, b'x' * 8) * 200, CALM, 'h2_ping_flood'),
    ('empty_data', lambda: frame(HEADERS, END_HEADERS, 1, head('/', 'POST')) + frame(DATA, 0, 1) * 200, CALM, 'h2_empty_flood'),
    ('priority', lambda: frame(2, 0, 1, struct.pack('>IB', 0, 1)) * 2000, CALM, 'h2_priority_flood'),
    ('update', lambda: frame(PRIORITY_UPDATE, 0, 0, struct.pack('>I', 1) + b'u=1') * 2000, CALM, 'h2_priority_flood'),
    ('window', lambda: frame(WINDOW, 0, 0, struct.pack('>I', 1)) * 30000, CALM, 'h2_update_flood'),
    ('continuation', lambda: frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, 0, 1, block(('a', 'b'))) * 50, CALM, 'h2_continuation_flood'),
    # A table entry of 4000 bytes, named 100 times by one byte each.
    ('hpack_bomb', lambda: frame(HEADERS, END_HEADERS | END_STREAM, 1, head() + b'\x40' + text('a') + text('x' * 4000) + b'\xbe' * 100), CALM, 'h2_head_flood'),
]


@pytest.mark.parametrize('data,code,end', [f[1:] for f in FLOODS], ids=[f[0] for f in FLOODS])
def test_flood_ends_the_connection(run, data, code, end):
    daemon, _ = run()
    with H2(daemon.address) as client:
        client.send_lax(data())
        gone = client.until_end()
        assert gone and gone[1] == code
    harness.until('its record', lambda: [r for r in daemon.all_records() if r['rec'] == 'http2'])
    assert [r['end'] for r in daemon.all_records() if r['rec'] == 'http2'] == [end]
    assert daemon.get('/after').status == 200


# ---- RFC 9113 and RFC 7541, broken one by one: (name, bytes after the preface and SETTINGS, who ends, with which codes) ----

HDR = frame(HEADERS, END_HEADERS, 1, head('/', 'POST'))
WHOLE = GETS(1)
RULES = [
    ('4.2 frame larger than allowed', HDR + frame(DATA, 0, 1, b'x' * 16385), 'connection', (6,)),
    ('4.3 broken compression', frame(HEADERS, END_HEADERS | END_STREAM, 1, b'\xff\xff\xff\xff\xff\xff\xff'), 'connection', (9,)),
    ('4.3 priority between', frame(HEADERS, END_STREAM, 1, head()) + frame(2, 0, 1, struct.pack('>IB', 0, 1)), 'connection', (1,)),
    ('4.3 another stream between', frame(HEADERS, END_STREAM, 1, head()) + GETS(3), 'connection', (1,)),
    ('5.1 DATA to idle', frame(DATA, END_STREAM, 1, b'x'), 'connection', (1,)),
    ('5.1 RST to idle', frame(RST, 0, 1, b'\0\0\0\1'), 'connection', (1,)),
    ('5.1 WINDOW_UPDATE to idle', frame(WINDOW, 0, 1, b'\0\0\0\1'), 'connection', (1,)),
    ('5.1 CONTINUATION to idle', frame(CONTINUATION, END_HEADERS, 1, head()), 'connection', (1,)),
    ('5.1.1 even stream', GETS(2), 'connection', (1,)),
    ('5.4 unknown frame between', frame(HEADERS, END_STREAM, 1, head()) + frame(99, 0, 1, b''), 'connection', (1,)),
    ('6.1 DATA on 0', frame(DATA, 0, 0, b'x'), 'connection', (1,)),
    ('6.1 padding too long', HDR + frame(DATA, 8 | END_STREAM, 1, b'\x06Test'), 'connection', (1,)),
    ('6.2 HEADERS on 0', frame(HEADERS, END_HEADERS | END_STREAM, 0, head()), 'connection', (1,)),
    ('6.2 padding too long', frame(HEADERS, 8 | END_HEADERS | END_STREAM, 1, b'\xff' + head()), 'connection', (1,)),
    ('6.3 PRIORITY on 0', frame(2, 0, 0, struct.pack('>IB', 0, 1)), 'connection', (1,)),
    ('6.3 PRIORITY size', frame(2, 0, 1, b'\0\0\0\0'), 'either', (6,)),
    ('6.4 RST on 0', frame(RST, 0, 0, b'\0\0\0\1'), 'connection', (1,)),
    ('6.4 RST size', HDR + frame(RST, 0, 1, b'\0\0\1'), 'connection', (6,)),
    ('6.5 ACK with payload', frame(SETTINGS, ACK, 0, b'\0'), 'connection', (6,)),
    ('6.5 SETTINGS on 1', frame(SETTINGS, 0, 1, b'\0\3\0\0\0\1'), 'connection', (1,)),
    ('6.5 SETTINGS size', frame(SETTINGS, 0, 0, b'\0\3\0'), 'connection', (6,)),
    ('6.5.2 ENABLE_PUSH 2', settings((2, 2)), 'connection', (1,)),
    ('6.5.2 INITIAL_WINDOW_SIZE', settings((4, 1 << 31)), 'connection', (3,)),
    ('6.5.2 MAX_FRAME_SIZE small', settings((5, 16383)), 'connection', (1,)),
    ('6.5.2 MAX_FRAME_SIZE large', settings((5, 1 << 24)), 'connection', (1,)),
    ('6.5.3 unknown setting', settings((0xff, 1)) + WHOLE, 'nobody', ()),
    ('6.6 PUSH_PROMISE', frame(5, END_HEADERS, 1, b'\0\0\0\2' + head()), 'connection', (1,)),
    ('6.7 PING on 1', frame(PING, 0, 1, b'x' * 8), 'connection', (1,)),
    ('6.7 PING size', frame(PING, 0, 0, b'x' * 6), 'connection', (6,)),
    ('6.7 PING ACK unasked', frame(PING, ACK, 0, b'x' * 8) + WHOLE, 'nobody', ()),
    ('6.8 GOAWAY on 1', frame(GOAWAY, 0, 1, b'\0' * 8), 'connection', (1,)),
    ('6.9 increment 0', frame(WINDOW, 0, 0, b'\0\0\0\0'), 'connection', (1,)),
    ('6.9 increment 0 on a stream', HDR + frame(WINDOW, 0, 1, b'\0\0\0\0'), 'either', (1,)),
    ('6.9 WINDOW_UPDATE size', frame(WINDOW, 0, 0, b'\0\0\1'), 'connection', (6,)),
    ('6.9.1 window too large', frame(WINDOW, 0, 0, b'\x7f\xff\xff\xff') * 2, 'connection', (3,)),
    ('6.9.1 window of a stream too large', HDR + frame(WINDOW, 0, 1, b'\x7f\xff\xff\xff') * 2, 'either', (3,)),
    ('6.10 CONTINUATION behind END_HEADERS', HDR + frame(CONTINUATION, END_HEADERS, 1, block(('a', 'b'))), 'connection', (1,)),
    ('6.10 CONTINUATION on 0', frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, END_HEADERS, 0, b''), 'connection', (1,)),
    ('6.10 DATA between', frame(HEADERS, 0, 1, head('/', 'POST')) + frame(DATA, END_STREAM, 1, b'x'), 'connection', (1,)),
    ('7541 2.3.3 index out of range', frame(HEADERS, END_HEADERS | END_STREAM, 1, head() + b'\xc6'), 'connection', (9,)),
    ('7541 4.2 table size behind fields', frame(HEADERS, END_HEADERS | END_STREAM, 1, head() + b'\x20'), 'connection', (9,)),
    ('7541 5.2 padding longer than 7 bits', frame(HEADERS, END_HEADERS | END_STREAM, 1, head() + b'\0\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff'), 'connection', (9,)),
    ('7541 5.2 padding of zeros', frame(HEADERS, END_HEADERS | END_STREAM, 1, head() + b'\0\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90'), 'connection', (9,)),
    ('7541 5.2 EOS', frame(HEADERS, END_HEADERS | END_STREAM, 1, head() + b'\0\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f'), 'connection', (9,)),
    ('7541 6.1 index 0', frame(HEADERS, END_HEADERS | END_STREAM, 1, head() + b'\x80'), 'connection', (9,)),
    ('7541 6.3 table too large', frame(HEADERS, END_HEADERS | END_STREAM, 1, b'\x3f\xe1\xff\x03' + head()), 'connection', (9,)),
    ('generic padded head', frame(HEADERS, 8 | END_HEADERS | END_STREAM, 1, b'\x03' + head() + b'\0' * 3), 'nobody', ()),
    ('generic head with priority', frame(HEADERS, 32 | END_HEADERS | END_STREAM, 1, struct.pack('>IB', 0, 255) + head()), 'nobody', ()),
    ('generic padded DATA', HDR + frame(DATA, 8 | END_STREAM, 1, b'\x05Test' + b'\0' * 5), 'nobody', ()),
    ('generic CONTINUATION', frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, END_HEADERS, 1, block(('a', 'b'))), 'nobody', ()),
    ('generic unknown frame', frame(99, 255, 0, b'x') + WHOLE, 'nobody', ()),
    ('generic reserved bit', frame(HEADERS, END_HEADERS | END_STREAM, 1 | 1 << 31, head()), 'nobody', ()),
]


@pytest.mark.parametrize('data,who,codes', [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_rule(shared, data, who, codes):
    daemon, _ = shared
    with H2(daemon.address) as client:
        client.send(data)
        if who == 'nobody':
            assert client.answer(1).status == 200
            return
        if who == 'connection':
            client.send_lax(frame(PING, 0, 0, b'afterall'))
        try:
            while not (client.goaway or (who == 'either' and client.answers.get(1) and client.answers[1].reset is not None)):
                assert client.next()[:2] != (PING, ACK), 'nothing was said'
        except harness.Closed:
            pass
        code = client.goaway[1] if client.goaway else client.answers[1].reset
        assert code in codes
        if client.goaway:
            client.until_end()


@pytest.mark.parametrize('data', [frame(DATA, END_STREAM, 1, b'x'), WHOLE, frame(HEADERS, END_HEADERS | END_STREAM, 1, head('/b'))], ids=['data', 'same', 'other'])
def test_closed_stream_takes_nothing(shared, data):
    daemon, _ = shared
    with H2(daemon.address) as client:
        assert client.get('/').status == 200
        client.send(data)
        client.send(frame(PING, 0, 0, b'12345678'))
        try:
            while not client.goaway and not (client.answers[1].reset is not None) and client.next()[:2] != (PING, ACK):
                pass
        except harness.Closed:
            pass
        assert client.goaway is None or client.goaway[1] in (1, 5)
        assert list(client.answers) == [1]


def test_bad_preface_is_a_bad_request_line(run):
    """Twenty bytes of the preface, and then something else: HTTP/1's parser has the word again."""
    daemon, _ = run()
    with Client(daemon.address) as client:
        client.send(PREFACE[:20])
        client.send(b'XXXX')
        assert client.response().status == 400
    assert last(daemon)['refusal'] == 'upgrade_h2c'


def test_stream_below_the_last_one_is_not_answered(shared):
    daemon, _ = shared
    with H2(daemon.address) as client:
        client.send(GETS(5))
        assert client.answer(5).status == 200
        client.send(GETS(3))
        client.ping()
        assert list(client.answers) == [5]


def test_preface_may_be_refused(tmp_path):
    origin = Origin()
    daemon = Proxyd(tmp_path, site(origin, http='http2_prior_knowledge off;'))
    try:
        daemon.start()
        with Client(daemon.address) as client:
            client.send(PREFACE)
            assert client.response().status == 400
        assert daemon.record()['refusal'] == 'upgrade_h2c'
    finally:
        daemon.close()
        origin.close()


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


def test_more_streams_than_allowed(run):
    def handler(request, conn):
        origin_of[0].pass_gate()
        conn.reply(body=b'x')
    origin_of = []
    daemon, origin = run(handler, http='http2_max_concurrent_streams 4;')
    origin_of.append(origin)
    origin.gate()
    with H2(daemon.address) as client:
        client.ping()
        assert (SETTINGS, 0) in [f[:2] for f in client.frames]
        streams = [client.request(f'/{i}') for i in range(4)]
        extra = client.request('/extra')
        try:
            a = client.answer(extra)
            assert a.reset == 7
        except harness.Closed:
            assert client.goaway[1] == PROTOCOL
        origin.open_gate()


# ---- the end ----

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


# ---- TLS ----

def tls_run(tmp_path, **kw):
    tls_help.Cert('site.test', 'also.test').write(tmp_path)
    daemon = Proxyd(tmp_path, tls_help.site(**kw))
    daemon.start()
    return daemon


def test_alpn(tmp_path):
    daemon = tls_run(tmp_path, names='site.test', more='')
    try:
        with H2(daemon.address, tls='site.test') as client:
            a = client.get('/', scheme='https')
            assert a.status == 200 and a.body == b'hello\n'
        r = daemon.record()
        assert (r['proto'], r['scheme'], r['sni']) == ('HTTP/2.0', 'https', 'site.test') and r['tls']
        with tls_help.TlsClient(daemon.address, ctx=tls_help.context(alpn=['http/1.1'])) as old:
            assert old.sock.selected_alpn_protocol() == 'http/1.1' and old.get('/').status == 200
    finally:
        daemon.close()


def test_http2_off(tmp_path):
    daemon = tls_run(tmp_path, settings='http2 off;')
    try:
        with tls_help.TlsClient(daemon.address, ctx=tls_help.context(alpn=['h2', 'http/1.1'])) as old:
            assert old.sock.selected_alpn_protocol() == 'http/1.1' and old.get('/').status == 200
    finally:
        daemon.close()


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
