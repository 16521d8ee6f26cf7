"""A successful unsafe request invalidates (RFC 9111 section 4.4)."""
from table import CHECK, FRESH, NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, again, at, cc, rows_of, store

METHODS = ('POST', 'PUT', 'DELETE', 'M-SEARCH')
LINKS = (('Location', 'URL/there'), ('Content-Location', 'URL/content'))


def unsafe(method, *fields, status=200):
    return store(*fields, method=method, content=b'abc', status=status, plain=False)


def of(method):
    name = method.lower()
    far = (cc('max-age=100000'), ('Last-Modified', at(0)), NOW)
    return [
        Row(f'invalidate-{name}', f'invalidate-{method}', '9111 4.4', REQUIRED, f'A successful {method} invalidates its URL.',
            [store(*FRESH), unsafe(method), again(ORIGIN)]),
        Row(f'invalidate-{name}-failed', f'invalidate-{method}-failed', '9111 4.4', OPTIMAL, f'A failed {method} invalidates nothing.',
            [store(*FRESH), unsafe(method, status=500), again(STORED)]),
        Row(f'invalidate-{name}-location', f'invalidate-{method}-location', '9111 4.4', CHECK,
            f'What Location of a successful {method} names is invalidated.',
            [store(*far, path='/there'), unsafe(method, *LINKS), again(ORIGIN, path='/there')]),
        Row(f'invalidate-{name}-content-location', f'invalidate-{method}-cl', '9111 4.4', CHECK,
            f'So is what Content-Location of a successful {method} names.',
            [store(*far, path='/content'), unsafe(method, *LINKS), again(ORIGIN, path='/content')]),
    ]


ROWS = rows_of('invalidation', [row for method in METHODS for row in of(method)] + [
    Row('invalidate-other-host', None, '9111 4.4', REQUIRED, 'A Location of another origin invalidates nothing here.',
        [store(cc('max-age=100000'), path='/there'), unsafe('POST', ('Location', 'http://other.test/invalidate-other-host/there')),
         again(STORED, path='/there')]),
])
