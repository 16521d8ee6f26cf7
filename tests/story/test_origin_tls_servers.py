"""TLS to origins of other makes: nginx, and openssl s_server for what happens within a connection."""
import os
import re
import subprocess
import threading

import pytest

import harness
from tls_help import PEM, Cert, free_port, put


@pytest.fixture
def nginx(proxy, tmp_path):     # proxy: so that it ends after the daemons
    """nginx(lines of the server) -> its port; its log has $ssl_protocol $ssl_session_reused $ssl_client_verify $connection_requests."""
    started = []
    www = tmp_path / 'www'
    www.mkdir()

    def make(cert, lines=''):
        port = free_port()
        cert.write(tmp_path, 'origin')
        temps = ' '.join(f'{what}_temp_path {tmp_path}/{what};' for what in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        user = f'user {os.environ.get("USER", "root")};' if os.geteuid() == 0 else ''
        put(str(tmp_path / 'nginx.conf'), f'''{user} daemon off; master_process off; worker_processes 1; pid {tmp_path}/nginx.pid; error_log {tmp_path}/nginx.log;
events {{ }}
http {{ {temps} log_format tls '$ssl_protocol $ssl_session_reused $ssl_client_verify $connection_requests $ssl_server_name'; access_log {tmp_path}/origin.log tls;
    keepalive_requests 10000; client_max_body_size 0;
    server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {tmp_path}/origin.crt; ssl_certificate_key {tmp_path}/origin.key; ssl_protocols TLSv1.2 TLSv1.3;
        root {www}; default_type text/plain; {lines} }} }}'''.encode())
        started.append(subprocess.Popen(['nginx', '-p', str(tmp_path), '-e', str(tmp_path / 'nginx.log'), '-c', str(tmp_path / 'nginx.conf')],
                                        env=dict(os.environ, PATH=os.environ['PATH'] + ':/usr/sbin')))
        harness.until('nginx', lambda: can_connect(port))
        return port

    yield make
    for one in started:
        one.terminate()
        one.wait(harness.DEADLINE)


def can_connect(port):
    try:
        harness.Client(('127.0.0.1', port)).close()
        return True
    except OSError:
        return False


def seen_by_nginx(tmp_path, count):
    def lines():
        return (tmp_path / 'origin.log').read_text().splitlines()
    harness.until(f'{count} lines of nginx', lambda: len(lines()) >= count)
    return [line.split() for line in lines()]


def before(proxy, tmp_path, port, settings='', ca=None, **kw):
    put(str(tmp_path / 'ca.pem'), ca.cert.public_bytes(PEM))
    return proxy(harness.site('unused', cache=False, settings='proxy_ssl_trusted_certificate ca.pem; ' + settings, **kw).replace('http://unused', f'https://localhost:{port}'))


@pytest.fixture(scope='module')
def ca():
    return Cert(ca=True, common='story ca')


@pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
def test_nginx_sees_one_connection_and_then_resumed_sessions(nginx, proxy, tmp_path, ca, version):
    port = nginx(Cert('localhost', issuer=ca), 'location /close { keepalive_timeout 0; return 200 x; } location / { return 200 y; }')
    daemon = before(proxy, tmp_path, port, f'proxy_ssl_protocols {version};', ca=ca)
    for target in ('/', '/', '/close', '/close', '/'):
        assert daemon.get(target).status == 200
    assert seen_by_nginx(tmp_path, 5) == [[version, '.', 'NONE', '1', 'localhost'], [version, '.', 'NONE', '2', 'localhost'], [version, '.', 'NONE', '3', 'localhost'],
                                          [version, 'r', 'NONE', '1', 'localhost'], [version, 'r', 'NONE', '1', 'localhost']]


def test_nginx_gives_a_large_file_and_takes_one(nginx, proxy, origin, tmp_path, ca):
    body = os.urandom(8000000)
    (tmp_path / 'www' / 'large').write_bytes(body)
    behind = origin(lambda request, conn: conn.reply(200, body='whole' if request.body == body else 'broken'))
    port = nginx(Cert('localhost', issuer=ca), f'location /up {{ proxy_pass http://{behind.address}; proxy_request_buffering off; proxy_http_version 1.1; }}')
    daemon = before(proxy, tmp_path, port, ca=ca)
    assert daemon.get('/large').body == body
    assert daemon.get('/up', method='PUT', body=body).body == b'whole'
    r = daemon.get('/large', headers=[('Range', 'bytes=1000-1999')])
    assert r.status == 206 and r.body == body[1000:2000]


def test_nginx_verifies_the_certificate_that_is_shown(nginx, proxy, tmp_path, ca):
    Cert(issuer=ca, common='proxy').write(tmp_path, 'me')
    put(str(tmp_path / 'ca.pem'), ca.cert.public_bytes(PEM))
    port = nginx(Cert('localhost', issuer=ca), f'ssl_client_certificate {tmp_path}/ca.pem; ssl_verify_client on; location / {{ return 200 "$ssl_client_s_dn"; }}')
    daemon = before(proxy, tmp_path, port, 'proxy_ssl_certificate me.crt; proxy_ssl_certificate_key me.key;', ca=ca,
                    more=f'location /none {{ proxy_pass https://localhost:{port}; proxy_ssl_trusted_certificate ca.pem; }}')
    assert daemon.get('/').body == b'CN=proxy'
    assert daemon.get('/none').status == 400             # what nginx says over HTTP
    assert [line[2] for line in seen_by_nginx(tmp_path, 2)] == ['SUCCESS', 'NONE']


def test_nginx_closes_idle_connections_and_nobody_notices(nginx, proxy, tmp_path, ca):
    port = nginx(Cert('localhost', issuer=ca), 'keepalive_timeout 100ms; location / { return 200 x; }')
    daemon = before(proxy, tmp_path, port, ca=ca)
    with daemon.client() as client:
        for _ in range(300):
            assert client.get('/').status == 200
    assert {r['end'] for r in daemon.records(300)} == {'complete'}


# ---- within a connection ----

class Server:
    """openssl s_server: what is written to it goes out, a K alone asks for new keys, an r for a new handshake; lines end with CRLF then."""

    def __init__(self, tmp_path, cert, *options):
        self.port = free_port()
        cert.write(tmp_path, 'server')
        self.process = subprocess.Popen(['stdbuf', '-oL', 'openssl', 's_server', '-accept', f'127.0.0.1:{self.port}', '-cert', 'server.crt', '-key', 'server.key', '-CAfile', 'server.crt', '-crlf', *options],
                                        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said, self.changed = b'', threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.wait(rb'ACCEPT')

    def read(self):
        while data := self.process.stdout.read1(65536):
            with self.changed:
                self.said += data
                self.changed.notify_all()

    def wait(self, pattern):
        with self.changed:
            assert self.changed.wait_for(lambda: re.search(pattern, self.said), harness.DEADLINE), self.said

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def close(self):
        self.process.terminate()
        self.process.wait(harness.DEADLINE)
        self.process.stdout.close()
        self.process.stdin.close()


@pytest.mark.parametrize('word', [b'K\n', b'k\n'])       # new keys of both sides, of the server alone
def test_new_keys_in_the_middle_of_a_body(proxy, tmp_path, ca, word):
    server = Server(tmp_path, Cert('localhost', issuer=ca), '-tls1_3')
    daemon = before(proxy, tmp_path, server.port, ca=ca)
    client = daemon.client()
    client.request('/')
    server.wait(rb'GET / HTTP')
    server.write(b'HTTP/1.1 200 OK\nContent-Length: 14\n\nfirst\n')
    client.head()
    assert client.take(7) == b'first\r\n'
    server.write(word)
    server.wait(rb'SSL_do_handshake')
    server.write(b'after\n')
    assert client.take(7) == b'after\r\n'
    line = daemon.record()
    assert (line['end'], line['origin_tls']) == ('complete', 'TLSv1.3')
    server.close()


def test_a_handshake_in_the_middle_of_a_body_is_refused(proxy, tmp_path, ca):
    server = Server(tmp_path, Cert('localhost', issuer=ca), '-tls1_2')
    daemon = before(proxy, tmp_path, server.port, ca=ca)
    client = daemon.client()
    client.request('/', headers=[('Connection', 'close')])
    server.wait(rb'GET / HTTP')
    server.write(b'HTTP/1.1 200 OK\nContent-Length: 14\n\nfirst\n')
    client.head()
    assert client.take(7) == b'first\r\n'
    server.write(b'r\n')                                 # HelloRequest
    server.wait(rb'SSL_do_handshake')
    server.write(b'after\n')
    rest = client.take_all()                             # the server may go on, or may not: it shows
    line = daemon.record()
    assert (rest, line['end']) in ((b'after\r\n', 'complete'), (b'', 'origin_left')), (rest, line)
    server.close()
