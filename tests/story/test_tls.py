"""TLS towards clients: versions, names, ciphers, sessions, what the log says of it, and what is not TLS."""
import datetime
import os
import re
import socket
import ssl
import subprocess

import pytest

import harness
from tls_help import Cert, TlsClient, context, put, raw, served, site, tls_records


@pytest.fixture
def secure(proxy, tmp_path):
    """secure(config words...) -> (daemon, cert): a site of its own words over TLS."""
    def make(cert=None, clock=None, **kw):
        cert = cert or Cert('site.test')
        cert.write(tmp_path)
        return proxy(site(**kw), clock=clock), cert

    return make


@pytest.mark.parametrize('version, name', [(ssl.TLSVersion.TLSv1_2, 'TLSv1.2'), (ssl.TLSVersion.TLSv1_3, 'TLSv1.3')])
def test_a_request_over_each_version_with_its_columns(secure, version, name):
    daemon, cert = secure(body='return 200 "$ssl_protocol $ssl_cipher $ssl_server_name $ssl_session_reused $scheme";')
    with TlsClient(daemon.address, ctx=context(cert, low=version, high=version)) as client:
        cipher = client.sock.cipher()[0]
        first, second = client.get('/a'), client.get('/b')
    assert first.status == second.status == 200
    assert first.body.decode() == f'{name} {cipher} site.test . https'
    one, two = daemon.records(2)
    for r in (one, two):
        assert (r['tls'], r['tls_cipher'], r['sni'], r['scheme'], r['tls_resumed']) == (name, cipher, 'site.test', 'https', '0')
        assert r['tls_client'] == r['tls_error'] == '' and r['tls_early'] == '0'
    assert int(one['tls_us']) >= 0 and two['tls_us'] == ''
    dates = [str(int(d.replace(tzinfo=datetime.timezone.utc).timestamp())) for d in (cert.cert.not_valid_before, cert.cert.not_valid_after)]
    assert [one[f'tls_{n}'] for n in ('key', 'serial', 'from', 'until')] == ['ecdsa', cert.serial, *dates]
    assert [two[f'tls_{n}'] for n in ('key', 'serial', 'from', 'until')] == [''] * 4
    counters = daemon.counters()
    assert counters['proxyd_tls_requests_total'] == 2 and counters['proxyd_tls_handshakes_full_total'] == 1


def test_bodies_of_all_sizes_go_through_whole_both_ways(proxy, origin, tmp_path):
    cert = Cert('site.test')
    cert.write(tmp_path)
    o = origin(lambda request, conn: conn.reply(200, [('Cache-Control', 'no-store')], request.body))
    daemon = proxy(site(body=f'proxy_pass http://{o.address};'))
    with TlsClient(daemon.address, ctx=context(cert)) as client:
        for size in (1, 1399, 1400, 1401, 16384, 16385, 70000, 3000000):
            body = os.urandom(size)
            r = client.get('/', method='POST', body=body)
            assert r.status == 200 and r.body == body


def test_a_reader_that_stops_holds_little_and_gets_the_rest_later(proxy, origin, tmp_path):
    cert = Cert('site.test')
    cert.write(tmp_path)
    body = os.urandom(4000000)
    o = origin(headers=[('Cache-Control', 'no-store')], body=body)
    daemon = proxy(site(body=f'proxy_pass http://{o.address};'))
    with TlsClient(daemon.address, ctx=context(cert)) as client:
        client.request('/')
        o.wait_requests(1)
        with TlsClient(daemon.address, ctx=context(cert)) as other:      # the worker has gone on meanwhile
            other.request('/', method='HEAD')
            assert other.response('HEAD').status == 200
        assert client.response().body == body


def test_records_begin_small_and_grow(secure):
    """The sizes of the records on the wire: a segment each at first, then as large as they can be."""
    daemon, _ = secure(body='return 200 x;', settings='location = /big { return 200 %s; }' % ('y' * 7000))
    with TlsClient(daemon.address) as client:
        sizes = record_sizes(daemon.address, b'GET /big HTTP/1.1\r\nHost: site.test\r\n\r\n' * 40)
        assert client.get('/').status == 200
    payloads = [s for s in sizes if s > 500]
    assert payloads[0] <= 1400 + 40, payloads
    assert max(payloads) > 4000, payloads


