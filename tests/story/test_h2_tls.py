"""HTTP/2 over TLS: ALPN, names that the certificate is for and those that it is not for (421), early data, HSTS."""
import subprocess

import pytest

import tls_help
from h2_help import END_HEADERS, END_STREAM, H2, HEADERS, PREFACE, frame, head, settings
from harness import DEADLINE, until


@pytest.fixture
def secure(proxy, tmp_path):
    """secure(names of the certificate..., words of the site): a daemon."""
    def make(*names, **kw):
        tls_help.Cert(*(names or ('site.test',))).write(tmp_path)
        return proxy(tls_help.site(**kw))

    return make


def test_alpn(secure):
    daemon = secure()
    with H2(daemon.address, tls='site.test') as client:
        a = client.get('/', scheme='https')
        assert a.status == 200 and a.body == b'hello\n'
    r = daemon.record()
    assert (r['proto'], r['scheme'], r['sni'], r['tls'], r['tls_cipher'] != '') == ('HTTP/2.0', 'https', 'site.test', 'TLSv1.3', True)
    with tls_help.TlsClient(daemon.address, ctx=tls_help.context(alpn=['http/1.1'])) as old:
        assert old.sock.selected_alpn_protocol() == 'http/1.1' and old.get('/').status == 200
    counters = daemon.counters()
    assert (counters['proxyd_h2_requests_total'], counters['proxyd_requests_total'], counters['proxyd_tls_requests_total']) == (1, 2, 2)


def test_http2_off(secure):
    daemon = secure(settings='http2 off;')
    with tls_help.TlsClient(daemon.address, ctx=tls_help.context(alpn=['h2', 'http/1.1'])) as old:
        assert old.sock.selected_alpn_protocol() == 'http/1.1' and old.get('/').status == 200


def test_http1_behind_alpn_h2_is_told(secure):
    """The client has chosen, and then speaks something else."""
    daemon = secure()
    with tls_help.TlsClient(daemon.address, ctx=tls_help.context(alpn=['h2'])) as client:
        client.send(b'GET / HTTP/1.1\r\nHost: site.test\r\n\r\n')
        client.take_all()
    ended = until('its record', lambda: [r for r in daemon.all_records() if r['rec'] == 'http2'])
    assert (ended[0]['end'], ended[0]['scheme']) == ('h2_invalid', 'https') and ended[0]['h2_error']
    assert not daemon.requests()


def test_connection_without_a_request_has_its_record(secure):
    daemon = secure()
    with H2(daemon.address, tls='site.test') as client:
        client.ping()
    with H2(daemon.address, tls='site.test') as client:
        client.send_lax(settings() * 50)
        client.until_end()
    records = tls_help.tls_records(daemon, 2)
    assert sorted(r['end'] for r in records) == ['client_left', 'h2_settings_flood']
    assert daemon.counters()['proxyd_tls_handshakes_full_total'] == 2


# ---- one connection for several names (RFC 9113 section 9.1.1) ----

OTHER = '''
server { listen 127.0.0.1:0 ssl; server_name other.test also.test; ssl_certificate other.crt; ssl_certificate_key other.key;
    location / { return 200 "other\\n"; } }'''


@pytest.fixture
def coalesced(secure, tmp_path):
    """site.test, whose certificate is for also.test, too, and 127.0.0.1; other.test has its own."""
    tls_help.Cert('other.test').write(tmp_path, 'other')
    return secure('site.test', 'also.test', '*.wild.test', '127.0.0.1', names='site.test www.site.test', more=OTHER)


@pytest.mark.parametrize('sni, host, status', [
    ('site.test', 'site.test', 200),
    ('site.test', 'SITE.test', 200),
    ('site.test', 'site.test:443', 200),
    ('site.test', 'also.test', 200),             # another server, and the certificate that was shown is for it
    ('site.test', 'a.wild.test', 200),
    ('site.test', 'a.b.wild.test', 421),
    ('site.test', 'wild.test', 421),
    ('site.test', 'other.test', 421),
    ('other.test', 'site.test', 421),
    ('site.test', 'www.site.test', 421),         # the same server, but not the certificate
    ('site.test', 'unknown.test', 421),
    ('site.test', '127.0.0.1', 200),
    ('site.test', '127.0.0.2', 421),
    ('site.test', '[::1]:443', 421),
    ('www.site.test', 'www.site.test', 200),     # it was told by the handshake what it gets
    ('127.0.0.1', 'www.site.test', 200),         # no name in the handshake: the default server's
    ('127.0.0.1', 'other.test', 421),
])
def test_name_that_the_certificate_is_not_for(coalesced, sni, host, status):
    daemon = coalesced
    with H2(daemon.address, tls=sni) as client:
        assert client.get('/', host=host, scheme='https').status == status
        assert client.get('/', host='site.test' if sni == '127.0.0.1' else sni, scheme='https').status == 200, 'the connection lives'
    r = daemon.records(2)[0]
    assert (r['status'], r['refusal']) == (str(status), 'misdirected' if status == 421 else '')
    with tls_help.TlsClient(daemon.address, sni) as old:
        assert old.get('/', host=host).status in (200, 400), 'HTTP/1 has no such connections'


