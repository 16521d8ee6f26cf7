"""Which fields are stored (RFC 9111 section 3.1): all, but those that belong to one connection or one proxy."""
from table import FRESH, NOW, REQUIRED, STORED, Row, again, cc, rows_of, store

HOUR = cc('max-age=3600')

KEPT = [('Test-Header', 'test'), ('X-Test-Header', 'x-test'), ('Content-Foo', 'foo'), ('X-Content-Foo', 'x-foo'),
        ('Content-Encoding', 'unheard'),
        ('Content-Location', '/other'), ('Content-MD5', 'N7UdGUp1E+RbVvZSTy1R8g=='), ('Content-Range', 'senseless'),
        ('Content-Security-Policy', "default-src 'self'"), ('Content-Type', 'text/plain;charset=utf-8'), ('Clear-Site-Data', '"cookies"'),
        ('ETag', '"ghijkl"'), ('Expires', 'Mon, 11 Jan 2038 11:11:11 GMT'), ('Public-Key-Pins', 'pins'), ('Set-Cookie2', 'a=c'),
        ('X-Frame-Options', 'sameorigin'), ('X-XSS-Protection', '1; mode=block')]
DROPPED = ['Connection', 'Keep-Alive', 'Proxy-Authenticate', 'Proxy-Authentication-Info', 'Proxy-Authorization', 'Proxy-Connection', 'TE',
           'Upgrade']


def kept(name, value):
    return Row(f'field-{name.lower()}', f'headers-store-{name}', '9111 3.1', REQUIRED, f'{name} is stored as it came.',
               [store(NOW, (name, value), HOUR), again(STORED, has=[(name, value)])])


def dropped(name):
    return Row(f'field-{name.lower()}', f'headers-store-{name}', '9111 3.1', REQUIRED, f'{name} is not stored.',
               [store(NOW, (name, 'of-one-connection'), HOUR, plain=False), again(STORED, lacks=[(name, 'of-one-connection')])])


ROWS = rows_of('fields that are stored', [
    Row('field-named-by-connection', 'headers-omit-headers-listed-in-Connection', '9111 3.1', REQUIRED,
        'What Connection names is not stored, the rest is.',
        [store(*FRESH, ('Connection', 'a, b'), ('a', '1'), ('b', '2'), ('c', '3'), plain=False),
         again(STORED, has=[('c', '3')], lacks=['a', 'b'])]),
    *[kept(name, value) for name, value in KEPT],
    Row('field-cache-control', 'headers-store-Cache-Control', '9111 3.1', REQUIRED, 'Cache-Control is stored as it came.',
        [store(NOW, HOUR), again(STORED, has=[HOUR])]),
    Row('field-content-length', None, '9111 3.1', REQUIRED, 'Content-Length is that of the stored content.',
        [store(NOW, HOUR, ('Content-Length', '10'), body=b'0123456789'), again(STORED, has=[('Content-Length', '10')])]),
    Row('field-content-length-and-more', 'headers-store-Content-Length', '9112 6.3', REQUIRED,
        'What comes after the promised length is not content, and is not stored.',
        [store(NOW, HOUR, ('Content-Length', '10'), body=b'0123456789 and more', got=b'0123456789'),
         again(STORED, has=[('Content-Length', '10')], body=b'0123456789')]),
    *[dropped(name) for name in DROPPED],
    Row('field-transfer-encoding-unknown', 'headers-store-Transfer-Encoding', '9111 3.1', REQUIRED,
        'A transfer coding that nobody knows is not stored.',
        [store(NOW, ('Transfer-Encoding', 'unheard'), HOUR, plain=False), again(STORED, lacks=[('Transfer-Encoding', 'unheard')])],
        against='content in a coding that we cannot read has no known end: 502, RFC 9112 section 6.1'),
    Row('field-transfer-encoding', None, '9111 3.1', REQUIRED, 'How the origin framed the content is not stored.',
        [store(NOW, ('Transfer-Encoding', 'chunked'), HOUR, plain=False),
         again(STORED, lacks=['Transfer-Encoding'], has=['Content-Length'])]),
    Row('field-set-cookie', 'headers-store-Set-Cookie', '9111 3.1', REQUIRED, 'Set-Cookie is stored like any field.',
        [store(NOW, ('Set-Cookie', 'a=c'), HOUR), again(STORED, has=[('Set-Cookie', 'a=c')])],
        against='a cookie that all visitors get is a session that all visitors share: not stored unless the site says store_cookies'),
])
