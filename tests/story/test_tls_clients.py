"""Certificates of clients, and early data: what a site may want of a TLS client, and what the origin learns of it."""
import base64
import ssl
import subprocess

import pytest

import harness
from tls_help import Cert, TlsClient, context, put, site

VERIFY = 'ssl_client_certificate ca.crt; '


@pytest.fixture
def parties(tmp_path):
    """The files of an authority, a client it knows and one it does not."""
    class Parties:
        server = Cert('site.test')
        ca = Cert(ca=True, common='the authority')
        good = Cert(common='alice', issuer=ca)
        other_ca = Cert(ca=True, common='another')
        bad = Cert(common='mallory', issuer=other_ca)
        expired = Cert(common='bob', issuer=ca, days=-1, since=10)

    Parties.server.write(tmp_path)
    Parties.ca.write(tmp_path, 'ca')
    for name in ('good', 'bad', 'expired'):
        setattr(Parties, name + '_file', getattr(Parties, name).write(tmp_path, name, parts=('pem',)))
    return Parties


def ask(daemon, parties, client=None, name='site.test', host='site.test', headers=()):
    with TlsClient(daemon.address, name, context(client=client)) as c:
        return c.get('/', host=host, headers=headers)


def test_a_site_that_wants_certificates_gets_them_or_refuses(proxy, origin, parties):
    o = origin(headers=[('Cache-Control', 'no-store')])
    daemon = proxy(site(settings=VERIFY + 'ssl_verify_client on;', body=f'''proxy_pass http://{o.address};
        proxy_set_header X-Subject $ssl_client_s_dn; proxy_set_header X-Verify $ssl_client_verify; proxy_set_header X-Serial $ssl_client_serial;
        proxy_set_header X-Issuer $ssl_client_i_dn; proxy_set_header X-Print $ssl_client_fingerprint;'''))
    forged = [('Client-Cert', ':Zm9yZ2Vk:'), ('X-Subject', 'CN=root'), ('Client_Cert', 'x')]
    assert ask(daemon, parties, parties.good_file, headers=forged).status == 200
    seen = o.requests[0].headers
    assert seen.all('client-cert') == [':' + base64.b64encode(parties.good.der).decode() + ':']
    assert not seen.has('client_cert')
    assert seen.all('x-subject') == ['CN=alice'] and seen.get('x-issuer') == 'CN=the authority' and seen.get('x-verify') == 'SUCCESS'
    assert seen.get('x-serial') == parties.good.serial and len(seen.get('x-print')) == 40
    for client in (None, parties.bad_file, parties.expired_file):
        r = ask(daemon, parties, client)
        assert r.status == 400 and b'certificate' in r.body
    assert len(o.requests) == 1
    records = daemon.records(4)
    assert [r['tls_client'] for r in records] == ['good', 'none', 'bad', 'bad']
    assert [r['refusal'] for r in records] == [''] + ['client_certificate'] * 3
    assert 'expired' in records[3]['tls_error'] and records[2]['tls_error']


def test_an_optional_certificate_may_be_missing_but_not_false(proxy, origin, parties):
    o = origin(headers=[('Cache-Control', 'no-store')])
    daemon = proxy(site(settings=VERIFY + 'ssl_verify_client optional;',
                        body=f'proxy_pass http://{o.address}; proxy_set_header X-Verify $ssl_client_verify;'))
    assert ask(daemon, parties, headers=[('Client-Cert', ':eA==:')]).status == 200
    assert ask(daemon, parties, parties.good_file).status == 200
    assert ask(daemon, parties, parties.bad_file).status == 400
    assert [r.headers.get('x-verify') for r in o.requests] == ['NONE', 'SUCCESS']
    assert not o.requests[0].headers.has('client-cert')


def test_a_resumed_session_keeps_its_certificate(proxy, parties):
    daemon = proxy(site(settings=VERIFY + 'ssl_verify_client on;', body='return 200 "$ssl_client_s_dn $ssl_session_reused";'))
    ctx = context(client=parties.good_file)
    with TlsClient(daemon.address, ctx=ctx) as client:
        assert client.get('/').body == b'CN=alice .'
        session = client.sock.session
    with TlsClient(daemon.address, ctx=ctx, session=session) as client:
        assert client.get('/').body == b'CN=alice r'


def test_the_name_of_another_site_is_no_way_around(proxy, parties):
    more = '''server { listen 127.0.0.1:0 ssl; server_name open.test; ssl_certificate site.crt; ssl_certificate_key site.key;
        location / { return 200 open; } }'''
    daemon = proxy(site(settings=VERIFY + 'ssl_verify_client on;', more=more))
    assert ask(daemon, parties, parties.good_file, name='open.test', host='open.test').status == 200
    r = ask(daemon, parties, parties.good_file, name='open.test', host='site.test')
    assert r.status == 421
    assert ask(daemon, parties, parties.good_file, name='site.test', host='open.test').status == 200
    assert daemon.records(3)[1]['refusal'] == 'misdirected'


