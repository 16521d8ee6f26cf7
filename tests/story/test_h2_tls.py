"""HTTP/2 over TLS: ALPN, names that the certificate is for and those that it is not for (421), early data, HSTS."""
import tls_help
from h2_help import H2
from harness import Proxyd


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
