"""Certificates made for a story, and clients that speak TLS."""
import datetime
import ipaddress
import os
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

import harness

PEM = serialization.Encoding.PEM
RSA_KEYS = []


def new_key(kind='ec'):
    """RSA keys are slow to make: one for all."""
    if kind == 'ec':
        return ec.generate_private_key(ec.SECP256R1())
    if not RSA_KEYS:
        RSA_KEYS.append(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return RSA_KEYS[0]


class Cert:
    """names: DNS names and addresses; days: until it expires; issuer: another Cert, else self-signed."""

    def __init__(self, *names, kind='ec', days=90, since=1, issuer=None, ca=False, common=None):
        now = datetime.datetime.utcnow().replace(microsecond=0)
        self.key = new_key(kind)
        self.common = common or (names[0] if names else 'nobody')
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.common)])
        build = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.cert.subject if issuer else subject)
                 .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                 .not_valid_before(now - datetime.timedelta(days=since)).not_valid_after(now + datetime.timedelta(days=days)))
        if names:
            build = build.add_extension(x509.SubjectAlternativeName([self.san(n) for n in names]), critical=False)
        if ca:
            build = build.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.cert = build.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.issuer = issuer
        self.serial = '%X' % self.cert.serial_number
        self.serial = self.serial.rjust(len(self.serial) + len(self.serial) % 2, '0')
        self.der = self.cert.public_bytes(serialization.Encoding.DER)

    @staticmethod
    def san(name):
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    def pem(self):
        return self.cert.public_bytes(PEM) + (self.issuer.cert.public_bytes(PEM) if self.issuer else b'')

    def key_pem(self):
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def write(self, folder, name='site', parts=('crt', 'key')):
        """NAME.crt and NAME.key, each whole at once; parts ('pem',): both in one file. Returns the path of the first."""
        for part in parts:
            data = {'crt': self.pem, 'key': self.key_pem, 'pem': lambda: self.pem() + self.key_pem()}[part]()
            put(os.path.join(str(folder), f'{name}.{part}'), data)
        return os.path.join(str(folder), f'{name}.{parts[0]}')


def put(path, data):
    """Written beside it and renamed: nobody sees half of it."""
    with open(path + '.new', 'wb') as f:
        f.write(data)
    os.rename(path + '.new', path)


def context(ca=None, low=None, high=None, ciphers=None, client=None, alpn=None):
    """A client's context; ca: the Cert that must have issued, or be, the server's."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
    else:
        ctx.load_verify_locations(cadata=ca.cert.public_bytes(PEM).decode())
    if low:
        ctx.minimum_version = low
    if high:
        ctx.maximum_version = high
    if ciphers:
        ctx.set_ciphers(ciphers)
    if client:
        ctx.load_cert_chain(client)
    if alpn:
        ctx.set_alpn_protocols(alpn)
    return ctx


class TlsClient(harness.Client):
    """As harness.Client, over TLS."""

    def __init__(self, address, name='site.test', ctx=None, session=None):
        super().__init__(address)
        self.plain = self.sock
        self.sock = (ctx or context()).wrap_socket(self.sock, server_hostname=name, session=session, suppress_ragged_eofs=False)
        self.sock.settimeout(harness.DEADLINE)

    def der(self):
        return self.sock.getpeercert(True)

    def close(self):
        try:
            self.sock.close()
            self.plain.close()
        except OSError:
            pass


def served(address, name='site.test', **kw):
    """The certificate that a handshake for the name gets, in DER."""
    with TlsClient(address, name, context(**kw)) as client:
        return client.der()


def raw(address):
    sock = socket.create_connection(address, timeout=harness.DEADLINE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def site(certificate='ssl_certificate site.crt; ssl_certificate_key site.key;', settings='', main='', body='return 200 "hello\\n";',
         names='site.test', workers=1, more=''):
    return f'''\
workers {workers};
node story;
access_log access.csv;
metrics 127.0.0.1:0;
{main}
server {{
    listen 127.0.0.1:0 ssl;
    server_name {names};
    {certificate}
    {settings}
    location / {{ {body} }}
}}
{more}
'''


def tls_records(daemon, count):
    """Waits for so many records of connections without a request."""
    harness.until(f'{count} tls records', lambda: len([r for r in daemon.all_records() if r['rec'] == 'tls']) >= count)
    got = [r for r in daemon.all_records() if r['rec'] == 'tls']
    assert len(got) == count, got
    return got
