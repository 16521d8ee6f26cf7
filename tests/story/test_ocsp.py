"""OCSP answers that are fetched and stapled: from a real responder (openssl ocsp), and from scripted ones that lie, are slow or broken."""
import datetime
import json
import os
import re
import socket
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import harness
from tls_help import Cert, put, served, site
from test_certificates import certificates

DER = serialization.Encoding.DER
ON = 'ssl_stapling on;'


class Responder:
    """openssl ocsp with an index of what its CA has issued."""

    def __init__(self, folder, ca, port=0):
        self.folder, self.ca = folder, ca
        ca.write(folder, 'ca')
        self.index = os.path.join(str(folder), 'index.txt')
        put(self.index, b'')
        self.process = subprocess.Popen(['openssl', 'ocsp', '-index', 'index.txt', '-port', str(port), '-rsigner', 'ca.crt', '-rkey', 'ca.key', '-CA', 'ca.crt',
                                         '-ndays', '4', '-ignore_err'], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port = int(re.search(rb':(\d+) ', self.process.stdout.readline())[1])
        self.url = f'http://127.0.0.1:{self.port}/'

    def knows(self, *certs, revoked=()):
        rows = []
        for cert in certs:
            gone = datetime.datetime.utcnow().strftime('%y%m%d%H%M%SZ') if cert in revoked else ''
            rows.append('\t'.join(['R' if gone else 'V', cert.cert.not_valid_after.strftime('%y%m%d%H%M%SZ'), gone, cert.serial, 'unknown', f'/CN={cert.common}']))
        put(self.index, ''.join(row + '\n' for row in rows).encode())
        with socket.create_connection(('127.0.0.1', self.port), timeout=harness.DEADLINE) as sock:   # it looks at the file after a request
            sock.sendall(b'GET /none HTTP/1.0\r\n\r\n')
            while sock.recv(1000):
                pass

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def responder(tmp_path):
    made = []

    def make(ca=None, **kw):
        folder = tmp_path / f'authority{len(made)}'
        os.makedirs(folder)
        made.append(Responder(folder, ca or Cert(ca=True, common='the authority'), **kw))
        return made[-1]

    yield make
    for one in made:
        one.close()


def answer(cert, issuer, signer=None, status='good', since=0, days=4, chain=(), clock=None, reason=None):
    """An answer about the certificate as a responder may send it; signer: a Cert, else the issuer. Dates are from the daemon's now on."""
    now = datetime.datetime.utcfromtimestamp(clock.now() if clock else datetime.datetime.now().timestamp())
    signer = signer or issuer
    build = ocsp.OCSPResponseBuilder().add_response(
        cert=cert.cert, issuer=issuer.cert, algorithm=hashes.SHA1(), cert_status=getattr(ocsp.OCSPCertStatus, status.upper()),
        this_update=now - datetime.timedelta(days=since), next_update=None if days is None else now + datetime.timedelta(days=days),
        revocation_time=now if status == 'revoked' else None, revocation_reason=reason)
    build = build.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.cert)
    if chain:
        build = build.certificates([c.cert for c in chain])
    return build.sign(signer.key, hashes.SHA256()).public_bytes(DER)


def says(body, **kw):
    return lambda request, conn: conn.reply(200, [('Content-Type', 'application/ocsp-response')], body, **kw)


def staple(daemon, name='site.test'):
    """What a handshake brings: None, or the text of the answer."""
    done = subprocess.run(['openssl', 's_client', '-connect', '%s:%d' % daemon.address, '-servername', name, '-status'],
                          input=b'', capture_output=True, timeout=20, check=False)
    out = done.stdout.decode()
    assert 'CONNECTED' in out, done.stderr
    if 'OCSP response: no response sent' in out:
        return None
    assert 'OCSP Response Status: successful' in out, out
    return out


def is_about(text, cert):
    return f'Serial Number: {cert.serial}' in text and 'Cert Status: good' in text


def wait_staple(daemon, cert, name='site.test'):
    text = harness.until('a stapled answer', lambda: staple(daemon, name))
    assert is_about(text, cert), text
    return text


def passes(daemon, clock, seconds):
    """Time passes, and the thread of the certificates hears of it: something happens in a folder that it watches."""
    clock.passes(seconds)
    put(os.path.join(daemon.tmp, 'poke'), b'')


