"""The auditor's rules about certificates, on the logs of real nodes."""
from harness import audit_json, findings, until
from tls_help import Cert, TlsClient, served, site


def node(proxy, clock, tmp_path, name, cert):
    folder = tmp_path / name
    folder.mkdir()
    cert.write(folder)
    return proxy(site().replace('node story', f'node {name}'), folder=name, clock=clock)


def asked(daemons):
    for daemon in daemons:
        with TlsClient(daemon.address) as client:
            assert client.get('/').status == 200


def found(daemons, rule):
    counts = [len(d.requests()) for d in daemons]
    until('all lines', lambda: all(len(d.requests()) >= n for d, n in zip(daemons, counts)))
    return findings(audit_json('check', *[d.log for d in daemons]), rule)


def renew(daemon, cert):
    cert.write(daemon.tmp, parts=('key', 'crt'))
    until('the new certificate', lambda: served(daemon.address) == cert.der)


def test_a_node_that_was_left_behind_is_found_and_a_roll_over_is_not(proxy, tmp_path, clock):
    old, new = Cert('site.test'), Cert('site.test')
    one, two = (node(proxy, clock, tmp_path, name, old) for name in ('one', 'two'))
    both = (one, two)
    for _ in range(4):
        asked(both)
        clock.passes(900)
    renew(one, new)
    for _ in range(3):                       # 45 minutes: it is on its way
        asked(both)
        clock.passes(900)
    until('lines', lambda: len(one.requests()) == len(two.requests()) == 7)
    assert found(both, 'certificate-differs') == []
    for _ in range(5):
        asked(both)
        clock.passes(900)
    until('lines', lambda: len(one.requests()) == len(two.requests()) == 12)
    [f] = found(both, 'certificate-differs')
    assert f['subject'] == 'site.test ecdsa' and old.serial in f['cause'] and new.serial in f['cause']
    assert 'one' in f['cause'] and 'two' in f['cause'] and len(f['evidence']) == 4


def test_a_certificate_near_its_end_is_found_until_it_is_renewed(proxy, tmp_path, clock):
    old, new = Cert('site.test', days=20, since=70), Cert('site.test')
    daemon = node(proxy, clock, tmp_path, 'one', old)
    asked([daemon])
    daemon.records(1)
    [f] = found([daemon], 'certificate-expiring')
    assert (f['subject'], f['severity']) == (old.serial, 'warning') and 'site.test' in f['cause']
    clock.passes(14 * 86400)
    asked([daemon])
    daemon.records(2)
    [f] = found([daemon], 'certificate-expiring')
    assert f['severity'] == 'error' and f['count'] == 2
    renew(daemon, new)
    asked([daemon])
    daemon.records(3)
    assert found([daemon], 'certificate-expiring') == []