def test_certificates_of_clients_are_not_shared_among_names(secure, tmp_path):
    """The certificate is for both, but only one of them has asked the client who it is."""
    tls_help.Cert('client').write(tmp_path, 'client')
    more = '''server { listen 127.0.0.1:0 ssl; server_name also.test; ssl_certificate site.crt; ssl_certificate_key site.key;
        ssl_client_certificate client.crt; ssl_verify_client on; location / { return 200; } }'''
    daemon = secure('site.test', 'also.test', more=more)
    with H2(daemon.address, tls='site.test') as client:
        assert client.get('/', host='also.test', scheme='https').status == 421
    assert daemon.record()['refusal'] == 'misdirected'


# ---- what depends on TLS ----

def test_hsts(secure):
    daemon = secure(settings='hsts 1y;')
    with H2(daemon.address, tls='site.test') as client:
        assert client.get('/', scheme='https').headers.get('strict-transport-security') == 'max-age=31536000'


@pytest.mark.parametrize('method, status', [('GET', 200), ('DELETE', 425)])
def test_early_data(secure, origin, tmp_path, method, status):
    o = origin(headers=[('Cache-Control', 'no-store')])
    daemon = secure(settings='ssl_early_data on;', body=f'proxy_pass http://{o.address};')
    to = ['openssl', 's_client', '-connect', '%s:%d' % daemon.address, '-servername', 'site.test', '-ign_eof', '-tls1_3', '-alpn', 'h2']

    def talk(method, path, *more, **kw):
        said = PREFACE + settings() + frame(HEADERS, END_HEADERS | END_STREAM, 1, head(path, method, scheme='https')) \
            + frame(7, 0, 0, bytes(8))                   # GOAWAY: the end comes with the answer
        tls_help.put(str(tmp_path / 'said'), said)
        with open(tmp_path / 'said', 'rb') as f:
            return subprocess.run([*to, *more], stdin=subprocess.DEVNULL if '-early_data' in more else f, cwd=tmp_path, capture_output=True,
                                  timeout=2 * DEADLINE, check=False).stdout
    talk('GET', '/first', '-sess_out', 'session')
    daemon.records(1)
    said = talk(method, '/early', '-sess_in', 'session', '-early_data', 'said')
    assert b'Early data was accepted' in said, said[-2000:]
    r = daemon.records(2)[1]
    assert (r['tls_early'], r['tls_resumed'], r['status'], r['proto'], r['target']) == ('1', '1', str(status), 'HTTP/2.0', '/early')
    if status == 425:
        assert r['refusal'] == 'too_early' and len(o.requests) == 1
    else:
        assert [q.headers.all('early-data') for q in o.requests] == [[], ['1']]


def test_a_large_answer_and_large_content(secure, origin):
    body = bytes(range(256)) * 8000
    o = origin(lambda request, conn: conn.reply(body=request.body))
    daemon = secure(body=f'proxy_pass http://{o.address};')
    with H2(daemon.address, tls='site.test') as client:
        s = client.request('/', method='POST', scheme='https', end=False)
        given = 65535
        for i in range(0, len(body), 16000):
            piece = body[i:i + 16000]
            while given < len(piece):
                kind, _, stream, payload = client.next()
                given += int.from_bytes(payload, 'big') if kind == 8 and stream == s else 0
            given -= len(piece)
            client.send(frame(0, END_STREAM if i + 16000 >= len(body) else 0, s, piece))
        assert client.answer(s).body == body
    r = daemon.record()
    assert r['body_out'] == str(len(body)) and r['end'] == 'complete'
