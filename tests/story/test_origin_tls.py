"""TLS to origins: who is believed and who is not, in which words, what is asked for, what is shown, what is reused."""
import os
import ssl

import pytest

import harness
from tls_help import PEM, Cert, TlsOrigin, crl, put

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
MAX_AGE = [('Cache-Control', 'max-age=600')]


@pytest.fixture(scope='module')
def ca():
    return Cert(ca=True, common='story ca')


@pytest.fixture
def tls_origin(origin):     # origin: so that they are closed after the daemons
    made = []

    def make(cert, handler=None, **kw):
        made.append(TlsOrigin(cert, handler, **kw))
        return made[-1]

    yield make
    for one in made:
        one.close()


def config(place, settings='', trusted='ca.pem', cache=False, **kw):
    """A site before https://PLACE."""
    settings = (f'proxy_ssl_trusted_certificate {trusted}; ' if trusted else '') + settings
    return harness.site('unused', cache=cache, settings=settings, **kw).replace('http://unused', f'https://{place}')


@pytest.fixture
def before(proxy, tmp_path, ca):
    """before(origin, settings) -> daemon: a site before it that knows the CA."""
    def make(o, settings='', place=None, daemon=None, **kw):
        put(str(tmp_path / 'ca.pem'), ca.cert.public_bytes(PEM))
        return proxy(config(place or f'localhost:{o.port}', settings, **kw), **(daemon or {}))

    return make


def refused(daemon, o, reason, end='origin_tls_certificate', error='tls_certificate_error', verify='bad'):
    """502 with its reason, and nothing of the request has left."""
    r = daemon.get('/secret', headers=[('Authorization', 'Basic c2VjcmV0')])
    assert r.status == 502 and f'error={error}' in r.headers.get('Proxy-Status'), r
    line = daemon.record()
    assert (line['end'], line['origin_verify'], line['origin_tls']) == (end, verify, ''), line
    assert line['origin_status'] == '' and line['origin_tls_us'] == '' and line['origin_tries'] == '1'
    assert reason in line['origin_tls_error'], line['origin_tls_error']
    assert not o or not o.requests
    counters = daemon.counters()
    assert counters['proxyd_origin_tls_handshakes_failed_total'] == 1
    return r


# ---- certificates ----

@pytest.mark.parametrize('names, host', [
    (['localhost'], 'localhost'), (['127.0.0.1'], '127.0.0.1'), (['*.app.test', 'localhost'], 'localhost'),
])
def test_a_certificate_for_the_name_is_good(tls_origin, before, ca, names, host):
    o = tls_origin(Cert(*names, issuer=ca), body=b'hello\n')
    daemon = before(o, place=f'{host}:{o.port}')
    assert daemon.get('/').body == b'hello\n'
    line = daemon.record()
    assert (line['origin_tls'], line['origin_verify'], line['origin_name'], line['end']) == ('TLSv1.3', 'good', host, 'complete')
    assert int(line['origin_tls_us']) > 0 and int(line['connect_us']) >= 0 and line['origin_tls_error'] == '' and line['origin_tls_resumed'] == '0'
    assert o.hellos == ([host] if host == 'localhost' else [None])       # RFC 6066: addresses are not sent
    assert o.requests[0].headers.get('Host') == 'site.test'
    assert daemon.counters()['proxyd_origin_tls_handshakes_full_total'] == 1


@pytest.mark.parametrize('name, good', [('a.app.test', True), ('A.App.Test.', True), ('app.test', False), ('b.a.app.test', False), ('a.app.test.evil', False)])
def test_a_wildcard_is_one_label(tls_origin, before, ca, name, good):
    o = tls_origin(Cert('*.app.test', issuer=ca))
    daemon = before(o, f'proxy_ssl_name {name};')
    if good:
        assert daemon.get('/').status == 200 and daemon.record()['origin_verify'] == 'good'
        assert o.hellos == ['a.app.test']
    else:
        refused(daemon, o, 'the certificate is for *.app.test')


