"""Answers before the answer (RFC 9110 section 15.2, RFC 8297)."""
from table import NOW, OPTIMAL, REQUIRED, STORED, Row, again, cc, rows_of, store

FAR = (cc('max-age=100000'), NOW)
HINTS = ((103, (('Link', '</styles.css>; rel=preload; as=style'), ('X-My-Header', 'test'))),)
LINK = ((103, (('Link', '</styles.css>; rel=preload; as=style'),)),)
PROCESSING = ((102, ()),)


def row(id, case, kind, why, first, rfc='9110 15.2', then=(), **more):
    return Row(id, case, rfc, kind, why, [store(*FAR, first=first, interim=first, **more), again(STORED, interim=then, **more)])


ROWS = rows_of('interim answers', [
    row('interim-102', 'interim-102', OPTIMAL, 'A 102 is passed on, and the final answer is stored.', PROCESSING),
    row('interim-103', 'interim-103', OPTIMAL, 'So is a 103, with its fields.', HINTS, rfc='8297 2'),
    row('interim-not-stored', 'interim-not-cached', REQUIRED, 'A 103 is not stored, and not repeated from the store.', LINK, rfc='9111 3'),
    row('interim-fields', 'interim-no-header-reuse', OPTIMAL, 'Its fields do not get into the final answer.', HINTS, rfc='8297 2',
        lacks=['X-My-Header']),
])
