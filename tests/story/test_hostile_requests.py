"""What is ambiguous is refused: 4xx or 5xx with a named reason in the log, the connection is closed, and not one byte of it
reaches an origin (design section 12, points 1, 2, 4, 9, 11; RFC 9112)."""
import pytest

from harness import Client, until

H = b'Host: site.test\r\n'
GET = b'GET / HTTP/1.1\r\n' + H
POST = b'POST /up HTTP/1.1\r\n' + H
SMUGGLED = b'GET /smuggled HTTP/1.1\r\n' + H + b'\r\n'

# name, bytes, status, refusal of the log
REFUSED = [
    # framing
    ('both_framings', POST + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'length_and_coding'),
    ('both_framings_coding_first', POST + b'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n', 400, 'length_and_coding'),
    ('both_framings_length_0', POST + b'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'length_and_coding'),
    ('both_framings_in_a_get', GET + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'length_and_coding'),
    ('two_lengths', POST + b'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 400, 'length_conflict'),
    ('two_equal_lengths', POST + b'Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello', 400, 'length_conflict'),
    ('length_list', POST + b'Content-Length: 5, 5\r\n\r\nhello', 400, 'length_conflict'),
    ('length_plus', POST + b'Content-Length: +5\r\n\r\nhello', 400, 'length_invalid'),
    ('length_minus', POST + b'Content-Length: -5\r\n\r\nhello', 400, 'length_invalid'),
    ('length_hex', POST + b'Content-Length: 0x5\r\n\r\nhello', 400, 'length_invalid'),
    ('length_empty', POST + b'Content-Length:\r\n\r\nhello', 400, 'length_invalid'),
    ('length_blank_inside', POST + b'Content-Length: 1 0\r\n\r\nhellohello', 400, 'length_invalid'),
    ('length_over_64_bit', POST + b'Content-Length: 18446744073709551621\r\n\r\nhello', 400, 'length_invalid'),
    ('length_over_63_bit', POST + b'Content-Length: 9223372036854775808\r\n\r\nhello', 400, 'length_invalid'),
    ('length_with_letters', POST + b'Content-Length: 5abc\r\n\r\nhello', 400, 'length_invalid'),
    ('coding_in_1_0', b'POST /up HTTP/1.0\r\n' + H + b'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'coding_in_1_0'),
    ('chunked_twice', POST + b'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', 400, 'coding_invalid'),
    ('chunked_twice_in_two_lines', POST + b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'coding_invalid'),
    ('chunked_not_last', POST + b'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n', 400, 'coding_invalid'),
    ('gzip_chunked', POST + b'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 501, 'coding_unknown'),
    ('identity', POST + b'Transfer-Encoding: identity\r\n\r\n', 400, 'coding_invalid'),
    ('xchunked', POST + b'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', 400, 'coding_invalid'),
    ('coding_quoted', POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', 400, 'coding_invalid'),
    ('coding_empty', POST + b'Transfer-Encoding:\r\n\r\n0\r\n\r\n', 400, 'coding_invalid'),
    ('coding_vertical_tab', POST + b'Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n', 400, 'control_byte'),
    ('chunk_size_no_hex', POST + b'Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n', 400, 'chunk_size'),
    ('chunk_size_0x', POST + b'Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n', 400, 'chunk_size'),
    ('chunk_size_minus', POST + b'Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n', 400, 'chunk_size'),
    ('chunk_size_plus', POST + b'Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n', 400, 'chunk_size'),
    ('chunk_size_huge', POST + b'Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n', 400, 'chunk_size'),
    ('chunk_size_empty', POST + b'Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n', 400, 'chunk_size'),
    ('chunk_without_crlf', POST + b'Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n', 400, 'chunk_end'),
    ('chunk_ends_in_lf', POST + b'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n', 400, 'chunk_end'),
    ('chunk_line_ends_in_lf', POST + b'Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n', 400, None),
    ('chunk_ext_control', POST + b'Transfer-Encoding: chunked\r\n\r\n5;a=\x01\r\nhello\r\n0\r\n\r\n', 400, 'chunk_ext'),
    ('chunk_ext_lf', POST + b'Transfer-Encoding: chunked\r\n\r\n5;a\nX\r\nhello\r\n0\r\n\r\n', 400, None),
    ('chunk_ext_long', POST + b'Transfer-Encoding: chunked\r\n\r\n5;' + b'a' * 20000 + b'\r\nhello\r\n0\r\n\r\n', 400, 'chunk_ext'),
    ('trailer_no_colon', POST + b'Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n', 400, 'trailer_invalid'),
    ('trailer_too_large', POST + b'Transfer-Encoding: chunked\r\n\r\n0\r\nA: ' + b'x' * 200000 + b'\r\n\r\n', 400, 'trailer_invalid'),
    # bytes
    ('bare_cr_in_value', GET + b'A: b\rc\r\n\r\n', 400, 'bare_cr'),
    ('bare_cr_in_request_line', b'GET /\r HTTP/1.1\r\n' + H + b'\r\n', 400, None),
    ('bare_lf_line_end', b'GET / HTTP/1.1\nHost: site.test\n\n', 400, 'bare_lf'),
    ('bare_lf_between_fields', GET + b'A: b\nC: d\r\n\r\n', 400, 'bare_lf'),
    ('lf_at_the_end', GET + b'A: b\r\n\n', 400, 'bare_lf'),
    ('nul_in_value', GET + b'A: b\0c\r\n\r\n', 400, 'control_byte'),
    ('nul_in_name', GET + b'A\0b: c\r\n\r\n', 400, None),
    ('escape_in_value', GET + b'A: \x1b[2J\r\n\r\n', 400, 'control_byte'),
    ('del_in_value', GET + b'A: \x7f\r\n\r\n', 400, 'control_byte'),
    ('obs_fold', GET + b'A: b\r\n c\r\n\r\n', 400, 'obs_fold'),
    ('obs_fold_tab', GET + b'A: b\r\n\tc\r\n\r\n', 400, 'obs_fold'),
    ('blank_before_first_field', b'GET / HTTP/1.1\r\n Host: site.test\r\n\r\n', 400, 'obs_fold'),
    ('blank_before_colon', b'GET / HTTP/1.1\r\nHost : site.test\r\n\r\n', 400, 'blank_before_colon'),
    ('tab_before_colon', GET + b'Content-Length\t: 5\r\n\r\nhello', 400, 'blank_before_colon'),
    ('empty_name', GET + b': b\r\n\r\n', 400, 'field_name'),
    ('name_no_token', GET + b'A(b): c\r\n\r\n', 400, 'field_name'),
    ('name_with_high_byte', GET + b'A\xe4: c\r\n\r\n', 400, 'field_name'),
    ('no_colon', GET + b'nonsense\r\n\r\n', 400, 'no_colon'),
    # request line
    ('no_version', b'GET /\r\n\r\n', 400, 'request_line'),
    ('two_blanks', b'GET  / HTTP/1.1\r\n' + H + b'\r\n', 400, 'request_line'),
    ('blank_at_end', b'GET / HTTP/1.1 \r\n' + H + b'\r\n', 400, 'request_line'),
    ('blank_in_target', b'GET /a b HTTP/1.1\r\n' + H + b'\r\n', 400, 'request_line'),
    ('tab_in_line', b'GET\t/ HTTP/1.1\r\n' + H + b'\r\n', 400, None),
    ('method_no_token', b'GE(T / HTTP/1.1\r\n' + H + b'\r\n', 400, 'method_token'),
    ('lower_case_http', b'GET / http/1.1\r\n' + H + b'\r\n', 400, 'request_line'),
    ('version_2_0', b'GET / HTTP/2.0\r\n' + H + b'\r\n', 505, 'version'),
    ('version_0_9', b'GET / HTTP/0.9\r\n' + H + b'\r\n', 505, 'version'),
    ('version_long', b'GET / HTTP/1.10\r\n' + H + b'\r\n', 400, 'request_line'),
    ('fragment', b'GET /a#b HTTP/1.1\r\n' + H + b'\r\n', 400, 'target_form'),
    ('target_relative', b'GET a/b HTTP/1.1\r\n' + H + b'\r\n', 400, 'target_form'),
    ('target_high_byte', b'GET /\xe4 HTTP/1.1\r\n' + H + b'\r\n', 400, 'target_form'),
    ('target_quote', b'GET /"<> HTTP/1.1\r\n' + H + b'\r\n', 400, 'target_form'),
    ('star_with_get', b'GET * HTTP/1.1\r\n' + H + b'\r\n', 400, 'target_form'),
    ('scheme_ftp', b'GET ftp://site.test/ HTTP/1.1\r\n' + H + b'\r\n', 400, 'target_form'),
    ('nonsense', b'\xff\xfe\xfd\r\n\r\n', 400, None),
    ('tls_hello', b'\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03' + b'x' * 100, 400, 'tls_on_plain'),
    # Host
    ('host_missing', b'GET / HTTP/1.1\r\n\r\n', 400, 'host_missing'),
    ('host_twice', GET + b'Host: other.test\r\n\r\n', 400, 'host_duplicate'),
    ('host_twice_equal', GET + H + b'\r\n', 400, 'host_duplicate'),
    ('host_open_bracket', b'GET / HTTP/1.1\r\nHost: [::1\r\n\r\n', 400, 'host_invalid'),
    ('host_two_ports', b'GET / HTTP/1.1\r\nHost: h:80:81\r\n\r\n', 400, 'host_invalid'),
    ('host_port_0', b'GET / HTTP/1.1\r\nHost: h:0\r\n\r\n', 400, 'host_invalid'),
    ('host_port_65536', b'GET / HTTP/1.1\r\nHost: h:65536\r\n\r\n', 400, 'host_invalid'),
    ('host_port_letters', b'GET / HTTP/1.1\r\nHost: h:a\r\n\r\n', 400, 'host_invalid'),
    ('host_user', b'GET / HTTP/1.1\r\nHost: user@site.test\r\n\r\n', 400, 'host_invalid'),
    ('host_path', b'GET / HTTP/1.1\r\nHost: site.test/a\r\n\r\n', 400, 'host_invalid'),
    ('host_blank', b'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400, 'host_invalid'),
    ('host_list', b'GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n', 400, 'host_invalid'),
    ('absolute_form_disagrees', b'GET http://other.test/ HTTP/1.1\r\n' + H + b'\r\n', 400, 'host_mismatch'),
    ('absolute_form_port_disagrees', b'GET http://site.test:81/ HTTP/1.1\r\n' + H + b'\r\n', 400, 'host_mismatch'),
    ('absolute_form_user', b'GET http://u@site.test/ HTTP/1.1\r\n' + H + b'\r\n', 400, None),
    ('absolute_form_no_host', b'GET http:///a HTTP/1.1\r\n' + H + b'\r\n', 400, None),
    ('absolute_form_bracket', b'GET http://[::1/ HTTP/1.1\r\nHost: [::1]\r\n\r\n', 400, None),
    # meaning
    ('connect', b'CONNECT site.test:443 HTTP/1.1\r\n' + H + b'\r\n', 405, 'connect_method'),
    ('expect_unknown', GET + b'Expect: 200-maybe\r\n\r\n', 417, 'expectation'),
    ('max_forwards_no_number', b'OPTIONS / HTTP/1.1\r\n' + H + b'Max-Forwards: many\r\n\r\n', 400, 'max_forwards'),
    ('max_forwards_twice', b'OPTIONS / HTTP/1.1\r\n' + H + b'Max-Forwards: 1\r\nMax-Forwards: 2\r\n\r\n', 400, 'max_forwards'),
    ('connection_names_host', GET + b'Connection: host\r\n\r\n', 400, 'connection_invalid'),
    ('connection_names_length', POST + b'Content-Length: 5\r\nConnection: content-length\r\n\r\nhello', 400, 'connection_invalid'),
    ('connection_names_authorization', GET + b'Authorization: Basic eA==\r\nConnection: Authorization\r\n\r\n', 400, 'connection_invalid'),
    ('connection_no_token', GET + b'Connection: a/b\r\n\r\n', 400, 'connection_invalid'),
    ('head_cut', GET + b'A: half a li', 400, 'head_incomplete'),
]


@pytest.mark.parametrize('data,status,refusal', [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_ambiguous_request_is_refused_closed_and_logged(cached, data, status, refusal):
    daemon, o = cached()
    with Client(daemon.address) as client:
        client.send(data + (b'' if refusal == 'head_incomplete' else SMUGGLED))
        if refusal == 'head_incomplete':
            client.sock.shutdown(1)
        answer = client.response()
        assert answer.status == status, answer
        assert answer.headers.get('connection', '').lower() == 'close'
        client.assert_closed()
    record = daemon.record()
    assert (record['cache'], record['end'], record['status']) == ('refused', 'refused', str(status))
    assert record['refusal'] == refusal if refusal else record['refusal'] != ''
    assert b'smuggled' not in o.bytes_seen()
    if b'/up' not in data:
        assert o.requests == []


@pytest.mark.parametrize('data', [r[1] for r in REFUSED if r[0] in ('both_framings', 'bare_lf_between_fields', 'obs_fold', 'host_two_ports', 'no_colon')])
def test_the_verdict_is_the_same_byte_by_byte(cached, data):
    daemon, o = cached()
    whole = daemon.raw(data).split(b'\r\n')[0]
    with Client(daemon.address) as client:
        try:
            for i in range(len(data)):
                client.send(data[i:i + 1])
        except OSError:
            pass                     # refused before its end
        assert client.take_all().split(b'\r\n')[0] == whole
    one, two = daemon.records(2)
    assert one['refusal'] == two['refusal']
    assert o.requests == []


@pytest.mark.parametrize('line,status,refusal', [
    (b'TRACE / HTTP/1.1', 405, 'method_not_allowed'),
    (b'GET /a%00b HTTP/1.1', 400, 'target_form'),
    (b'GET /a%zz HTTP/1.1', 400, 'target_form'),
])
def test_what_is_clear_but_unwanted_is_refused(cached, line, status, refusal):
    """Where the next request begins is in no doubt: the connection may be kept, and goes on with that one."""
    daemon, o = cached()
    with daemon.client() as client:
        client.send(line + b'\r\n' + H + b'\r\n')
        answer = client.response()
        assert answer.status == status
        if answer.headers.get('connection', '').lower() != 'close':
            assert client.get('/next').status == 200
    from_log = daemon.records(1 if o.paths() == [] else 2)
    assert from_log[0]['refusal'] == refusal
    assert o.paths() in ([], ['/next'])


def test_empty_lines_before_a_request_are_skipped(cached):
    daemon, _ = cached()
    answer = daemon.raw(b'\r\n\r\nGET / HTTP/1.1\r\n' + H + b'Connection: close\r\n\r\n')
    assert answer.startswith(b'HTTP/1.1 200 ')


def test_an_empty_connection_makes_no_line(cached):
    daemon, _ = cached()
    assert daemon.raw(b'') == b''
    daemon.get('/')
    assert daemon.record()['target'] == '/'


def test_absolute_form_that_agrees_is_taken(cached):
    daemon, o = cached()
    assert daemon.raw(b'GET http://SITE.test:80/a?b HTTP/1.1\r\n' + H + b'Connection: close\r\n\r\n').startswith(b'HTTP/1.1 200 ')
    assert o.requests[0].target == '/a?b'
    assert o.requests[0].headers.get('host').lower() in ('site.test', 'site.test:80')


def test_an_upgrade_to_h2c_is_not_passed_on(cached):
    daemon, o = cached()
    answer = daemon.get('/', headers=[('Connection', 'Upgrade, HTTP2-Settings'), ('Upgrade', 'h2c'), ('HTTP2-Settings', 'AAMAAABkAAQAAP__')])
    assert answer.status in (200, 400)
    for request in o.requests:
        assert not request.headers.has('upgrade') and not request.headers.has('http2-settings') and not request.headers.has('connection')


def test_an_unknown_method_is_an_ordinary_request(cached):
    """It is neither piped nor is the next request on the connection lost."""
    daemon, o = cached()
    with daemon.client() as client:
        assert client.get('/a', method='BREW').status == 200
        assert client.get('/b').status == 200
    assert [(r.method, r.target) for r in o.requests] == [('BREW', '/a'), ('GET', '/b')]


@pytest.mark.parametrize('data, proto', [
    (b'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 'HTTP/1.0'), (b'GET / HTTP/1.1\r\n\r\n', 'HTTP/1.1'),
    (b'GET / HTTP/3.7\r\n\r\n', ''), (b'\x16\x03\x01\x02\x00\r\n', ''), (b'GET /\r\n\r\n', ''),
])
def test_the_protocol_of_a_refused_request_is_what_it_said(cached, data, proto):
    daemon, _ = cached()
    daemon.raw(data)
    record = daemon.record()
    assert (record['cache'], record['proto']) == ('refused', proto)


def test_a_long_request_line_is_414(cached):
    daemon, o = cached(more='client_line_max 1k;')
    answer = daemon.get('/' + 'x' * 2000)
    assert answer.status == 414
    assert daemon.record()['refusal'] == 'line_too_long'
    assert o.requests == []


def test_a_line_that_never_ends_is_414(cached):
    daemon, _ = cached(more='client_line_max 1k;')
    with daemon.client() as client:
        client.send(b'GET /' + b'x' * 4000)
        assert client.response().status == 414
        client.assert_closed()
    assert daemon.record()['refusal'] == 'line_too_long'


def test_a_large_header_section_is_431(cached):
    daemon, o = cached(more='client_header_max 4k;')
    with daemon.client() as client:
        answer = client.get('/', headers=[('X-Large', 'x' * 8000)])
        assert answer.status == 431
        client.assert_closed()
    assert daemon.record()['refusal'] == 'head_too_large'
    assert o.requests == []


def test_too_many_fields_are_431(cached):
    daemon, o = cached(more='client_header_count_max 20;')
    assert daemon.get('/', headers=[('A', 'b')] * 19).status == 200      # and Host
    assert daemon.get('/', headers=[('A', 'b')] * 20).status == 431
    assert daemon.records(2)[1]['refusal'] == 'too_many_fields'
    assert len(o.requests) == 1


def test_5000_fields_cost_little(cached):
    daemon, _ = cached()
    fields = b''.join(b'F%d: x\r\n' % i for i in range(5000))
    for _ in range(20):
        assert b'431' in daemon.raw(GET + fields + b'\r\n').split(b'\r\n')[0]
    assert daemon.cpu_seconds() < 2, 'for 20 requests of 5,000 fields'


def test_a_large_content_is_413(cached):
    daemon, o = cached(settings='client_max_body_size 1k;')
    with daemon.client() as client:
        client.request('/up', method='POST', headers=[('Content-Length', '2000')])
        answer = client.response()
        assert answer.status == 413
    assert daemon.record()['refusal'] == 'body_too_large'
    assert o.requests == []


def test_a_large_chunked_content_is_413(cached):
    daemon, o = cached(settings='client_max_body_size 1k;')
    with daemon.client() as client:
        client.request('/up', method='POST', headers=[('Transfer-Encoding', 'chunked')])
        client.send(b'800\r\n' + b'x' * 2048 + b'\r\n')
        answer = client.response()
        assert answer.status == 413
        client.send(b'0\r\n\r\n')
        if answer.headers.get('connection', '').lower() == 'close':
            client.assert_closed()
        else:                        # it had read the content to its end
            assert client.get('/next').status == 200
    until('the record', daemon.requests)
    assert daemon.records(1)[0]['refusal'] == 'body_too_large'
    assert '/up' not in o.paths()


def test_the_content_of_a_refused_request_is_never_a_request(cached):
    daemon, o = cached(settings='client_max_body_size 10;')
    inner = SMUGGLED
    with daemon.client() as client:
        client.request('/up', method='POST', headers=[('Content-Length', str(len(inner)))])
        client.send(inner)
        assert client.response().status == 413
        client.assert_closed()
    daemon.record()
    assert o.requests == []


def test_a_head_that_does_not_come_is_408(cached):
    daemon, _ = cached(more='client_header_timeout 300ms;')
    with daemon.client() as client:
        client.send(b'GET / HTTP/1.1\r\nHost: site.te')
        answer = client.response()
        assert answer.status == 408
        client.assert_closed()
    record = daemon.record()
    assert (record['refusal'], record['status'], record['end']) == ('head_timeout', '408', 'client_header_timeout')
    assert 200_000 < int(record['total_us']) < 3_000_000


def test_a_host_nobody_serves_goes_to_the_default_server(proxy, origin):
    a, b = origin(body=b'a'), origin(body=b'b')
    daemon = proxy(f'''
        workers 1; access_log access.csv;
        server {{ listen 127.0.0.1:0; server_name a.test; location / {{ proxy_pass http://{a.address}; }} }}
        server {{ listen 127.0.0.1:0 default_server; server_name b.test; location / {{ proxy_pass http://{b.address}; }} }}''')
    assert daemon.get('/', host='a.test').body == b'a'
    assert daemon.get('/', host='b.test').body == b'b'
    assert daemon.get('/', host='c.test').body == b'b'


def test_no_location_is_404(proxy, origin):
    o = origin()
    daemon = proxy(f'''
        workers 1; access_log access.csv;
        server {{ listen 127.0.0.1:0; location /only/ {{ proxy_pass http://{o.address}; }} }}''')
    assert daemon.get('/else').status == 404
    assert daemon.record()['refusal'] == 'no_route'
    assert daemon.get('/only/a').status == 200


def test_no_location_keeps_the_connection(proxy, origin):
    """A refusal that leaves no doubt where the next request begins does not cost the connection."""
    o = origin()
    daemon = proxy(f'''
        workers 1; access_log access.csv;
        server {{ listen 127.0.0.1:0; location /only/ {{ proxy_pass http://{o.address}; }} }}''')
    with daemon.client() as client:
        assert client.get('/else').status == 404
        assert client.get('/only/a').status == 200