WRONG = {
    'expired': (lambda ca: Cert('localhost', issuer=ca, days=-1, since=9), 'the certificate expired at 20'),
    'not yet valid': (lambda ca: Cert('localhost', issuer=ca, days=9, since=-2), 'the certificate is not valid before 20'),
    'wrong name': (lambda ca: Cert('a.test', '10.0.0.1', issuer=ca), 'the certificate is for a.test, 10.0.0.1'),
    'common name only': (lambda ca: Cert(issuer=ca, common='localhost'), 'no subjectAltName'),
    'self-signed': (lambda ca: Cert('localhost'), 'signed by itself'),
    'unknown issuer': (lambda ca: Cert('localhost', issuer=Cert(ca=True, common='somebody')), "unknown issuer 'somebody'"),
    'partial wildcard': (lambda ca: Cert('local*', issuer=ca), 'the certificate is for local*'),
}


@pytest.mark.parametrize('why', list(WRONG))
@pytest.mark.parametrize('version', [V12, V13])
def test_a_wrong_certificate_is_refused_by_name(tls_origin, before, ca, why, version):
    make, reason = WRONG[why]
    o = tls_origin(make(ca), low=version, high=version)
    refused(before(o), o, reason)
    o.wait_failed()                              # and the origin was told


def test_an_address_needs_an_address(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', '127.0.0.2', issuer=ca))
    refused(before(o, place=f'127.0.0.1:{o.port}'), o, 'the certificate is for localhost, 127.0.0.2')


def test_a_certificate_that_is_written_down_is_believed(tls_origin, before, tmp_path):
    """A self-signed one, and one whose issuer nobody knows."""
    for number, cert in enumerate((Cert('localhost'), Cert('localhost', issuer=Cert(ca=True, common='somebody')))):
        o = tls_origin(cert)
        put(str(tmp_path / 'own.pem'), cert.cert.public_bytes(PEM))
        daemon = before(o, trusted='own.pem', daemon={'folder': None})
        assert daemon.get('/').status == 200, number
        daemon.stop()


def test_an_intermediate_belongs_to_the_chain(tls_origin, before, ca):
    between = Cert(ca=True, common='between', issuer=ca)
    leaf = Cert('localhost', issuer=between)
    good = tls_origin(leaf)
    bad = tls_origin(leaf, chain=leaf.cert.public_bytes(PEM))
    assert before(good).get('/').status == 200
    refused(before(bad, daemon={'folder': 'bad'}, trusted='../ca.pem'), bad, "unknown issuer 'between'")


def test_the_depth_is_bounded(tls_origin, before, ca):
    leaf = Cert('localhost', issuer=Cert(ca=True, common='between', issuer=ca))
    o = tls_origin(leaf)
    refused(before(o, 'proxy_ssl_verify_depth 0;'), o, '')


def test_a_revoked_certificate_is_refused(tls_origin, before, ca, tmp_path):
    cert, other = Cert('localhost', issuer=ca), Cert('localhost', issuer=ca)
    put(str(tmp_path / 'crl.pem'), crl(ca, cert))
    good = tls_origin(other)
    assert before(good, 'proxy_ssl_crl crl.pem;').get('/').status == 200
    bad = tls_origin(cert)
    refused(before(bad, 'proxy_ssl_crl ../crl.pem;', daemon={'folder': 'bad'}, trusted='../ca.pem'), bad, 'the certificate is revoked')


def test_the_systems_certificates_are_the_default(tls_origin, before, proxy, ca, tmp_path):
    o = tls_origin(Cert('localhost', issuer=ca))
    refused(before(o, trusted=None), o, "unknown issuer 'story ca'")
    known = before(o, trusted=None, daemon={'folder': 'known', 'env': {'SSL_CERT_FILE': str(tmp_path / 'ca.pem')}})
    assert known.get('/').status == 200
    none = proxy(config(f'localhost:{o.port}', trusted=None), start=False, folder='none', env={'SSL_CERT_FILE': '/nowhere/ca.pem'}).run('-t', '-c', 'proxyd.conf')
    assert none.returncode == 1 and "'/nowhere/ca.pem': No such file" in none.stderr


def test_time_is_the_daemons(tls_origin, before, ca, clock):
    o = tls_origin(Cert('localhost', issuer=ca, days=3), lambda request, conn: (conn.reply(200), conn.good_bye()))
    daemon = before(o, daemon={'clock': clock})
    assert daemon.get('/').status == 200
    clock.jumps(5 * 86400)                       # the session of before must not help either
    assert daemon.get('/').status == 502
    assert 'expired' in daemon.records(2)[1]['origin_tls_error']


# ---- not verified ----

def test_verification_is_switched_off_by_a_word_that_shows_everywhere(tls_origin, before):
    o = tls_origin(Cert('somebody.else'))
    daemon = before(o, 'proxy_ssl_verify off;')
    assert daemon.get('/').status == 200
    line = daemon.record()
    assert (line['origin_verify'], line['origin_tls'], line['origin_name']) == ('off', 'TLSv1.3', 'localhost')
    assert 'proxy_ssl_verify off;' in daemon.run('-T', '-c', 'proxyd.conf').stdout
    found = harness.findings(harness.audit_json('check', daemon.log), 'origin-unverified')
    assert [(f['subject'], f['severity'], f['count']) for f in found] == [(f'site.test 127.0.0.1:{o.port}', 'warning', 1)]
    assert daemon.counters()['proxyd_origin_unverified_total'] == 1


def test_the_audit_is_silent_on_a_verified_origin(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca))
    daemon = before(o)
    daemon.get('/')
    daemon.record()
    assert not harness.findings(harness.audit_json('check', daemon.log))


