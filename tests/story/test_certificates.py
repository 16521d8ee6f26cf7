"""Certificates while the daemon runs: swapped, refused, found in a folder, shown, about to expire."""
import json
import os
import shutil
import subprocess
import threading

import pytest

import harness
from tls_help import Cert, TlsClient, context, put, served, site, tls_records


def ctl(daemon, *words):
    done = daemon.run(*daemon.args, 'ctl', *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def certificates(daemon):
    return {os.path.basename(c['file']): c for c in ctl(daemon, 'certificates')['certificates']}


@pytest.fixture
def secure(proxy, tmp_path):
    def make(cert=None, main='', **kw):
        cert = cert or Cert('site.test')
        cert.write(tmp_path)
        return proxy(site(main=f'admin unix:{tmp_path}/admin; ' + main, **kw)), cert

    return make


def wait_served(daemon, cert, name='site.test'):
    harness.until('the other certificate', lambda: served(daemon.address, name) == cert.der)


def test_a_new_certificate_is_served_without_a_word_and_connections_stay(secure, tmp_path):
    daemon, old = secure()
    with TlsClient(daemon.address, ctx=context(old)) as client:
        assert client.get('/').status == 200
        new = Cert('site.test')
        new.write(tmp_path, parts=('key', 'crt'))
        wait_served(daemon, new)
        assert client.get('/').status == 200, 'the connection from before'
    shown = certificates(daemon)['site.crt']
    assert (shown['serial'], shown['names'], shown['error'], shown['loaded'], shown['key']) == (new.serial, ['site.test'], None, True, 'ecdsa')
    assert shown['not_after'] > shown['since'] > shown['not_before']


def test_links_that_are_swapped_are_followed(proxy, tmp_path):
    """As certbot has them in live/: links to the files of the present generation."""
    certs = [Cert('site.test'), Cert('site.test')]
    for n, cert in enumerate(certs):
        cert.write(tmp_path, f'archive{n}')
    for part in ('crt', 'key'):
        os.symlink(f'archive0.{part}', tmp_path / f'site.{part}')
    daemon = proxy(site())
    assert served(daemon.address) == certs[0].der
    for part in ('crt', 'key'):
        os.symlink(f'archive1.{part}', tmp_path / f'new.{part}')
        os.rename(tmp_path / f'new.{part}', tmp_path / f'site.{part}')
    wait_served(daemon, certs[1])


@pytest.mark.parametrize('bad', ['mismatch', 'half', 'expired', 'not yet', 'gone', 'nameless'])
def test_a_bad_one_is_refused_by_name_and_the_old_one_stays(secure, tmp_path, bad):
    daemon, old = secure()
    other = Cert('site.test')
    path = str(tmp_path / 'site.crt')
    since = len(daemon.said())
    if bad == 'mismatch':
        put(path, other.pem())
        why = 'does not belong to the certificate'
    elif bad == 'half':
        put(path, old.pem()[:400])
        why = "of 'site.crt' cannot be read"
    elif bad == 'gone':
        os.remove(path)
        why = "'site.crt': No such file"
    elif bad == 'nameless':
        nameless = Cert(common='x')
        put(path, nameless.pem() + nameless.key_pem())
        put(str(tmp_path / 'site.key'), nameless.key_pem())
        why = 'for no name'
    else:
        Cert('site.test', days=-1, since=10).write(tmp_path) if bad == 'expired' else Cert('site.test', since=-1).write(tmp_path)
        why = 'it expired at' if bad == 'expired' else 'it is not valid before'
    daemon.wait_said(rf'certificate refused: .*{why}.*; the old one is served on', since)
    assert served(daemon.address) == old.der
    shown = certificates(daemon)['site.crt']
    assert shown['serial'] == old.serial and why in shown['error'] and shown['error_at']
    counters = daemon.counters()
    assert counters['proxyd_certificates_refused_total'] >= 1 and counters['proxyd_certificates_failing'] == 1
    new = Cert('site.test')
    new.write(tmp_path)
    wait_served(daemon, new)
    assert certificates(daemon)['site.crt']['error'] is None
    assert daemon.counters()['proxyd_certificates_failing'] == 0


def test_a_reload_takes_new_files_and_keeps_the_old_one_for_bad_ones(secure, tmp_path):
    daemon, old = secure()
    put(str(tmp_path / 'site.crt'), b'nothing\n')
    daemon.wait_said('configuration 2 is in use', daemon.reload())
    assert served(daemon.address) == old.der
    new = Cert('site.test')
    new.write(tmp_path)
    daemon.wait_said('configuration 3 is in use', daemon.reload())
    assert served(daemon.address) == new.der, 'at once: the reload looks itself'
    since = daemon.reload(site(certificate='ssl_certificate none.crt; ssl_certificate_key site.key;', main=f'admin unix:{tmp_path}/admin;'))
    daemon.wait_said('nothing was changed, configuration 3 stays', since)
    assert served(daemon.address) == new.der


def test_swaps_under_load_fail_no_request(secure, tmp_path):
    daemon, old = secure(workers=2)
    stop, failures, done = threading.Event(), [], []

    def load():
        while not stop.is_set():
            try:
                with TlsClient(daemon.address) as client:
                    for _ in range(3):
                        assert client.get('/').status == 200
                    done.append(client.der())
            except Exception as failure:
                failures.append(failure)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(8):
        new = Cert('site.test')
        new.write(tmp_path)
        wait_served(daemon, new)
        if n % 2:
            daemon.wait_said(rf'configuration {2 + n // 2} is in use', daemon.reload())
    seen = len(done)
    harness.until('more requests', lambda: len(done) > seen + 8 or failures)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert done[-1] == new.der and len(set(done)) > 1


# ---- folders ----

@pytest.fixture
def folder(proxy, tmp_path):
    """folder(default=...) -> daemon with certs/ as its folder."""
    os.makedirs(tmp_path / 'certs')

    def make(default='', **kw):
        return proxy(site(default + 'ssl_certificate_folder certs;', names='_', main=f'admin unix:{tmp_path}/admin;', **kw))

    return make


def test_a_folder_serves_by_name_and_loads_when_asked(folder, tmp_path):
    one, wild, pem = Cert('one.test', 'www.one.test'), Cert('*.wild.test'), Cert('pem.test', '192.0.2.7')
    one.write(tmp_path / 'certs', 'one')
    wild.write(tmp_path / 'certs', 'wild')
    pem.write(tmp_path / 'certs', 'all', parts=('pem',))
    fallback = Cert('fallback.test')
    fallback.write(tmp_path, 'fallback')
    daemon = folder('ssl_certificate fallback.crt; ssl_certificate_key fallback.key;')
    before = certificates(daemon)
    assert not before['one.crt']['loaded'] and before['one.crt']['names'] == ['one.test', 'www.one.test'] and before['one.crt']['not_after']
    for name, cert in (('one.test', one), ('WWW.one.test', one), ('a.wild.test', wild), ('pem.test', pem), ('wild.test', fallback),
                       ('b.a.wild.test', fallback), ('nobody.test', fallback), (None, fallback)):
        assert served(daemon.address, name) == cert.der, name
    after = certificates(daemon)
    assert after['one.crt']['serial'] == one.serial and after['one.crt']['loaded']
    assert daemon.counters()['proxyd_certificates'] == 4
    with TlsClient(daemon.address, 'one.test', context(one)) as client:
        assert client.get('/', host='one.test').status == 200


def test_a_folder_alone_refuses_names_that_it_has_not(folder, tmp_path):
    Cert('one.test').write(tmp_path / 'certs', 'one')
    daemon = folder()
    assert served(daemon.address, 'one.test')
    for name in ('two.test', None):
        with pytest.raises(OSError):
            served(daemon.address, name)
    assert [r['end'] for r in tls_records(daemon, 3)][1:] == ['tls_unknown_name'] * 2


def test_a_folder_is_watched(folder, tmp_path):
    certs = tmp_path / 'certs'
    one, fallback = Cert('one.test'), Cert('fallback.test')
    one.write(certs, 'one')
    fallback.write(tmp_path, 'fallback')
    daemon = folder('ssl_certificate fallback.crt; ssl_certificate_key fallback.key;')
    assert served(daemon.address, 'one.test') == one.der
    two = Cert('two.test')
    two.write(certs, 'two', parts=('key', 'crt'))
    wait_served(daemon, two, 'two.test')
    newer = Cert('one.test')
    newer.write(certs, 'one', parts=('key', 'crt'))
    wait_served(daemon, newer, 'one.test')
    os.remove(certs / 'two.crt')
    wait_served(daemon, fallback, 'two.test')
    put(str(certs / 'one.crt'), newer.pem()[:200])
    daemon.wait_said("certificate refused: .*one.crt.*; the old one is served on")
    assert served(daemon.address, 'one.test') == newer.der
    put(str(certs / 'broken.pem'), b'-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')
    daemon.wait_said("certificate refused: .*broken.pem.*its names are not served by it")


def test_rsa_and_ecdsa_of_one_name_in_a_folder_and_the_later_of_two(folder, tmp_path):
    import ssl
    certs = tmp_path / 'certs'
    ec, rsa, later = Cert('one.test'), Cert('one.test', kind='rsa'), Cert('one.test', days=200)
    ec.write(certs, 'ec')
    rsa.write(certs, 'rsa')
    daemon = folder()
    assert served(daemon.address, 'one.test') == ec.der
    assert served(daemon.address, 'one.test', high=ssl.TLSVersion.TLSv1_2, ciphers='ECDHE-RSA-AES128-GCM-SHA256') == rsa.der
    later.write(certs, 'renewed', parts=('key', 'crt'))
    wait_served(daemon, later, 'one.test')


def test_a_certificate_of_a_folder_whose_key_is_missing_is_refused_when_asked(folder, tmp_path):
    certs = tmp_path / 'certs'
    one, fallback = Cert('one.test'), Cert('fallback.test')
    one.write(certs, 'one', parts=('crt',))
    fallback.write(tmp_path, 'fallback')
    daemon = folder('ssl_certificate fallback.crt; ssl_certificate_key fallback.key;')
    assert served(daemon.address, 'one.test') == fallback.der
    daemon.wait_said("certificate refused: 'certs/one.key': No such file or directory")
    one.write(certs, 'one', parts=('key',))
    wait_served(daemon, one, 'one.test')


def test_many_handshakes_wait_for_certificates_that_are_being_loaded(folder, tmp_path):
    certs = [Cert(f'n{n}.test') for n in range(40)]
    for n, cert in enumerate(certs):
        cert.write(tmp_path / 'certs', f'n{n}')
    daemon = folder(workers=2)
    got = {}

    def ask(n, turn):
        got[n, turn] = served(daemon.address, f'n{n}.test')

    threads = [threading.Thread(target=ask, args=(n, turn)) for n in range(40) for turn in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(got[n, turn] == certs[n].der for n in range(40) for turn in range(2))


def test_a_folder_goes_on_after_its_reload(folder, tmp_path):
    Cert('one.test').write(tmp_path / 'certs', 'one')
    daemon = folder()
    assert served(daemon.address, 'one.test')
    for generation in range(2, 5):
        daemon.wait_said(f'configuration {generation} is in use', daemon.reload())
        assert served(daemon.address, 'one.test')
    assert certificates(daemon)['one.crt']['loaded'], 'it is not loaded again'


# ---- dates, OCSP ----

def test_what_expires_soon_is_said_once_a_step(proxy, tmp_path):
    Cert('site.test', days=20.5, since=69).write(tmp_path, 'soon')
    Cert('b.test', days=6.5, since=84).write(tmp_path, 'alarm')
    Cert('c.test', days=-1, since=30).write(tmp_path, 'over')
    Cert('d.test', days=5, since=2).write(tmp_path, 'brief')         # of a week: it is renewed more often than others are warned of
    words = ' '.join(f'ssl_certificate {n}.crt; ssl_certificate_key {n}.key;' for n in ('soon', 'alarm', 'over', 'brief'))
    daemon = proxy(site(words))
    daemon.wait_said(r"warn: certificate 'soon.crt' expires in 20 days")
    daemon.wait_said(r"error: certificate 'alarm.crt' expires in 6 days")
    daemon.wait_said(r"error: certificate 'over.crt' has expired")
    assert daemon.said().count('expires in') == 2
    first = daemon.counters()['proxyd_certificates_expire_first_seconds']
    assert 0 < first < 4e9 and 'proxyd_certificate_expires_seconds{file="soon.crt",key="ecdsa"}' in daemon.metrics()


def test_an_ocsp_answer_beside_the_certificate_is_stapled(proxy, tmp_path):
    ca = Cert(ca=True, common='the authority')
    leaf = Cert('site.test', issuer=ca)
    leaf.write(tmp_path)
    ca.write(tmp_path, 'ca')
    daemon = proxy(site())
    status = ['openssl', 's_client', '-connect', '%s:%d' % daemon.address, '-servername', 'site.test', '-status']
    assert b'no response sent' in subprocess.run(status, input=b'', capture_output=True, timeout=20, check=False).stdout
    serial = '%X' % leaf.cert.serial_number
    serial = serial.rjust(len(serial) + len(serial) % 2, '0')
    put(str(tmp_path / 'index.txt'), f'V\t{leaf.cert.not_valid_after:%y%m%d%H%M%SZ}\t\t{serial}\tunknown\t/CN=site.test\n'.encode())
    made = subprocess.run(['openssl', 'ocsp', '-index', 'index.txt', '-CA', 'ca.crt', '-rsigner', 'ca.crt', '-rkey', 'ca.key', '-issuer', 'ca.crt',
                           '-cert', 'site.crt', '-ndays', '5', '-respout', 'site.new'], cwd=tmp_path, capture_output=True, timeout=20, check=False)
    assert os.path.exists(tmp_path / 'site.new'), made.stderr
    os.rename(tmp_path / 'site.new', tmp_path / 'site.crt.ocsp')
    harness.until('a stapled answer', lambda: b'OCSP Response Status: successful' in subprocess.run(
        status, input=b'', capture_output=True, timeout=20, check=False).stdout)
    shutil.move(tmp_path / 'site.crt.ocsp', tmp_path / 'elsewhere')
    config = site('ssl_certificate site.crt; ssl_certificate_key site.key; ssl_stapling_file elsewhere;')
    daemon.wait_said('configuration 2 is in use', daemon.reload(config))
    assert b'OCSP Response Status: successful' in subprocess.run(status, input=b'', capture_output=True, timeout=20, check=False).stdout
