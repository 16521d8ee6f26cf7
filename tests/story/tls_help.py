"""Certificates made for a story, and clients that speak TLS."""
import datetime
import ipaddress
import os
import socket
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

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
    """names: DNS names and addresses; days: until it expires; issuer: another Cert, else self-signed. responder: URL for OCSP;
    must_staple: RFC 7633; signs_ocsp: for its issuer."""

    def __init__(self, *names, kind='ec', days=90, since=1, issuer=None, ca=False, common=None, responder=None, must_staple=False, signs_ocsp=False):
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
        if responder:
            place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(responder))
            build = build.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
        if must_staple:
            build = build.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
        if signs_ocsp:
            build = build.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
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

    def pem(self, chain=True):
        return self.cert.public_bytes(PEM) + (self.issuer.cert.public_bytes(PEM) if self.issuer and chain else b'')

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


class TlsOrigin(harness.Origin):
    """As harness.Origin, over TLS. The handler ends a connection by conn.good_bye() (close_notify) or conn.close() (a cut).
    .hellos has the name that each handshake asked for, .failed what became of those that failed; conn.sock is the SSLSocket."""

    def __init__(self, cert, handler=None, low=None, high=None, client_ca=None, chain=None, **kw):
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.hellos, self.failed = [], []
        self.use(cert, chain)
        if low:
            self.ctx.minimum_version = low
        if high:
            self.ctx.maximum_version = high
        if client_ca:
            self.ctx.verify_mode = ssl.CERT_REQUIRED
            self.ctx.load_verify_locations(cadata=client_ca.cert.public_bytes(PEM).decode())
        self.ctx.sni_callback = lambda sock, name, ctx: self.hellos.append(name)
        super().__init__(handler, **kw)

    def use(self, cert, chain=None):
        """From now on this certificate is shown."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'origin.pem')
            put(path, (chain or cert.pem()) + cert.key_pem())
            self.ctx.load_cert_chain(path)

    def serve(self, conn):
        conn.sock.settimeout(60)
        try:
            conn.sock = self.ctx.wrap_socket(conn.sock, server_side=True, suppress_ragged_eofs=False)
        except (OSError, ValueError) as failure:
            with self.changed:
                self.failed.append(str(failure))
                self.changed.notify_all()
            conn.close()
            return
        conn.good_bye = lambda: self.good_bye(conn)
        super().serve(conn)

    @staticmethod
    def good_bye(conn):
        conn.sock = conn.sock.unwrap()
        conn.close()

    def wait_failed(self):
        harness.until('failed handshake at the origin', lambda: self.failed)


def crl(ca, *revoked):
    """A list of the CA's revoked certificates, in PEM."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    build = (x509.CertificateRevocationListBuilder().issuer_name(ca.cert.subject)
             .last_update(now - datetime.timedelta(days=1)).next_update(now + datetime.timedelta(days=9)))
    for cert in revoked:
        build = build.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(cert.cert.serial_number).revocation_date(now).build())
    return build.sign(ca.key, hashes.SHA256()).public_bytes(PEM)


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as sock:
        return sock.getsockname()[1]