# ---- names ----

def test_a_group_is_asked_for_by_the_names_of_its_servers(tls_origin, before, ca):
    """In nginx it would be the group's name for all of them."""
    one, two = tls_origin(Cert('localhost', issuer=ca)), tls_origin(Cert('group', issuer=ca))
    daemon = before(one, place='group', http=f'upstream group {{ server localhost:{one.port}; server 127.0.0.1:{two.port}; }}')
    assert [daemon.get('/').status for _ in range(2)] == [200, 200]
    assert one.hellos == ['localhost'] and two.hellos == ['group']
    assert sorted(r['origin_name'] for r in daemon.records(2)) == ['group', 'localhost']


def test_names_are_sent_unless_it_is_switched_off(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca))
    assert before(o, 'proxy_ssl_server_name off;').get('/').status == 200
    assert o.hellos == [None]


def test_a_name_may_be_the_clients_and_never_shares_a_connection(tls_origin, before, ca):
    o = tls_origin(Cert('site.test', 'other.test', issuer=ca))
    daemon = before(o, 'proxy_ssl_name $host;')
    for host in ('site.test', 'other.test', 'SITE.test', 'other.test:80'):
        assert daemon.get('/', host=host).status == 200
    assert o.hellos == ['site.test', 'other.test'] and len(o.connections) == 2
    assert [r['origin_reused'] for r in daemon.records(4)] == ['0', '0', '1', '1']


def test_a_name_that_a_client_invents_takes_no_server_out(tls_origin, before, ca):
    cert = Cert('site.test', issuer=ca)
    one, two = tls_origin(cert), tls_origin(cert)
    daemon = before(one, 'proxy_ssl_name $host;', place='group', http=f'upstream group {{ server 127.0.0.1:{one.port}; server 127.0.0.1:{two.port}; }}')
    for _ in range(5):
        assert daemon.get('/', host='evil.test').status == 502
    assert daemon.get('/').status == 200
    assert {r['end'] for r in daemon.records(6)} == {'origin_tls_certificate', 'complete'}


def test_no_name_is_not_verified_by_none(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca))
    refused(before(o, 'proxy_ssl_name $http_x_name;'), None, 'is no name to verify')


def test_connections_are_not_shared_between_identities(tls_origin, before, ca, tmp_path):
    me = Cert('me', issuer=ca)
    me.write(tmp_path, 'me', ('pem',))
    o = tls_origin(Cert('localhost', issuer=ca))
    pass_on = f'proxy_pass https://localhost:{o.port};'
    daemon = before(o, more=f'''location /off {{ {pass_on} proxy_ssl_verify off; }}
        location /cert {{ {pass_on} proxy_ssl_trusted_certificate ca.pem; proxy_ssl_certificate me.pem; }}
        location /same {{ {pass_on} proxy_ssl_trusted_certificate ca.pem; }}''')
    for target in ('/', '/off', '/cert', '/same', '/', '/off', '/cert'):
        assert daemon.get(target).status == 200
    assert [r.conn.number for r in o.requests] == [1, 2, 3, 1, 1, 2, 3]
    assert [r['origin_verify'] for r in daemon.records(7)] == ['good', 'off', 'good', 'good', 'good', 'off', 'good']


