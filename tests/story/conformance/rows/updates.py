"""What a 304 from the origin changes in the stored answer (RFC 9111 sections 3.2 and 4.3.4): its fields replace those stored,
but not the ones that describe the stored bytes."""
from table import (BY_DATE, BY_ETAG, CHECK, CONTRADICTED, NOW, ORIGIN, REQUIRED, STORED, Row, age, again, answer, at, cc, etag, rows_of,
                   store)

TAG = etag('"tag"')
OLD = (cc('max-age=20'), age(21))
LAST = ('Last-Modified', 'Wed, 01 Jan 2020 00:00:00 GMT')
LATER = cc('max-age=3600')


def update(name, before, after, kind=CHECK, kept=False, why=None):
    """Stale, asked about, and then once more from the store."""
    value = before if kept else after
    why = why or f'{name} of the 304 {"does not replace" if kept else "replaces"} the stored one.'
    return Row(f'update-{name.lower()}', f'304-etag-update-response-{name}', '9111 3.2', kind, why, [
        store(NOW, (name, before), *OLD, TAG),
        again(BY_ETAG, answer=answer(NOW, (name, after), LATER, age(0), TAG), has=[(name, value)]),
        again(STORED, has=[(name, value)])])


ROWS = rows_of('updates by a 304', [
    Row('update-nothing-said', '304-lm-use-stored-Test-Header', '9111 3.2', REQUIRED, 'A field that the 304 does not mention stays.',
        [store(*OLD, LAST, NOW, ('Test-Header', 'kept')), again(BY_DATE, answer=answer(LAST, NOW), has=[('Test-Header', 'kept')])]),
    *[update(name, 'before', 'after', REQUIRED) for name in ('Test-Header', 'X-Test-Header', 'Content-Foo', 'X-Content-Foo')],
    Row('update-cache-control', '304-etag-update-response-Cache-Control', '9111 3.2', REQUIRED,
        'Cache-Control of the 304 replaces the stored one, and counts.',
        [store(NOW, *OLD, TAG), again(BY_ETAG, answer=answer(NOW, LATER, age(0), TAG), has=[LATER]), again(STORED, has=[LATER])]),
    Row('update-content-length', '304-etag-update-response-Content-Length', '9111 3.2', REQUIRED,
        'The stored content is as long as it is, whatever a 304 says.',
        [store(NOW, ('Content-Length', '5'), *OLD, TAG, body=b'01234 and more', got=b'01234'),
         again(BY_ETAG, answer=answer(NOW, ('Content-Length', '10'), LATER, age(0), TAG), has=[('Content-Length', '5')], body=b'01234'),
         again(STORED, has=[('Content-Length', '5')], body=b'01234')]),
    update('Content-Encoding', 'unheard', 'forgotten', kept=True, why='The coding of the stored bytes is what it was.'),
    update('Content-Range', 'senseless', 'other', kept=True, why='A 304 does not change which part is stored.'),
    update('Content-Location', '/foo', '/bar'),
    update('Content-MD5', 'rL0Y20zC+Fzt72VPzMSk2A==', 'N7UdGUp1E+RbVvZSTy1R8g=='),
    update('Content-Security-Policy', "default-src 'self'", "default-src 'self' cdn.example.com"),
    update('Content-Type', 'text/plain', 'text/plain;charset=utf-8', kept=True, why='The type of the stored bytes is what it was.'),
    update('Clear-Site-Data', '"cache"', '"cookies"'),
    update('Expires', 'Fri, 01 Jan 2038 01:01:01 GMT', 'Mon, 11 Jan 2038 11:11:11 GMT'),
    update('Public-Key-Pins', 'before', 'after'),
    update('Set-Cookie2', 'a=b', 'a=c'),
    update('X-Frame-Options', 'deny', 'sameorigin'),
    update('X-XSS-Protection', '1', '1; mode=block'),
    Row('update-set-cookie', '304-etag-update-response-Set-Cookie', '9111 3.2', CHECK,
        'An answer with a cookie is not stored, so there is nothing to update.',
        [store(NOW, ('Set-Cookie', 'a=b'), LATER, TAG), again(ORIGIN, sent=[('If-None-Match', None)])]),
    Row('update-other-etag', '304-etag-update-response-ETag', '9111 4.3.4', CHECK,
        'A 304 that names another tag is about another answer: the whole one is fetched.',
        [store(NOW, etag('"abcdef"'), *OLD), again(CONTRADICTED, answer=answer(NOW, LATER, age(0), etag('"ghijkl"'))),
         again(STORED, has=[('ETag', '"ghijkl"')])]),
    Row('update-for-one-date', None, '9111 4.3.4', CHECK, 'A 304 without validators is about what was asked.',
        [store(*OLD, ('Last-Modified', at(-86400)), NOW), again(BY_DATE, answer=answer(NOW, LATER, age(0))), again(STORED, has=[LATER])]),
])