DAY = 86400


@pytest.fixture
def stapling(proxy, tmp_path, clock):
    """stapling(cert, settings) -> daemon with one certificate and stapling on, its time in the story's hands."""
    def make(cert, settings=ON, main='', **kw):
        cert.write(tmp_path)
        return proxy(site(settings=settings, main=f'admin unix:{tmp_path}/admin; {main}', **kw), clock=clock)

    return make


def test_an_answer_of_a_real_responder_is_stapled_renewed_and_its_revocation_is_told(stapling, responder, clock):
    authority = responder()
    leaf = Cert('site.test', issuer=authority.ca, responder=authority.url)
    authority.knows(leaf)
    daemon = stapling(leaf)
    wait_staple(daemon, leaf)
    daemon.wait_said(rf"certificate 'site.crt': OCSP answer from {authority.url}: good until 20")
    shown = certificates(daemon)['site.crt']
    assert shown['stapled'] and shown['ocsp']['wanted'] and not shown['ocsp']['revoked'] and shown['ocsp']['error'] is None
    assert shown['ocsp']['from'] == authority.url and shown['ocsp']['since'] < shown['ocsp']['until'] == shown['ocsp']['since'] + 4 * DAY
    half = shown['ocsp']['next_fetch'] - clock.now()
    assert 2 * DAY * 0.86 < half < 2 * DAY * 1.14, half
    counters = daemon.counters()
    assert [counters[f'proxyd_{n}'] for n in ('certificates_stapled', 'certificates_staple_missing', 'ocsp_fetches_total', 'ocsp_fetches_failed_total')] == [1, 0, 1, 0]
    assert counters['proxyd_certificate_staple_expires_seconds'] == shown['ocsp']['until']
    passes(daemon, clock, half - 60)
    assert served(daemon.address) == leaf.der and daemon.counters()['proxyd_ocsp_fetches_total'] == 1, 'not before its time'
    passes(daemon, clock, 61)
    harness.until('the second fetch', lambda: daemon.counters()['proxyd_ocsp_fetches_total'] == 2)
    authority.knows(leaf, revoked=[leaf])
    passes(daemon, clock, DAY * 1.5)
    daemon.wait_said(rf"error: certificate 'site.crt', serial {leaf.serial}, is REVOKED since 20.*: get a new one")
    assert staple(daemon) is None and served(daemon.address) == leaf.der
    shown = certificates(daemon)['site.crt']
    assert not shown['stapled'] and shown['ocsp']['revoked'] and 'revoked since' in shown['ocsp']['error']
    assert daemon.counters()['proxyd_certificates_revoked'] == 1
    new = Cert('site.test', issuer=authority.ca, responder=authority.url)
    authority.knows(leaf, new, revoked=[leaf])
    new.write(daemon.tmp, parts=('key', 'crt'))
    wait_staple(daemon, new)
    assert daemon.counters()['proxyd_certificates_revoked'] == 0


def test_a_responder_that_is_away_is_asked_again_after_growing_pauses(stapling, responder, clock):
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    ca = Cert(ca=True, common='the authority')
    leaf = Cert('site.test', issuer=ca, responder=f'http://127.0.0.1:{port}/ocsp')
    daemon = stapling(leaf)
    daemon.wait_said(r"warn: certificate 'site.crt': no OCSP answer from http://127.0.0.1:\d+/ocsp: .*[Cc]onnect.*; handshakes go without; asked again in 15 s")
    pauses = []
    for n in range(12):
        harness.until(f'fetch {n + 1}', lambda: daemon.counters()['proxyd_ocsp_fetches_failed_total'] == n + 1)
        shown = harness.until('a plan', lambda: certificates(daemon)['site.crt']['ocsp'] if certificates(daemon)['site.crt']['ocsp']['next_fetch'] else None)
        pauses.append(shown['next_fetch'] - clock.now())
        passes(daemon, clock, pauses[-1] + 2)
    for n, pause in enumerate(pauses):
        due = min(15 << n, 15 << 8)
        assert due * 0.87 - 2 <= pause <= due * 1.13 + 2, pauses
    assert staple(daemon) is None and daemon.counters()['proxyd_certificates_staple_missing'] == 1
    assert daemon.said().count('no OCSP answer') == 1, 'the same reason is told once'
    authority = responder(ca, port=port)
    authority.knows(leaf)
    passes(daemon, clock, 15 << 9)
    wait_staple(daemon, leaf)
    assert certificates(daemon)['site.crt']['ocsp']['error'] is None