# ---- the client's certificate ----

@pytest.mark.parametrize('version', [V12, V13])
def test_a_certificate_is_shown_to_origins_that_ask(tls_origin, before, ca, tmp_path, version):
    seen = []
    me = Cert(issuer=ca, common='proxy')         # a client's certificate need not be for a name
    me.write(tmp_path, 'me')
    o = tls_origin(Cert('localhost', issuer=ca), lambda request, conn: (seen.append(conn.sock.getpeercert(True)), conn.reply(200)),
                   low=version, high=version, client_ca=ca)
    daemon = before(o, 'proxy_ssl_certificate me.crt; proxy_ssl_certificate_key me.key;')
    assert daemon.get('/').status == 200 and seen == [me.der]


@pytest.mark.parametrize('version, words', [(V12, 'alert 40 handshake_failure'), (V13, 'alert 116 certificate_required')])
def test_an_origin_that_wants_a_certificate_says_so(tls_origin, before, ca, version, words):
    o = tls_origin(Cert('localhost', issuer=ca), low=version, high=version, client_ca=ca)
    daemon = before(o)
    r = daemon.get('/')
    number, name = words.split()[1:]
    assert r.status == 502 and f'error=tls_alert_received; alert-id={number}; alert-message={name}' in r.headers.get('Proxy-Status')
    line = daemon.record()
    assert (line['end'], line['origin_tls_error']) == ('origin_tls_alert', words)
    assert not o.requests


# ---- protocols ----

def test_versions_and_ciphers_are_as_written(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca), lambda request, conn: conn.reply(200, body=conn.sock.version() + ' ' + conn.sock.cipher()[0]))
    daemon = before(o, 'proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;')
    assert daemon.get('/').body == b'TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305'
    assert daemon.record()['origin_tls'] == 'TLSv1.2'


def test_no_version_in_common_is_told(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca), high=V12)
    refused(before(o, 'proxy_ssl_protocols TLSv1.3;'), o, 'alert 70 protocol_version', 'origin_tls_alert', 'tls_alert_received', '')


@pytest.mark.parametrize('answer, reason', [
    (b'HTTP/1.1 400 Bad Request\r\n\r\n', 'what came is not TLS: does the port speak plain HTTP?'),
    (b'\x16\x03\x03\x00\x04\x02\x00\x00\x00', ''),
    (bytes(range(256)) * 8, ''),
    (b'\x15\x03\x03\x00\x02\x02\x50', 'alert 80 internal_error'),
    (b'', 'the origin closed the connection within the handshake'),
])
def test_what_is_no_handshake_is_named(origin, before, answer, reason):
    class Garbage(harness.Origin):
        def serve(self, conn):
            conn.fill()
            conn.send(answer)
            conn.close()

    o = Garbage()
    alert = 'alert' in reason
    try:
        refused(before(o), o, reason, 'origin_tls_alert' if alert else 'origin_tls_invalid', 'tls_alert_received' if alert else 'tls_protocol_error', '')
    finally:
        o.close()


def test_a_handshake_that_hangs_ends_with_the_time_to_connect_and_holds_nobody_up(origin, before, clock):
    class Silent(harness.Origin):
        def serve(self, conn):
            conn.fill()
            self.pass_gate('hello')
            self.pass_gate('end')
            conn.close()

    o = Silent()
    o.gate('end'), o.gate('hello')
    plain = origin(body=b'plain\n')
    daemon = before(o, 'proxy_connect_timeout 2s;', more=f'location /plain {{ proxy_pass http://{plain.address}; }}', daemon={'clock': clock})
    waiting = daemon.client()
    waiting.request('/')
    harness.until('hello', lambda: o.connections and o.connections[0].seen)
    assert daemon.get('/plain').body == b'plain\n'         # the loop goes on
    clock.passes(1.9)
    assert daemon.get('/plain').body == b'plain\n'
    clock.passes(0.2)
    daemon.get('/plain')
    r = waiting.response()
    assert r.status == 504 and 'error=connection_timeout' in r.headers.get('Proxy-Status')
    line = [r for r in daemon.records(4) if r['target'] == '/'][0]
    assert (line['end'], line['origin_tls'], line['origin_tls_us']) == ('connect_timeout', '', '') and int(line['connect_us']) >= 0
    o.open_gate('hello'), o.open_gate('end')
    o.close()


