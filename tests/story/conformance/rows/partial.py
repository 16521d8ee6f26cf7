"""Parts: from whole answers, and stored parts (RFC 9110 section 14, RFC 9111 sections 3.3 and 3.4)."""
from table import ANY, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, again, answer, cc, etag, rows_of, store

HOUR = cc('max-age=3600')
ELEVEN = b'01234567890'
CROOKED = 'the Content-Range of the public case promises six bytes for five: such a part is not stored'
SUFFIX = (('Range', 'bytes=-5'),)


def whole(id, case, kind, why, asked, body, got, *fields, **more):
    return Row(id, case, '9110 14.2', kind, why,
               [store(HOUR, *fields, body=body), again(STORED, ('Range', asked), status=206, body=got, **more)])


def part(id, case, why, asked, got, against=None):
    """Of ten bytes the last five are stored: as they should be, or as the public suite has them."""
    content_range = 'bytes 4-9/10' if against else 'bytes 5-9/10'
    first = store(HOUR, ('Content-Range', content_range), etag(), status=206, body=b'01234', ask=SUFFIX, sent=SUFFIX)
    return Row(id, case, '9111 3.3', OPTIMAL, why, [first, again(STORED, ('Range', asked), status=206, body=got)], against=against)


ROWS = rows_of('parts', [
    whole('part-of-whole', 'partial-store-complete-reuse-partial', OPTIMAL, 'A part of a stored whole.', 'bytes=0-1', ELEVEN, b'01'),
    whole('part-of-whole-open', 'partial-store-complete-reuse-partial-no-last', OPTIMAL, 'A part without an end.', 'bytes=1-', ELEVEN,
          b'1234567890'),
    whole('part-of-whole-suffix', 'partial-store-complete-reuse-partial-suffix', OPTIMAL, 'A part from the end.', 'bytes=-1',
          b'0123456789A', b'A'),
    whole('part-fields', 'partial-use-stored-headers', REQUIRED, 'A part of a stored whole has the fields of the stored whole.',
          'bytes=0-1', ELEVEN, b'01',
          ('A', '1'), has=[('A', '1')]),
    Row('part-fields-not-asked', 'partial-use-headers', '9111 3.4', REQUIRED, 'What the origin would say now has no part in it.',
        [store(HOUR, ('A', '1'), body=ELEVEN), again(STORED, ('Range', 'bytes=0-1'), answer=answer(('A', '2')), status=206, body=b'01')]),
    part('part-again-crooked', 'partial-store-partial-reuse-partial', 'A stored part is reused (the public numbers).', 'bytes=-5',
         b'01234', CROOKED),
    part('part-of-part-crooked', 'partial-store-partial-reuse-partial-byterange', 'A part of a stored part (the public numbers).',
         'bytes=6-8', b'234', CROOKED),
    part('part-of-part-open-crooked', 'partial-store-partial-reuse-partial-absent',
         'A part without an end of a stored part (the public numbers).', 'bytes=6-', b'234', CROOKED),
    part('part-of-part-suffix-crooked', 'partial-store-partial-reuse-partial-suffix', 'The end of a stored part (the public numbers).',
         'bytes=-1', b'4', CROOKED),
    part('part-again', None, 'A stored part is reused.', 'bytes=-5', b'01234'),
    part('part-of-part', None, 'A part of a stored part.', 'bytes=6-8', b'123'),
    part('part-of-part-open', None, 'A part without an end of a stored part.', 'bytes=6-', b'1234'),
    part('part-of-part-suffix', None, 'The end of a stored part.', 'bytes=-1', b'4'),
    Row('part-completed-no-tag', 'partial-store-partial-complete', '9111 3.4', OPTIMAL,
        'Of a stored first half only the second is asked for (the public case, without validators).',
        [store(HOUR, ('Content-Range', 'bytes 0-4/10'), status=206, body=b'01234', ask=SUFFIX), again(ANY, sent=[('Range', 'bytes=5-')])]),
    Row('part-completed', None, '9111 3.4', OPTIMAL, 'Of a stored first half only the second is asked for, and both make the whole.',
        [store(HOUR, ('Content-Range', 'bytes 0-4/10'), etag(), status=206, body=b'01234', ask=[('Range', 'bytes=0-4')]),
         again(ANY, answer=answer(HOUR, ('Content-Range', 'bytes 5-9/10'), etag(), status=206, body=b'56789'),
               sent=[('Range', 'bytes=5-')], status=200, body=b'0123456789')]),
    Row('part-completed-other', None, '9111 3.4', REQUIRED, 'Parts of different answers are never put together.',
        [store(HOUR, ('Content-Range', 'bytes 0-4/10'), etag(), status=206, body=b'01234', ask=[('Range', 'bytes=0-4')]),
         again(ORIGIN, answer=answer(HOUR, etag('"v2"'), body=b'abcdefghij'), status=200, body=b'abcdefghij')]),
])
