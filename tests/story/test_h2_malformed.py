"""HTTP/2: heads and contents that are malformed reset their stream, and their line of the log says why; what is only too large,
or is not done here, is answered."""
import pytest

from h2_help import CONTINUATION, DATA, END_HEADERS, END_STREAM, H2, HEADERS, PROTOCOL, SETTINGS, block, frame

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


def connect(*more):
    return frame(HEADERS, END_HEADERS, 1, block((':method', 'CONNECT'), (':authority', 'site.test:443'), *more))


def test_connect_is_refused(run):
    """This is no forward proxy, and says so."""
    daemon, origin = run()
    with H2(daemon.address) as client:
        client.send(connect())
        assert client.answer(1).status == 405
    r = daemon.record()
    assert (r['refusal'], r['method'], r['status']) == ('connect_method', 'CONNECT', '405') and not origin.requests


def test_websocket_is_not_offered_and_refused(run):
    """RFC 8441 section 3: who was not told that extended CONNECT is there must not use it; who does is told what is wrong."""
    daemon, origin = run()
    with H2(daemon.address) as client:
        client.ping()
        offered = [p for k, f, _, p in client.frames if k == SETTINGS and not f][0]
        assert 8 not in [int.from_bytes(offered[i:i + 2], 'big') for i in range(0, len(offered), 6)]
        client.send(connect((':protocol', 'websocket'), (':scheme', 'http'), (':path', '/chat')))
        assert client.answer(1).reset == PROTOCOL
    r = daemon.record()
    assert (r['refusal'], r['method'], r['target'], r['status']) == ('h2_pseudo', 'CONNECT', '/chat', '0') and not origin.requests