# ---- cuts ----

def close_delimited(end):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n\r\nall of it')
        end(conn)
    return handler


def test_a_body_that_ends_with_the_connection_needs_a_good_bye(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca), close_delimited(lambda conn: conn.good_bye()))
    daemon = before(o, cache=True)
    r = daemon.get('/')
    assert r.body == b'all of it' and r.complete
    line = daemon.record()
    assert (line['end'], line['stored']) == ('complete', '1')


def test_a_body_that_was_cut_is_visibly_broken_and_never_stored(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca), close_delimited(lambda conn: conn.close()))
    daemon = before(o, cache=True)
    for number in (1, 2):
        with daemon.client() as client:
            client.request('/')
            r = client.response(cut=True)
        assert not r.complete and r.body == b'all of it'
        line = daemon.records(number)[-1]
        assert (line['end'], line['stored'], line['nostore'], line['cache']) == ('origin_left', '0', 'short_body', 'miss')


def test_a_length_that_was_kept_needs_none(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca), lambda request, conn: (conn.reply(200, MAX_AGE, b'hello'), conn.close()))
    daemon = before(o, cache=True)
    assert daemon.get('/').body == b'hello' and daemon.record()['stored'] == '1'


# ---- bodies ----

def test_bodies_of_all_sizes_go_through_whole_both_ways(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca), lambda request, conn: conn.reply(200, body=request.body))
    daemon = before(o)
    with daemon.client() as client:
        for size in (0, 1, 1399, 1400, 1401, 16384, 16385, 65536, 70000, 3000000):
            body = os.urandom(size)
            assert client.get('/', method='POST', body=body).body == body
    assert len(o.connections) == 1


def test_chunked_content_goes_through_whole(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca), lambda request, conn: conn.reply(200, body=request.body))
    daemon = before(o)
    pieces = [os.urandom(n) for n in (1, 70000, 16384, 300000)]
    body = b''.join(b'%x\r\n%s\r\n' % (len(p), p) for p in pieces) + b'0\r\n\r\n'
    assert daemon.get('/', method='POST', headers=[('Transfer-Encoding', 'chunked')], body=body).body == b''.join(pieces)


def test_a_reader_that_stops_holds_the_origin_back_and_gets_the_rest_later(tls_origin, before, ca):
    body = os.urandom(5000000)
    sent = []

    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body))
        for at in range(0, len(body), 100000):
            conn.send(body[at:at + 100000])
            sent.append(at)

    o = tls_origin(Cert('localhost', issuer=ca), handler)
    daemon = before(o)
    with daemon.client() as client:
        client.request('/')
        client.take_until(b'\r\n\r\n')
        daemon.get('/')                          # another one goes on meanwhile
        assert client.take(len(body)) == body
    assert int(daemon.records(2)[0]['high_water']) <= 128 * 1024


def test_an_upload_waits_for_an_origin_that_does_not_read(tls_origin, before, ca):
    def handler(request, conn):
        o.pass_gate()
        conn.reply(200, body=str(len(conn.read_body(request))))

    o = tls_origin(Cert('localhost', issuer=ca), handler, read_body=False)
    daemon = before(o)
    body = os.urandom(4000000)
    client = daemon.client()
    client.sock.settimeout(harness.DEADLINE)
    client.request('/', method='POST', headers=[('Content-Length', str(len(body)))])
    sent = client.sock.send(body)
    o.wait_requests(1)
    o.open_gate()
    client.send(body[sent:])
    assert client.response().body == b'4000000'


def test_a_stream_is_passed_on_as_it_comes(tls_origin, before, ca):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
        for i in range(5):
            conn.send(b'data: %d\n\n' % i)
            o.pass_gate(f'go{i}')
        conn.good_bye()

    o = tls_origin(Cert('localhost', issuer=ca), handler)
    daemon = before(o)
    client = daemon.client()
    client.request('/', version='HTTP/1.0')
    client.head()
    for i in range(5):
        assert client.take(9) == b'data: %d\n\n' % i       # the origin sends the next one only after this one has come
        o.open_gate(f'go{i}')
    client.assert_closed()


# ---- reuse ----

def close_after(request, conn):
    conn.reply(200, [('Connection', 'close')], b'resumed' if conn.sock.session_reused else b'new')
    conn.good_bye()


