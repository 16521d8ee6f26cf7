"""Methods and the store (RFC 9110 section 9.3.3)."""
from table import NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, again, at, cc, rows_of, store

LATER = ('Expires', at(30 * 86400))

ROWS = rows_of('methods', [
    Row('post-then-get', 'method-POST', '9110 9.3.3', OPTIMAL,
        'An answer to POST that says how long, and that it is what GET would give, answers a GET.',
        [store(LATER, ('Content-Location', 'URL'), NOW, method='POST', content=b'12345', ask=[('Content-Type', 'text/plain')]),
         again(STORED)]),
    Row('post-without-content-location', None, '9110 9.3.3', REQUIRED, 'One that does not say so answers no GET.',
        [store(LATER, NOW, method='POST', content=b'12345'), again(ORIGIN)]),
    Row('post-other-content-location', None, '9110 9.3.3', REQUIRED, 'Nor one that is about another URL.',
        [store(LATER, ('Content-Location', 'URL/other'), NOW, method='POST', content=b'12345'), again(ORIGIN)]),
    Row('post-from-store', None, '9111 4', REQUIRED, 'A POST is never answered from the store.',
        [store(cc('max-age=60')), store(method='POST', content=b'12345')]),
])