def test_a_responder_that_is_slow_holds_nobody_up(proxy, origin, tmp_path, clock):
    ca = Cert(ca=True, common='the authority')

    def slow(request, conn):
        conn.origin.pass_gate()
        says(answer(leaf, ca))(request, conn)

    o = origin(slow)
    leaf, other = Cert('site.test', issuer=ca, responder=f'http://{o.address}/'), Cert('other.test')
    leaf.write(tmp_path)
    os.makedirs(tmp_path / 'certs')
    other.write(tmp_path / 'certs', 'other')
    daemon = proxy(site('ssl_certificate site.crt; ssl_certificate_key site.key; ssl_certificate_folder certs;', ON, names='_', main=f'admin unix:{tmp_path}/admin;'), clock=clock)
    o.wait_requests(1)
    assert served(daemon.address, 'other.test') == other.der, 'it is loaded by the thread that waits for the responder'
    assert staple(daemon) is None
    clock.passes(16)
    daemon.wait_said(r'no OCSP answer from .*: it did not answer within 15 s; handshakes go without')
    o.open_gate()
    passes(daemon, clock, 20)
    wait_staple(daemon, leaf)


BAD = {
    'garbage': lambda s: (says(b'what is this?'), 'it is no OCSP answer'),
    'nothing': lambda s: (says(b''), 'it is empty'),
    'bytes behind it': lambda s: (says(answer(s.leaf, s.ca, clock=s.clock) + b'x'), 'it is no OCSP answer'),
    'another certificate': lambda s: (says(answer(Cert('site.test', issuer=s.ca), s.ca, clock=s.clock)), 'it is about another certificate'),
    'expired': lambda s: (says(answer(s.leaf, s.ca, since=9, days=-1, clock=s.clock)), 'it has expired'),
    'not yet': lambda s: (says(answer(s.leaf, s.ca, since=-3, days=9, clock=s.clock)), 'it is not valid yet'),
    'another signer': lambda s: (says(answer(s.leaf, s.ca, signer=s.other, clock=s.clock)), 'it is not signed by who may sign it'),
    'a signer that calls itself the issuer': lambda s: (says(answer(s.leaf, s.ca, signer=Cert(ca=True, common='the authority'), clock=s.clock)),
                                                        'it is not signed by who may sign it'),
    'a certificate of the issuer that may not': lambda s: (says(answer(s.leaf, s.ca, signer=s.plain, chain=[s.plain], clock=s.clock)), 'it is not signed by who may sign it'),
    'a delegate that has expired': lambda s: (says(answer(s.leaf, s.ca, signer=s.old, chain=[s.old], clock=s.clock)), 'it is not signed by who may sign it'),
    'unknown': lambda s: (says(answer(s.leaf, s.ca, status='unknown', clock=s.clock)), 'the responder does not know the certificate'),
    'try later': lambda s: (says(ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(DER)), 'the responder says trylater'),
    'status 500': lambda s: (lambda r, c: c.reply(500, [], answer(s.leaf, s.ca, clock=s.clock)), 'it answered with status 500'),
    'redirect to a file': lambda s: (lambda r, c: c.reply(302, [('Location', f'file://{s.file}')]), 'it answered with status 302'),
    'redirect': lambda s: (lambda r, c: c.reply(302, [('Location', f'http://{r.headers.get("host")}/again')]), 'it answered with status 302'),
    'too large': lambda s: (says(b'x' * 70000), 'its answer is larger than 65536 bytes'),
    'cut': lambda s: (lambda r, c: (c.send(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxxx'), c.close()), '.*'),
}


class Story:
    pass


@pytest.mark.parametrize('bad', BAD)
def test_a_wrong_answer_is_never_sent_and_the_right_one_before_is_kept(stapling, origin, clock, bad, tmp_path):
    s = Story()
    s.clock, s.ca, s.other = clock, Cert(ca=True, common='the authority'), Cert(ca=True, common='another')
    s.plain, s.old = Cert('plain', issuer=s.ca), Cert('old', issuer=s.ca, signs_ocsp=True, since=30, days=-1)
    script = {}
    o = origin(lambda request, conn: script['now'](request, conn))
    s.leaf = Cert('site.test', issuer=s.ca, responder=f'http://{o.address}/')
    s.file = tmp_path / 'good.der'
    s.file.write_bytes(answer(s.leaf, s.ca, clock=clock))
    script['now'] = says(answer(s.leaf, s.ca, days=4, clock=clock))
    daemon = stapling(s.leaf)
    wait_staple(daemon, s.leaf)
    passes(daemon, clock, 2.3 * DAY - 1)
    harness.until('the second fetch', lambda: daemon.counters()['proxyd_ocsp_fetches_total'] == 2)      # the same answer: as long as it was
    script['now'], why = BAD[bad](s)
    passes(daemon, clock, 1.2 * DAY)
    daemon.wait_said(rf"warn: certificate 'site.crt': no OCSP answer from .*: {why}.*; the present one is sent until ")
    assert is_about(staple(daemon), s.leaf)
    shown = certificates(daemon)['site.crt']
    assert shown['stapled'] and shown['ocsp']['error'] and shown['ocsp']['error_at']
    passes(daemon, clock, 0.6 * DAY)                                         # its end
    daemon.wait_said(r'no OCSP answer from .*; the one before has expired, handshakes go without')
    assert staple(daemon) is None and not certificates(daemon)['site.crt']['stapled']
    assert all(r.target == '/' and r.method == 'POST' and r.headers.get('content-type') == 'application/ocsp-request' for r in o.requests)
    script['now'] = says(answer(s.leaf, s.ca, clock=clock))
    passes(daemon, clock, 2 * 3840)
    wait_staple(daemon, s.leaf)


def test_who_may_sign(stapling, origin, clock):
    """The issuer's delegate may; anybody may where ssl_stapling_verify is off, as in nginx; his signature counts all the same."""
    ca = Cert(ca=True, common='the authority')
    delegate, plain = Cert('delegate', issuer=ca, signs_ocsp=True), Cert('plain', issuer=ca)
    script = {}
    o = origin(lambda request, conn: says(script['body'])(request, conn))
    leaf = Cert('site.test', issuer=ca, responder=f'http://{o.address}/')
    script['body'] = answer(leaf, ca, signer=delegate, chain=[delegate])
    daemon = stapling(leaf)
    wait_staple(daemon, leaf)
    script['body'] = answer(leaf, ca, signer=plain, chain=[plain])
    passes(daemon, clock, 2.4 * DAY)
    daemon.wait_said('it is not signed by who may sign it')
    with open(daemon.config_path) as f:
        lax = f.read().replace(ON, ON + ' ssl_stapling_verify off;')
    script['body'] = script['body'][:-3] + bytes([script['body'][-3] ^ 1]) + script['body'][-2:]
    daemon.wait_said('configuration 2 is in use', daemon.reload(lax))
    passes(daemon, clock, 3 * DAY)
    daemon.wait_said('the one before has expired')
    script['body'] = answer(leaf, ca, signer=plain, chain=[plain], clock=clock)
    passes(daemon, clock, 3 * DAY)
    wait_staple(daemon, leaf)


def test_an_older_answer_does_not_take_the_place_of_a_newer_one(stapling, origin, clock):
    ca = Cert(ca=True, common='the authority')
    script = {}
    o = origin(lambda request, conn: says(script['body'])(request, conn))
    leaf = Cert('site.test', issuer=ca, responder=f'http://{o.address}/')
    script['body'] = answer(leaf, ca, days=8)
    daemon = stapling(leaf)
    wait_staple(daemon, leaf)
    until = certificates(daemon)['site.crt']['ocsp']['until']
    script['body'] = answer(leaf, ca, days=7)
    passes(daemon, clock, 4.9 * DAY)
    daemon.wait_said('what it sends is older than what was there')
    assert certificates(daemon)['site.crt']['ocsp']['until'] == until and staple(daemon)


def test_an_answer_without_an_end_is_renewed_within_hours(stapling, origin, clock):
    ca = Cert(ca=True, common='the authority')
    o = origin(lambda request, conn: says(answer(leaf, ca, days=None, clock=clock))(request, conn))
    leaf = Cert('site.test', issuer=ca, responder=f'http://{o.address}/')
    daemon = stapling(leaf)
    wait_staple(daemon, leaf)
    assert certificates(daemon)['site.crt']['ocsp']['until'] <= clock.now() + 7200
    passes(daemon, clock, 3700 * 1.2)
    o.wait_requests(2)


def test_a_reload_keeps_what_was_fetched_and_the_words_count(stapling, origin, clock, tmp_path):
    ca = Cert(ca=True, common='the authority')
    o, mine = (origin(lambda request, conn: says(answer(leaf, ca))(request, conn)) for _ in range(2))
    leaf = Cert('site.test', issuer=ca, responder=f'http://{o.address}/')
    daemon = stapling(leaf)
    wait_staple(daemon, leaf)
    with open(daemon.config_path) as f:
        text = f.read()
    for generation in range(2, 5):
        daemon.wait_said(f'configuration {generation} is in use', daemon.reload())
        assert is_about(staple(daemon), leaf)
    leaf.write(tmp_path, parts=('key', 'crt'))               # the same certificate, read again
    daemon.wait_said("certificate 'site.crt' is new")
    assert is_about(staple(daemon), leaf) and len(o.requests) == 1
    daemon.wait_said('nothing was changed', daemon.reload(text.replace(ON, 'nonsense;')))
    assert is_about(staple(daemon), leaf)
    daemon.wait_said('configuration 5 is in use', daemon.reload(text.replace(ON, '')))
    harness.until('no answer any more', lambda: staple(daemon) is None)
    daemon.wait_said('configuration 6 is in use', daemon.reload(text.replace(ON, ON + f' ssl_stapling_responder http://{mine.address}/mine;')))
    wait_staple(daemon, leaf)
    assert len(o.requests) == 1 and mine.paths() == ['/mine']


def test_what_was_fetched_serves_after_a_restart_without_a_responder(stapling, responder, tmp_path, clock):
    authority = responder()
    leaf = Cert('site.test', issuer=authority.ca, responder=authority.url)
    authority.knows(leaf)
    os.makedirs(tmp_path / 'answers')
    daemon = stapling(leaf, main='ssl_stapling_folder answers;')
    wait_staple(daemon, leaf)
    kept = harness.until('a file', lambda: [n for n in os.listdir(tmp_path / 'answers') if n.endswith('.ocsp')])
    assert len(kept) == 1
    authority.close()
    daemon.stop()
    daemon.start()
    assert is_about(staple(daemon), leaf), 'with the first handshake'
    assert certificates(daemon)['site.crt']['ocsp']['from'].startswith('answers/')
    daemon.stop()
    path = tmp_path / 'answers' / kept[0]
    saved = bytearray(path.read_bytes())
    saved[80] ^= 1                                            # whoever has written there
    path.write_bytes(saved)
    since = len(daemon.said())
    daemon.start()
    daemon.wait_said('no OCSP answer from', since)
    assert staple(daemon) is None
    path.write_bytes(answer(leaf, authority.ca, clock=clock))
    clock.passes(5 * DAY)
    daemon.stop()
    daemon.start()
    assert staple(daemon) is None, 'it has expired meanwhile'


def test_the_issuer_may_be_in_a_file_of_its_own(proxy, responder, tmp_path):
    authority = responder()
    leaf = Cert('site.test', issuer=authority.ca, responder=authority.url)
    authority.knows(leaf)
    leaf.write(tmp_path)
    put(str(tmp_path / 'site.crt'), leaf.pem(chain=False))
    put(str(tmp_path / 'issuers.pem'), Cert(ca=True, common='somebody').pem() + authority.ca.pem())
    daemon = proxy(site(settings=ON))
    daemon.wait_said("certificate 'site.crt': ssl_stapling has no effect: its issuer is not in the chain: .*ssl_trusted_certificate")
    daemon.wait_said('configuration 2 is in use', daemon.reload(site(settings=ON + ' ssl_trusted_certificate issuers.pem;')))
    wait_staple(daemon, leaf)
    since = daemon.reload(site(settings=ON + ' ssl_trusted_certificate none.pem;'))
    daemon.wait_said("none.pem': No such file", since)
    daemon.wait_said('nothing was changed, configuration 2 stays', since)
    assert is_about(staple(daemon), leaf)


def test_a_certificate_without_a_responder_or_that_insists_is_told(proxy, tmp_path):
    ca = Cert(ca=True, common='the authority')
    Cert('site.test', issuer=ca, must_staple=True).write(tmp_path)
    daemon = proxy(site())
    daemon.wait_said(r"warn: certificate 'site.crt' wants to be refused without an OCSP answer \(RFC 7633\), and has none: write ssl_stapling on")
    assert daemon.counters()['proxyd_certificates_staple_missing'] == 1
    since = daemon.reload(site(settings=ON))
    daemon.wait_said(r"certificate 'site.crt': ssl_stapling has no effect: the certificate names no responder", since)
    since = daemon.reload(site(settings=ON + ' ssl_stapling_responder http://127.0.0.1:1/;'))
    daemon.wait_said(r"error: certificate 'site.crt': no OCSP answer .*; handshakes go without, and the certificate wants to be refused then", since)


def test_of_many_certificates_those_that_are_asked_for_are_fetched_a_few_at_once(proxy, origin, tmp_path):
    ca = Cert(ca=True, common='the authority')
    state = {'now': 0, 'most': 0}
    lock = threading.Lock()

    def handler(request, conn):
        with lock:
            state['now'] += 1
            state['most'] = max(state['most'], state['now'])
        conn.origin.pass_gate()
        serial = ocsp.load_der_ocsp_request(request.body).serial_number
        with lock:
            state['now'] -= 1
        says(answer(next(c for c in certs if c.cert.serial_number == serial), ca))(request, conn)

    o = origin(handler)
    os.makedirs(tmp_path / 'certs')
    certs = [Cert(f'n{n}.test', issuer=ca, responder=f'http://{o.address}/') for n in range(40)]
    for n, cert in enumerate(certs):
        cert.write(tmp_path / 'certs', f'n{n}')
    daemon = proxy(site('ssl_certificate_folder certs;', ON, names='_', main=f'admin unix:{tmp_path}/admin;'))
    for n in range(12):
        assert served(daemon.address, f'n{n}.test') == certs[n].der
    o.wait_requests(4)
    assert len(o.requests) == 4
    o.open_gate()
    for n in range(12):
        wait_staple(daemon, certs[n], f'n{n}.test')
    assert state['most'] <= 4 and len(o.requests) == 12
    assert daemon.counters()['proxyd_certificates_stapled'] == 12
    os.remove(tmp_path / 'certs' / 'n1.crt')
    harness.until('one is gone', lambda: daemon.counters()['proxyd_certificates'] == 39)


def test_a_certificate_that_changes_while_it_is_asked_about(stapling, origin, tmp_path):
    ca = Cert(ca=True, common='the authority')

    def handler(request, conn):
        if len(conn.origin.requests) == 1:
            conn.origin.pass_gate()
        serial = ocsp.load_der_ocsp_request(request.body).serial_number
        says(answer(next(c for c in (old, new) if c.cert.serial_number == serial), ca))(request, conn)

    o = origin(handler)
    old, new = (Cert('site.test', issuer=ca, responder=f'http://{o.address}/') for _ in range(2))
    daemon = stapling(old)
    o.wait_requests(1)
    new.write(tmp_path, parts=('key', 'crt'))
    harness.until('the new certificate', lambda: served(daemon.address) == new.der)
    assert staple(daemon) is None
    o.open_gate()
    wait_staple(daemon, new)
    assert len(o.requests) == 2


def test_a_stop_does_not_wait_for_a_responder(stapling, origin):
    ca = Cert(ca=True, common='the authority')
    o = origin(lambda request, conn: conn.origin.pass_gate('never'))
    leaf = Cert('site.test', issuer=ca, responder=f'http://{o.address}/')
    daemon = stapling(leaf)
    o.wait_requests(1)
    daemon.stop()
    assert json.dumps(o.paths()) == '["/"]'