@pytest.mark.parametrize('version', [V12, V13])
def test_sessions_are_resumed(tls_origin, before, ca, version):
    o = tls_origin(Cert('localhost', issuer=ca), close_after, low=version, high=version)
    daemon = before(o)
    assert [daemon.get('/').body for _ in range(3)] == [b'new', b'resumed', b'resumed']
    lines = daemon.records(3)
    assert [r['origin_tls_resumed'] for r in lines] == ['0', '1', '1'] and {r['origin_verify'] for r in lines} == {'good'}
    counters = daemon.counters()
    assert (counters['proxyd_origin_tls_handshakes_full_total'], counters['proxyd_origin_tls_handshakes_resumed_total']) == (1, 2)


def test_sessions_are_not_resumed_when_that_is_switched_off(tls_origin, before, ca):
    o = tls_origin(Cert('localhost', issuer=ca), close_after)
    daemon = before(o, 'proxy_ssl_session_reuse off;')
    assert [daemon.get('/').body for _ in range(3)] == [b'new'] * 3


def test_a_session_is_of_its_name_and_identity(tls_origin, before, ca):
    """One that nobody verified must not open the door to a place where somebody does."""
    o = tls_origin(Cert('site.test', 'other.test', issuer=Cert(ca=True, common='somebody')), close_after)
    daemon = before(o, 'proxy_ssl_name $host;', more=f'location /off {{ proxy_pass https://localhost:{o.port}; proxy_ssl_verify off; proxy_ssl_name $host; }}')
    assert daemon.get('/off').body == b'new'
    assert daemon.get('/off').body == b'resumed'
    assert daemon.get('/off', host='other.test').body == b'new'
    assert daemon.get('/').status == 502


def test_an_idle_connection_that_the_origin_closes_is_not_missed(tls_origin, before, ca):
    """The race of keep-alive: the second request finds a connection that is being closed, and goes over a new one."""
    def handler(request, conn):
        if len(o.requests) == 2:
            conn.good_bye()
        else:
            conn.reply(200)

    o = tls_origin(Cert('localhost', issuer=ca), handler)
    daemon = before(o)
    assert daemon.get('/').status == daemon.get('/').status == 200
    assert [(r['origin_tries'], r['origin_reused']) for r in daemon.records(2)] == [('1', '0'), ('2', '0')]


def test_what_is_not_safe_is_not_sent_twice(tls_origin, before, ca):
    def handler(request, conn):
        if len(o.requests) == 2:
            conn.good_bye()
        else:
            conn.reply(200)

    o = tls_origin(Cert('localhost', issuer=ca), handler)
    daemon = before(o)
    assert daemon.get('/').status == 200
    assert daemon.get('/', method='POST', body=b'once').status == 502
    assert daemon.records(2)[1]['end'] == 'origin_left' and len(o.requests) == 2


def test_a_good_bye_on_an_idle_connection_closes_it(tls_origin, before, ca):
    def handler(request, conn):
        conn.reply(200)
        if len(o.requests) == 1:
            o.pass_gate()
            conn.good_bye()                      # returns when the other side has said it, too
            o.open_gate('closed')

    o = tls_origin(Cert('localhost', issuer=ca), handler)
    daemon = before(o)
    daemon.get('/')
    o.open_gate()
    o.pass_gate('closed')
    assert daemon.get('/').status == 200
    assert [(r['origin_tries'], r['origin_reused']) for r in daemon.records(2)] == [('1', '0'), ('1', '0')]


# ---- servers ----

def test_a_server_with_a_wrong_certificate_is_a_failing_server(tls_origin, before, ca):
    bad, good = tls_origin(Cert('a.test', issuer=ca)), tls_origin(Cert('group', issuer=ca))
    daemon = before(bad, place='group', http=f'upstream group {{ server 127.0.0.1:{bad.port}; server 127.0.0.1:{good.port}; }}')
    for _ in range(4):
        assert daemon.get('/', method='POST', body=b'x').status == 200     # nothing was sent: another server may be asked
    assert sum(int(r['origin_tries']) for r in daemon.records(4)) == 5     # and then the bad one is left out
    assert not bad.requests