def test_a_session_of_an_open_site_does_not_open_a_closed_one(proxy, parties):
    more = '''server { listen 127.0.0.1:0 ssl; server_name open.test; ssl_certificate site.crt; ssl_certificate_key site.key;
        location / { return 200 open; } }'''
    daemon = proxy(site(settings=VERIFY + 'ssl_verify_client on;', more=more))
    ctx = context(high=ssl.TLSVersion.TLSv1_2)
    with TlsClient(daemon.address, 'open.test', ctx) as client:
        assert client.get('/', host='open.test').status == 200
        session = client.sock.session
    with TlsClient(daemon.address, 'site.test', ctx, session=session) as client:
        assert not client.sock.session_reused
        assert client.get('/').status == 400


def test_after_another_authority_certificates_are_looked_at_again(proxy, tmp_path, parties):
    text = site(settings=VERIFY + 'ssl_verify_client on;')
    daemon = proxy(text)
    ctx = context(client=parties.good_file)
    with TlsClient(daemon.address, ctx=ctx) as client:
        assert client.get('/').status == 200
        session = client.sock.session
        parties.other_ca.write(tmp_path, 'ca')
        daemon.wait_said('configuration 2 is in use', daemon.reload())
        client.assert_closed()
    with TlsClient(daemon.address, ctx=ctx, session=session) as client:
        assert client.get('/').status == 400


def test_a_plain_listener_of_such_a_site_answers_nothing_else(proxy, parties):
    daemon = proxy(site(settings=VERIFY + 'ssl_verify_client on; listen 127.0.0.2:0;'), listens=2)
    assert daemon.get('/', listen=1).status == 400


def test_what_a_trusted_proxy_says_of_certificates_is_passed_on(proxy, origin, parties):
    o = origin(headers=[('Cache-Control', 'no-store')])
    daemon = proxy(harness.site(o, cache=False, more='trusted_proxy 127.0.0.1;'))
    daemon.get('/', headers=[('Client-Cert', ':eA==:')])
    assert o.requests[0].headers.get('client-cert') == ':eA==:'
    other = proxy(harness.site(o, cache=False), folder='other')
    other.get('/', headers=[('Client-Cert', ':eA==:')])
    assert not o.requests[1].headers.has('client-cert')


# ---- early data ----

def early(daemon, tmp_path, request):
    """Two connections of openssl: the second sends the request in early data. Returns what came back on it."""
    to = ['openssl', 's_client', '-connect', '%s:%d' % daemon.address, '-servername', 'site.test', '-ign_eof', '-tls1_3']
    plain = b'GET /first HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n'
    subprocess.run([*to, '-sess_out', 'session'], input=plain, cwd=tmp_path, capture_output=True, timeout=20, check=False)
    put(str(tmp_path / 'early'), request)
    done = subprocess.run([*to, '-sess_in', 'session', '-early_data', 'early'], input=b'', cwd=tmp_path, capture_output=True, timeout=20, check=False)
    return done.stdout


@pytest.mark.parametrize('method, status', [('GET', 200), ('HEAD', 200), ('POST', 425), ('DELETE', 425)])
def test_early_data_is_for_safe_methods_and_the_origin_knows(proxy, origin, tmp_path, parties, method, status):
    o = origin(headers=[('Cache-Control', 'no-store')])
    daemon = proxy(site(settings='ssl_early_data on;', body=f'proxy_pass http://{o.address}; proxy_set_header X-Early $ssl_early_data;'))
    request = f'{method} /early HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n'.encode()
    said = early(daemon, tmp_path, request)
    assert b'Early data was accepted' in said, said[-3000:]
    assert b'HTTP/1.1 %d' % status in said
    records = daemon.records(2)
    assert (records[1]['tls_early'], records[1]['tls_resumed'], records[1]['status']) == ('1', '1', str(status))
    if status == 425:
        assert len(o.requests) == 1 and records[1]['refusal'] == 'too_early'
    else:
        assert o.requests[0].headers.all('early-data') == []
        assert o.requests[1].headers.all('early-data') == ['1'] and o.requests[1].headers.get('x-early') == '1'


def test_early_data_is_off_unless_asked_for(proxy, origin, tmp_path, parties):
    daemon = proxy(site())
    said = early(daemon, tmp_path, b'GET /early HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n')
    assert b'Early data was accepted' not in said
    assert [r['tls_early'] for r in daemon.requests()] == ['0'] * len(daemon.requests())