def test_records_are_small_again_after_a_pause(secure, clock):
    daemon, _ = secure(clock=clock, settings='location = /big { return 200 %s; }' % ('y' * 7000))
    sizes = record_sizes(daemon.address, b'GET /big HTTP/1.1\r\nHost: site.test\r\n\r\n' * 40, lambda: clock.passes(2))
    large = next(i for i, size in enumerate(sizes) if size > 4000)
    again = [size for size in sizes[large:] if 500 < size <= 1400 + 40]
    assert large > 10 and len(again) > 10, sizes


def record_sizes(address, request, between=None):
    """Drives OpenSSL by hand, so that every record that comes is seen."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    obj = context().wrap_bio(incoming, outgoing, server_hostname='site.test')
    sock = raw(address)
    stream, sizes, got = b'', [], b''

    def pump(step):
        nonlocal stream
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                data = sock.recv(65536)
                assert data
                stream += data
                incoming.write(data)

    pump(obj.do_handshake)
    for turn in range(2 if between else 1):
        if turn:
            between()
        got = b''
        obj.write(request)
        sock.sendall(outgoing.read())
        while got.count(b'HTTP/1.1 200') < request.count(b'GET') or not got.endswith(b'y'):
            got += pump(lambda: obj.read(65536))
    sock.close()
    while len(stream) >= 5:
        size = int.from_bytes(stream[3:5], 'big')
        if stream[0] == 23:
            sizes.append(size)
        stream = stream[5 + size:]
    return sizes


# ---- names ----

@pytest.fixture
def named(proxy, tmp_path):
    certs = {'one': Cert('one.test'), 'wild': Cert('*.wild.test', 'wild.test'), 'fallback': Cert('fallback.test')}
    for name, cert in certs.items():
        cert.write(tmp_path, name)

    def make(settings='', port=0):
        server = '''server {{ listen 127.0.0.1:{4} ssl{0}; server_name {1}; ssl_certificate {2}.crt; ssl_certificate_key {2}.key;
            location / {{ return 200 {2}; }} {3} }}
            '''
        text = 'workers 1; node story; access_log access.csv; metrics 127.0.0.1:0;\n'
        text += server.format('', 'one.test', 'one', '', port) + server.format('', 'wild.test *.wild.test', 'wild', '', port)
        text += server.format(' default_server', 'fallback.test', 'fallback', settings, port)
        return proxy(text, listens=1), certs

    return make


def test_the_certificate_is_that_of_the_name(named):
    daemon, certs = named()
    for name, which in (('one.test', 'one'), ('ONE.test', 'one'), ('wild.test', 'wild'), ('a.wild.test', 'wild'), ('b.a.wild.test', 'wild'),
                        ('fallback.test', 'fallback'), ('unknown.test', 'fallback'), (None, 'fallback')):
        assert served(daemon.address, name) == certs[which].der, name
    with TlsClient(daemon.address, 'one.test', context(certs['one'])) as client:
        assert client.get('/', host='one.test').body == b'one'
        assert client.get('/', host='a.wild.test').body == b'wild', 'without certificates of clients Host decides'


def test_a_name_that_nobody_has_can_be_refused(named):
    daemon, certs = named('ssl_reject_handshake on;')
    assert served(daemon.address, 'one.test') == certs['one'].der
    with pytest.raises(ssl.SSLError, match='(?i)unrecognized.name'):
        served(daemon.address, 'unknown.test')
    r = tls_records(daemon, 2)[1]
    assert (r['end'], r['sni'], r['tls'], r['status']) == ('tls_unknown_name', 'unknown.test', '', '0')


def test_rsa_and_ecdsa_beside_each_other(proxy, tmp_path):
    one, two = Cert('site.test'), Cert('site.test', kind='rsa')
    one.write(tmp_path, 'ec')
    two.write(tmp_path, 'rsa')
    daemon = proxy(site('ssl_certificate ec.crt; ssl_certificate_key ec.key; ssl_certificate rsa.crt; ssl_certificate_key rsa.key;'))
    v12 = ssl.TLSVersion.TLSv1_2
    assert served(daemon.address) == one.der
    assert served(daemon.address, high=v12, ciphers='ECDHE-RSA-AES128-GCM-SHA256') == two.der
    assert served(daemon.address, high=v12, ciphers='ECDHE-ECDSA-AES128-GCM-SHA256') == one.der
    assert [(r['tls_key'], r['tls_serial']) for r in tls_records(daemon, 3)] == [('ecdsa', one.serial), ('rsa', two.serial), ('ecdsa', one.serial)]


def test_a_chain_is_sent_whole_and_the_key_may_be_in_the_same_file(proxy, tmp_path):
    ca = Cert(ca=True, common='the authority')
    middle = Cert(ca=True, common='the middle', issuer=ca)
    leaf = Cert('site.test', issuer=middle)
    leaf.write(tmp_path, 'all', parts=('pem',))
    daemon = proxy(site('ssl_certificate all.pem;'))
    with TlsClient(daemon.address, ctx=context(ca)) as client:
        assert client.get('/').status == 200


# ---- what is refused, and how the log says it ----

def test_no_shared_version_cipher_or_protocol(secure):
    daemon, _ = secure(settings='ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;')
    with pytest.raises(ssl.SSLError):
        served(daemon.address, low=ssl.TLSVersion.TLSv1_3)
    with pytest.raises(ssl.SSLError):
        served(daemon.address, high=ssl.TLSVersion.TLSv1_2, ciphers='ECDHE-ECDSA-AES128-GCM-SHA256')
    with pytest.raises(ssl.SSLError):
        served(daemon.address, alpn=['h3', 'smoke'])
    ends = [(r['end'], r['tls_error']) for r in tls_records(daemon, 3)]
    assert [e for e, _ in ends] == ['tls_version', 'tls_no_cipher', 'tls_invalid'], ends
    assert all(text for _, text in ends)
    assert daemon.counters()['proxyd_tls_handshakes_failed_total'] == 3
    assert daemon.counters()['proxyd_requests_total'] == 0


def test_a_client_that_does_not_trust_us_says_so_in_the_log(secure):
    daemon, _ = secure()
    with pytest.raises(ssl.SSLError):
        served(daemon.address, ca=Cert('site.test'))
    r = tls_records(daemon, 1)[0]
    assert (r['end'], r['tls']) in (('tls_alert', ''), ('client_left', 'TLSv1.3')), r
    assert r['end'] != 'tls_alert' or 'alert' in r['tls_error']


@pytest.mark.parametrize('data', [b'\x00\x01\x02\x03garbage', b'\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10' + b'\x01' * 40,
                                  b'\x16\x03\x01\xff\xff' + b'\x01' * 70000, b'\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03', b'\x15\x03\x01\x00\x02\x02\x28'],
                         ids=['garbage', 'sslv2', 'huge record', 'short hello', 'alert'])
def test_what_is_no_handshake_ends_the_connection_with_a_record(secure, data):
    daemon, _ = secure()
    sock = raw(daemon.address)
    try:
        sock.sendall(data)
        while sock.recv(1000):
            pass
    except OSError:                      # a reset is an end as well: bytes were left unread
        pass
    sock.close()
    r = tls_records(daemon, 1)[0]
    assert r['end'] in ('tls_invalid', 'tls_alert', 'tls_version') and r['tls_error'], r
    assert served(daemon.address), 'others are served'


def test_a_name_that_is_malformed_ends_the_handshake(secure):
    daemon, cert = secure()
    hello = client_hello(daemon.address, 'site.test')
    assert hello.count(b'site.test') == 1
    sock = raw(daemon.address)
    sock.sendall(hello.replace(b'site.test', b'si\x00e.test'))
    assert sock.recv(1000)[:1] in (b'\x15', b'')
    sock.close()
    assert tls_records(daemon, 1)[0]['end'] == 'tls_invalid'


def client_hello(_, name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    obj = context().wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        obj.do_handshake()
    return outgoing.read()


def test_a_client_that_leaves_within_the_handshake(secure):
    daemon, _ = secure()
    hello = client_hello(None, 'site.test')
    for part in (b'', hello[:20], hello):
        sock = raw(daemon.address)
        sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(10000):
            pass
        sock.close()
    assert [r['end'] for r in tls_records(daemon, 3)] == ['client_left'] * 3


def test_a_hello_byte_by_byte_is_a_hello(secure):
    daemon, _ = secure()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    obj = context().wrap_bio(incoming, outgoing, server_hostname='site.test')
    sock = raw(daemon.address)
    done = False
    while not done:
        try:
            obj.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        for byte in outgoing.read():
            sock.sendall(bytes([byte]))
        if not done:
            incoming.write(sock.recv(1))
    sock.close()


def test_a_handshake_has_its_time(secure, clock):
    daemon, _ = secure(clock=clock, settings='ssl_handshake_timeout 5s;')
    sock = raw(daemon.address)
    sock.sendall(client_hello(None, 'site.test')[:50])
    assert served(daemon.address)        # behind it on the same worker
    clock.passes(6)
    assert sock.recv(1) == b''
    sock.close()
    assert [r['end'] for r in tls_records(daemon, 2)][-1] == 'tls_timeout'


def test_the_oldest_handshake_makes_room(secure):
    daemon, _ = secure(main='ssl_handshakes_max 4;')
    socks = [raw(daemon.address) for _ in range(6)]
    r = tls_records(daemon, 2)
    assert [x['end'] for x in r] == ['tls_handshakes_max'] * 2
    assert socks[0].recv(1) == b'' and socks[1].recv(1) == b''
    assert served(daemon.address)
    for sock in socks:
        sock.close()


def test_plain_http_is_told_in_http(secure):
    daemon, _ = secure()
    with daemon.client() as client:
        r = client.get('/page')
        assert r.status == 400 and b'https://' in r.body
        client.assert_closed()
    record = daemon.record()
    assert (record['refusal'], record['target'], record['scheme'], record['tls']) == ('plain_on_tls', '/page', 'http', '')


def test_renegotiation_is_refused(secure):
    daemon, _ = secure()
    done = subprocess.run(['openssl', 's_client', '-connect', '%s:%d' % daemon.address, '-tls1_2', '-servername', 'site.test'],
                          input=b'R\n', capture_output=True, timeout=20, check=False)
    said = done.stdout + done.stderr
    assert b'RENEGOTIATING' in said and re.search(rb'no.renegotiation', said), said[-2000:]


def test_an_address_can_become_one_with_tls_by_a_reload(secure):
    daemon, cert = secure()
    plain = site().replace(' ssl;', ';', 1).replace('ssl_certificate site.crt; ssl_certificate_key site.key;', '')
    daemon.wait_said('configuration 2 is in use', daemon.reload(plain))
    assert daemon.get('/').status == 200
    daemon.wait_said('configuration 3 is in use', daemon.reload(site()))
    assert served(daemon.address) == cert.der


def test_a_connection_that_asks_nothing_has_a_record(secure):
    daemon, _ = secure()
    with TlsClient(daemon.address):
        pass
    r = tls_records(daemon, 1)[0]
    assert (r['end'], r['tls'], r['sni']) == ('client_left', 'TLSv1.3', 'site.test') and int(r['tls_us']) >= 0
    harness.until('the counter', lambda: daemon.counters()['proxyd_tls_handshakes_full_total'] == 1)


# ---- ends ----

def test_the_end_is_said_by_tls(secure):
    """close_notify before the end of the connection: without it the client could not tell a cut from an end."""
    daemon, cert = secure()
    with TlsClient(daemon.address, ctx=context(cert)) as client:
        client.request('/', headers=[('Connection', 'close')])
        client.response()
        assert client.sock.recv(10) == b''       # Python raises SSLEOFError when it is not said


def test_a_cut_answer_is_not_followed_by_a_good_bye(proxy, origin, tmp_path):
    Cert('site.test').write(tmp_path)

    def handler(request, conn):
        conn.read_body(request)
        conn.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nCache-Control: no-store\r\n\r\n' + b'x' * 1000)
        conn.close()

    o = origin(handler)
    daemon = proxy(site(body=f'proxy_pass http://{o.address};'))
    with TlsClient(daemon.address) as client:
        client.request('/')
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            while client.sock.recv(100000):
                pass
            raise AssertionError('the cut answer ended as if it were whole')
    assert daemon.record()['end'] == 'origin_left'


def test_a_client_that_ends_its_half_gets_its_answer(secure):
    daemon, _ = secure()
    with TlsClient(daemon.address) as client:
        client.request('/')
        client.sock.setblocking(False)
        try:
            client.sock.unwrap()                 # close_notify goes out
        except ssl.SSLError:
            pass
    assert daemon.record()['status'] == '200'


# ---- sessions ----

def resumes(address, session, **kw):
    with TlsClient(address, ctx=kw.pop('ctx'), session=session, **kw) as client:
        client.get('/')
        return client.sock.session_reused


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_by_every_worker(secure, version):
    daemon, cert = secure(workers=3)
    ctx = context(cert, low=version, high=version)
    with TlsClient(daemon.address, ctx=ctx) as client:
        client.get('/')
        session = client.sock.session
    workers = set()
    for _ in range(200):
        with TlsClient(daemon.address, ctx=ctx, session=session) as client:
            client.get('/')
            assert client.sock.session_reused
        harness.until('the record', lambda: daemon.requests())
        workers = {r['worker'] for r in daemon.requests()}
        if len(workers) == 3:
            break
    assert len(workers) == 3
    later = daemon.requests()[1:]
    assert not any(r['tls_serial'] for r in later), 'a resumed session shows no certificate'
    assert all(r['tls_resumed'] == '1' for r in later if r['tls_us'])
    assert daemon.counters()['proxyd_tls_handshakes_resumed_total'] >= 3


def test_a_resumed_session_brings_another_ticket(secure):
    """Clients of TLS 1.3 use each ticket once: without another one every second handshake would be a full one."""
    daemon, cert = secure()
    ctx = context(cert)
    session, tickets = None, set()
    for n in range(4):
        with TlsClient(daemon.address, ctx=ctx, session=session) as client:
            client.get('/')
            assert client.sock.session_reused == (n > 0)
            session = client.sock.session
            tickets.add(session.id)
    assert len(tickets) == 4


def test_sessions_are_resumed_after_a_reload_and_not_without_tickets(secure):
    daemon, cert = secure()
    ctx = context(cert)
    with TlsClient(daemon.address, ctx=ctx) as client:
        client.get('/')
        session = client.sock.session
    daemon.wait_said('configuration 2 is in use', daemon.reload())
    assert resumes(daemon.address, session, ctx=ctx)
    since = daemon.reload(site(settings='ssl_session_tickets off;'))
    daemon.wait_said('configuration 3 is in use', since)
    assert not resumes(daemon.address, session, ctx=ctx)


def test_nodes_with_the_same_ticket_keys_resume_each_others_sessions(proxy, tmp_path):
    cert = Cert('site.test')
    keys = [tmp_path / 'new', tmp_path / 'old']
    for key in keys:
        put(str(key), os.urandom(80))
    nodes = []
    for folder, order in (('a', keys), ('b', keys), ('c', keys[1:]), ('d', [])):
        os.makedirs(tmp_path / folder)
        cert.write(tmp_path / folder)
        nodes.append(proxy(site(main=' '.join(f'ssl_session_ticket_key {k};' for k in order)), folder=folder))
    ctx = context(cert)
    sessions = []
    for node in (nodes[0], nodes[2]):
        with TlsClient(node.address, ctx=ctx) as client:
            client.get('/')
            sessions.append(client.sock.session)
    assert resumes(nodes[1].address, sessions[0], ctx=ctx), 'the same keys'
    assert resumes(nodes[1].address, sessions[1], ctx=ctx), 'an older key still decrypts'
    assert not resumes(nodes[2].address, sessions[0], ctx=ctx), 'a key that it has not'
    assert not resumes(nodes[3].address, sessions[0], ctx=ctx), 'keys of its own'


def test_keys_change_by_themselves_and_old_ones_still_count(secure, clock):
    daemon, cert = secure(clock=clock)
    ctx = context(cert)

    def session():
        with TlsClient(daemon.address, ctx=ctx) as client:
            client.get('/')
            return client.sock.session

    first = session()
    clock.passes(3700)
    assert resumes(daemon.address, first, ctx=ctx)
    second = session()
    # Only the keys' hours pass here: how long a session lasts OpenSSL judges by the system's date.
    for _ in range(23):
        clock.passes(3700)
        session()
    assert not resumes(daemon.address, first, ctx=ctx), 'its key is gone after a day'
    assert second


def test_a_session_ends_with_its_time(secure):
    daemon, cert = secure(settings='ssl_session_timeout 1s;')
    ctx = context(cert, high=ssl.TLSVersion.TLSv1_2)
    with TlsClient(daemon.address, ctx=ctx) as client:
        client.get('/')
        session = client.sock.session
    assert session.ticket_lifetime_hint == 1
    harness.until('the session to end', lambda: not resumes(daemon.address, session, ctx=ctx))


# ---- lines ----

def test_hsts_is_one_line_and_only_over_https(proxy, tmp_path):
    Cert('site.test').write(tmp_path)
    daemon = proxy(site(settings='hsts 1y includeSubDomains preload; location /none { hsts off; return 200 x; } listen 127.0.0.2:0; location /bad { return 500; }'),
                   listens=2)
    with TlsClient(daemon.addresses[0]) as client:
        value = 'max-age=31536000; includeSubDomains; preload'
        assert client.get('/').headers.all('strict-transport-security') == [value]
        assert client.get('/bad').headers.all('strict-transport-security') == [value], 'errors too'
        assert not client.get('/none').headers.has('strict-transport-security')
    assert not daemon.get('/', listen=1).headers.has('strict-transport-security')


def test_the_sites_hsts_replaces_that_of_the_origin(proxy, origin, tmp_path):
    Cert('site.test').write(tmp_path)
    o = origin(headers=[('Strict-Transport-Security', 'max-age=1'), ('X-Other', 'y'), ('Cache-Control', 'max-age=60')])
    daemon = proxy(site(settings='hsts 1h;', body=f'proxy_pass http://{o.address}; proxy_cache main;', main='volume main { path vol; size 8m; }'))
    with TlsClient(daemon.address) as client:
        for _ in range(2):
            r = client.get('/')
            assert r.headers.all('strict-transport-security') == ['max-age=3600'] and r.headers.get('x-other') == 'y'
    assert [r['cache'] for r in daemon.records(2)] == ['miss', 'hit']


def test_plain_http_is_sent_to_https_in_one_line(proxy, tmp_path):
    Cert('site.test').write(tmp_path)
    daemon = proxy(site(settings='https_redirect on; listen 127.0.0.2:0; location /.well-known/acme-challenge/ { https_redirect off; return 200 token; }'),
                   listens=2)
    r = daemon.get('/a/b?c=d', listen=1)
    assert r.status == 301 and r.headers.get('location').startswith('https://site.test') and r.headers.get('location').endswith('/a/b?c=d')
    r = daemon.get('/form', listen=1, method='POST', body=b'x')
    assert r.status == 308
    assert daemon.get('/.well-known/acme-challenge/x', listen=1).body == b'token'
    with TlsClient(daemon.addresses[0]) as client:
        assert client.get('/').status == 200
    assert [r['cache'] for r in daemon.records(4)] == ['synth'] * 4


def test_mistakes_are_found_by_the_check(proxy, tmp_path):
    cert, other = Cert('site.test'), Cert('other.test')
    cert.write(tmp_path)
    other.write(tmp_path, 'other')
    put(str(tmp_path / 'half.crt'), cert.pem()[:300])
    put(str(tmp_path / 'empty.key'), b'')
    put(str(tmp_path / 'short'), b'x' * 47)
    Cert(common='nameless').write(tmp_path, 'nameless')
    good = 'ssl_certificate site.crt; ssl_certificate_key site.key;'
    for words, main, why in (
            ('ssl_certificate none.crt; ssl_certificate_key site.key;', '', "'none.crt': No such file"),
            ('ssl_certificate site.crt; ssl_certificate_key other.key;', '', "does not belong to the certificate of 'site.crt'"),
            ('ssl_certificate half.crt; ssl_certificate_key site.key;', '', "of 'half.crt' cannot be read"),
            ('ssl_certificate site.crt; ssl_certificate_key empty.key;', '', "'empty.key' is empty"),
            ('ssl_certificate site.crt;', '', "the key of 'site.crt' cannot be read"),
            ('ssl_certificate nameless.crt; ssl_certificate_key nameless.key;', '', 'for no name'),
            ('ssl_certificate_folder nowhere;', '', "'nowhere': No such file"),
            (good + 'ssl_ciphers NOTHING;', '', "ssl_ciphers 'NOTHING' cannot be used"),
            (good + 'ssl_ciphersuites TLS_NOTHING;', '', "ssl_ciphersuites 'TLS_NOTHING' cannot be used"),
            (good + 'ssl_ecdh_curve secp9;', '', "ssl_ecdh_curve 'secp9' cannot be used"),
            (good + 'ssl_client_certificate none.pem;', '', "ssl_client_certificate 'none.pem': No such file"),
            (good, 'ssl_session_ticket_key short;', 'is not 48 or 80 bytes')):
        daemon = proxy(site(words, main=main), start=False)
        done = daemon.run('-t', '-c', daemon.config_path)
        assert done.returncode == 1 and why in done.stderr, (words, done.stderr)
    daemon = proxy(site(), start=False)
    assert daemon.run('-t', '-c', daemon.config_path).returncode == 0