def test_a_stale_page_stands_in_for_an_origin_that_cannot_be_verified(tls_origin, before, ca, clock):
    o = tls_origin(Cert('localhost', issuer=ca), lambda request, conn: (conn.reply(200, [('Cache-Control', 'max-age=1'), ('Connection', 'close')]), conn.good_bye()))
    daemon = before(o, 'proxy_ssl_session_reuse off;', cache=True, daemon={'clock': clock})
    daemon.get('/')
    o.use(Cert('localhost'))
    clock.passes(5)
    assert daemon.get('/').status == 200
    line = daemon.records(2)[1]
    assert line['cache'] == 'hit_stale' and 'signed by itself' in line['origin_tls_error'] and line['origin_verify'] == 'bad'


# ---- files ----

def test_files_that_cannot_be_used_are_shown_where_they_stand(proxy, tmp_path, ca):
    put(str(tmp_path / 'ca.pem'), ca.cert.public_bytes(PEM))
    put(str(tmp_path / 'empty.pem'), b'nothing\n')
    put(str(tmp_path / 'half.pem'), ca.cert.public_bytes(PEM)[:300])
    Cert('me').write(tmp_path, 'me')
    Cert('other').write(tmp_path, 'other')
    for settings, word, reason in [
            ('', 'missing.pem', "'missing.pem': No such file or directory"),
            ('', 'empty.pem', "'empty.pem' has no certificate"),
            ('', 'half.pem', "'half.pem' cannot be read"),
            ('proxy_ssl_crl ca.pem;', 'ca.pem', "'ca.pem' has no list of revoked certificates"),
            ('proxy_ssl_certificate missing.crt; proxy_ssl_certificate_key me.key;', 'missing.crt', "'missing.crt': No such file"),
            ('proxy_ssl_certificate me.crt; proxy_ssl_certificate_key other.key;', 'me.crt', "the key of 'other.key' does not belong to the certificate of 'me.crt'"),
            ('proxy_ssl_ciphers NONESUCH;', None, "proxy_ssl_ciphers 'NONESUCH'")]:
        trusted = word if not settings else 'ca.pem'
        daemon = proxy(config('127.0.0.1:1', settings, trusted=trusted), start=False, folder=None)
        done = daemon.run('-t', '-c', 'proxyd.conf')
        assert done.returncode == 1 and reason in done.stderr, done.stderr
        if word:
            lines = done.stderr.splitlines()
            at = next(i for i, line in enumerate(lines) if reason in line)
            place, column = lines[at].split(':')[1:3]
            assert lines[at].startswith(f'proxyd.conf:{place}:{column}: ') and place.isdigit()
            assert lines[at + 1].strip() and lines[at + 2].strip() == '^' + '~' * (len(word) - 1)
            assert lines[at + 1].index(word, lines[at + 2].index('^')) == lines[at + 2].index('^')


def test_a_reload_takes_the_files_as_they_are_now(tls_origin, before, ca, tmp_path):
    other = Cert(ca=True, common='other ca')
    o = tls_origin(Cert('localhost', issuer=ca))
    daemon = before(o)
    assert daemon.get('/').status == 200
    daemon.reload()
    daemon.wait_said('configuration 2 is in use')
    assert daemon.get('/').status == 200 and len(o.connections) == 1       # nothing has changed: its connection lives
    put(str(tmp_path / 'ca.pem'), other.cert.public_bytes(PEM))
    since = daemon.reload()
    daemon.wait_said('configuration 3 is in use', since)
    assert daemon.get('/').status == 502                                   # neither the connection nor the session is used
    o.use(Cert('localhost', issuer=other))
    assert daemon.get('/').status == 200
    put(str(tmp_path / 'ca.pem'), b'nothing\n')
    since = daemon.reload()
    daemon.wait_said('configuration 3 stays', since)
    assert "'ca.pem' has no certificate" in daemon.said(since) and '^~~~~~' in daemon.said(since)
    assert daemon.get('/').status == 200
    assert [r['origin_reused'] for r in daemon.records(5)] == ['0', '1', '0', '0', '1']


def test_explain_says_https(before, tls_origin, ca):
    o = tls_origin(Cert('localhost', issuer=ca))
    daemon = before(o)
    done = daemon.run('-c', 'proxyd.conf', 'explain', 'http://site.test/x')
    assert f'asks      https://localhost:{o.port}/x' in done.stdout
