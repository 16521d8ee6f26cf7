"""Age and Date of stored answers, keys, cookies (RFC 9111 sections 2, 4 and 5.1)."""
from table import (CHECK, FRESH, NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, age, again, at, at_least, cc, rows_of, store)

MONTH = ('Expires', at(30 * 86400))
MINUTE_OLD = ('Date', at(-60))
ATTACHED = ('Content-Disposition', 'attachment; filename=example.txt')


def row(id, case, kind, why, *fields, rfc='9111 5.1', ask=(), plain=True, **more):
    return Row(id, case, rfc, kind, why, [store(*fields, plain=plain), again(STORED, *ask, **more)])


ROWS = rows_of('other', [
    row('age-sent', 'other-age-gen', REQUIRED, 'A stored answer says how old it is: here a minute, by its Date.', cc('max-age=100000'),
        MINUTE_OLD, has=[('Age', at_least(60))]),
    Row('age-slow-origin', 'other-age-delay', '9111 4.2.3', CHECK, 'The time that an answer took counts as age.',
        [store(cc('max-age=3600'), NOW, takes=5), again(STORED, has=[('Age', '5')])]),
    row('age-renewed-expires', 'other-age-update-expires', REQUIRED,
        'Age is worked out anew, not repeated: the Date says more than the Age that came.',
        MONTH, MINUTE_OLD, age(30), plain=False, has=[('Age', at_least(60))]),
    row('age-renewed-max-age', 'other-age-update-max-age', REQUIRED, 'The same with a lifetime from max-age.', cc('max-age=600'),
        MINUTE_OLD, age(30), plain=False, has=[('Age', at_least(60))]),
    Row('age-grows', None, '9111 4.2.3', REQUIRED, 'The time in the store counts as age.',
        [store(cc('max-age=600'), NOW, age(30)), again(STORED, after=3, has=[('Age', '33')])]),
    row('date-kept', 'other-date-update', REQUIRED, 'Date is the origin\'s and stays.', cc('max-age=100000'), MINUTE_OLD, has=[MINUTE_OLD],
        rfc='9110 6.6.1'),
    row('date-kept-expires', 'other-date-update-expires', REQUIRED, 'Also beside Expires.', MONTH, MINUTE_OLD, has=[MINUTE_OLD],
        rfc='9110 6.6.1'),
    row('expires-kept', 'other-date-update-expires-update', CHECK, 'Expires stays as well.', MONTH, MINUTE_OLD, has=[MONTH],
        rfc='9111 5.3'),
    Row('query-other', 'query-args-different', '9111 2', REQUIRED, 'Another query is another URL.',
        [store(*FRESH, path='?test=one'), again(ORIGIN, path='?test=two')]),
    Row('query-same', 'query-args-same', '9111 2', OPTIMAL, 'A URL with a query is a URL.',
        [store(*FRESH, path='?test=one'), again(STORED, path='?test=one')]),
    row('attachment-estimated', 'other-heuristic-content-disposition-attachment', CHECK, 'An attachment may be estimated.',
        ('Last-Modified', at(-100000)), NOW, ATTACHED, rfc='9111 4.2.2'),
    row('attachment-fresh', 'other-fresh-content-disposition-attachment', CHECK, 'An attachment is reused.', *FRESH, ATTACHED,
        rfc='9111 4'),
    Row('cookie-set', 'other-set-cookie', '9111 7.3', OPTIMAL, 'An answer with Set-Cookie is reused.',
        [store(*FRESH, ('Set-Cookie', 'a=b')), again(STORED)],
        against='a cookie that all visitors get is a session that all visitors share: not stored unless the site says store_cookies'),
    row('cookie-asked', 'other-cookie', OPTIMAL, 'A request with a cookie gets what is stored.', *FRESH, ask=[('Cookie', 'a=b')],
        rfc='9111 4'),
])
