"""Conditional requests: answered from the store, and sent to ask about what is stored (RFC 9111 section 4.3)."""
from table import (BY_DATE, BY_ETAG, CHECK, FRESH, NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, age, again, answer, at, cc, etag, rows_of,
                   store)

TAG = '"abcdef"'
STALE_FIELDS = (cc('max-age=20'), age(21))
HOURS = (cc('max-age=100000'), ('Last-Modified', at(-3000)), NOW)


def none_match(id, case, kind, why, stored_tag, asked, status=304, **more):
    return Row(id, case, '9111 4.3.2', kind, why,
               [store(*FRESH, etag(stored_tag)), again(STORED, ('If-None-Match', asked), status=status, **more)])


def since(id, case, why, asked, *fields, seen=STORED, against=None):
    return Row(id, case, '9111 4.3.2', OPTIMAL, why, [store(*fields), again(seen, ('If-Modified-Since', asked), status=304)],
               against=against)


def asks(id, case, kind, why, tag, sent):
    return Row(id, case, '9111 4.3.1', kind, why, [store(*STALE_FIELDS, etag(tag)), again(BY_ETAG, sent=[('If-None-Match', sent)])])


ROWS = rows_of('conditional requests', [
    none_match('tag-strong', 'conditional-etag-strong-respond', OPTIMAL, 'The tag that is stored: 304.', TAG, TAG),
    none_match('tag-in-304', 'conditional-304-etag', REQUIRED, 'A 304 names the tag.', TAG, TAG, has=[('ETag', TAG)]),
    Row('tag-over-date', 'conditional-etag-precedence', '9110 13.2.2', REQUIRED, 'Beside If-None-Match, If-Modified-Since does not count.',
        [store(*HOURS[:1], ('Last-Modified', at(-5000)), NOW, etag(TAG)),
         again(STORED, ('If-None-Match', TAG), ('If-Modified-Since', at(-6000)), status=304)]),
    none_match('tag-high-bytes', 'conditional-etag-strong-respond-obs-text', CHECK, 'A tag with bytes beyond ASCII is compared as it is.',
               '"abcdef\xfc"', '"abcdef\xfc"', has=[('ETag', '"abcdef\xfc"')]),
    none_match('tag-asked-unquoted', 'conditional-etag-quoted-respond-unquoted', CHECK,
               'Without quotes it is not that tag: the whole answer.', TAG, 'abcdef', status=200),
    none_match('tag-both-unquoted', 'conditional-etag-unquoted-respond-unquoted', CHECK,
               'What an origin sent as a tag and gets back to the byte is that tag, quotes or not.', 'abcdef', 'abcdef'),
    none_match('tag-stored-unquoted', 'conditional-etag-unquoted-respond-quoted', CHECK, 'Nor is it when only the stored one lacks them.',
               'abcdef', TAG, status=200),
    none_match('tag-weak', 'conditional-etag-weak-respond', OPTIMAL, 'A weak tag fits itself.', 'W/' + TAG, 'W/' + TAG),
    none_match('tag-weak-small-letter', 'conditional-etag-weak-respond-lowercase', CHECK, 'So is one with a small w.', 'w/' + TAG,
               'w/' + TAG),
    none_match('tag-weak-backslash', 'conditional-etag-weak-respond-backslash', CHECK, 'And one with a backslash.', 'W\\' + TAG,
               'W\\' + TAG),
    none_match('tag-weak-no-slash', 'conditional-etag-weak-respond-omit-slash', CHECK, 'And one without any slash.', 'W' + TAG, 'W' + TAG),
    none_match('tag-first-of-three', 'conditional-etag-strong-respond-multiple-first', OPTIMAL, 'Of several tags the first fits.', TAG,
               f'{TAG}, "1234", "5678"'),
    none_match('tag-second-of-three', 'conditional-etag-strong-respond-multiple-second', OPTIMAL, 'The middle one fits.', TAG,
               f'"1234", {TAG}, "5678"'),
    none_match('tag-third-of-three', 'conditional-etag-strong-respond-multiple-last', OPTIMAL, 'The last one fits.', TAG,
               f'"1234", "5678", {TAG}'),
    Row('asks-with-varying-field', 'conditional-etag-vary-headers', '9111 4.3.1', REQUIRED,
        'The question to the origin carries the field that Vary names.',
        [store(cc('max-age=20'), age(21), etag(TAG), NOW, ('Vary', 'Abc'), ask=[('Abc', '123')]),
         again(BY_ETAG, ('Abc', '123'), sent=[('Abc', '123'), ('If-None-Match', TAG)])]),
    Row('asks-for-other-variant', 'conditional-etag-vary-headers-mismatch', '9111 4.1', CHECK,
        'The tag of another variant is not sent along: that it could be the same answer is the origin\'s business to say by Vary.',
        [store(('Expires', at(10000)), etag(TAG), NOW, ('Vary', 'Abc'), ask=[('Abc', '123')]),
         again(ORIGIN, ('Abc', '456'), sent=[('If-None-Match', None)])]),
    asks('asks-strong', 'conditional-etag-strong-generate', OPTIMAL, 'A stale answer is asked about with its tag.', TAG, TAG),
    asks('asks-weak', 'conditional-etag-weak-generate-weak', OPTIMAL, 'Also with a weak one, as it is.', 'W/' + TAG, 'W/' + TAG),
    Row('asks-both', None, '9111 4.3.1', OPTIMAL, 'With tag and date when both are stored.',
        [store(*STALE_FIELDS, etag(TAG), ('Last-Modified', at(-3000))),
         again(BY_ETAG, sent=[('If-None-Match', TAG), ('If-Modified-Since', at(-3000))])]),
    asks('asks-unquoted', 'conditional-etag-strong-generate-unquoted', CHECK, 'The origin gets back what it sent: no quotes are added.',
         'abcdef', 'abcdef'),
    Row('miss-asks-for-all', 'conditional-etag-forward', '9111 4.3.1', CHECK,
        'Nothing stored: the origin is asked for the whole answer, so that it can be stored.',
        [again(ORIGIN, ('If-None-Match', TAG), answer=answer(cc('max-age=60')), sent=[('If-None-Match', None)])]),
    Row('miss-asks-for-all-unquoted', 'conditional-etag-forward-unquoted', '9111 4.3.1', CHECK,
        'The same with something that is no tag; no quotes are added.',
        [again(ORIGIN, ('If-None-Match', 'abcdef'), answer=answer(cc('max-age=60')), sent=[('If-None-Match', None)])]),
    since('since-same', 'conditional-lm-fresh', 'Not modified since the date that is stored: 304.', at(-3000), *HOURS),
    since('since-later', 'conditional-lm-fresh-earlier', 'Nor since a later one.', at(-2000), *HOURS),
    since('since-stale', 'conditional-lm-stale', 'A stale answer is asked about first; then 304.', at(-3000), cc('max-age=20'), age(21),
          *HOURS[1:], seen=BY_DATE),
    since('since-before-date', 'conditional-lm-fresh-no-lm',
          'As the public suite has it: no Last-Modified is stored, and the client asks with a moment before its Date.', at(-3000),
          cc('max-age=10000'), NOW,
          against='without Last-Modified the Date stands for it (RFC 9111 section 4.3.2), and it is later: the whole answer'),
    since('since-date', None, 'Without Last-Modified the Date of the answer stands for it.', at(60), cc('max-age=10000'), NOW),
    since('since-rfc850', 'conditional-lm-fresh-rfc850', 'The date may come in the older form.', at(-3000, 'rfc850'), *HOURS),
])
