"""How long an answer is fresh by Expires (RFC 9111 sections 4.2 and 5.3)."""
from table import NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, age, again, at, rows_of, store

DAYS30 = 30 * 86400


def row(id, case, seen, why, *fields, kind=REQUIRED, rfc='9111 4.2.1', plain=True):
    return Row(id, case, rfc, kind, why, [store(*fields, plain=plain), again(seen)])


ROWS = rows_of('Expires', [
    row('expires-future', 'freshness-expires-future', STORED, 'An answer is fresh until its Expires.', ('Expires', at(DAYS30)), NOW,
        kind=OPTIMAL),
    row('expires-past', 'freshness-expires-past', ORIGIN, 'A past Expires is over.', ('Expires', at(-DAYS30)), NOW),
    row('expires-now', 'freshness-expires-present', ORIGIN, 'An Expires that equals Date leaves no time.', ('Expires', at(0)), NOW),
    row('expires-before-date', 'freshness-expires-old-date', ORIGIN, 'Expires is measured against Date, not against our clock.',
        ('Expires', at(300)), ('Date', at(400))),
    row('expires-zero', 'freshness-expires-invalid', ORIGIN, 'The digit 0 is not a date, which means expired.', ('Expires', '0'), NOW,
        rfc='9111 5.3', plain=False),
    row('expires-bad-date-field', 'freshness-expires-invalid-date', STORED, 'Without a usable Date the time of arrival stands for it.',
        ('Date', 'foo'), ('Expires', at(60)), kind=OPTIMAL, plain=False),
    row('expires-age-slow-origin', 'freshness-expires-age-slow-date', ORIGIN, 'Twenty seconds from Date to Expires, and older than that.',
        ('Date', at(-10)), ('Expires', at(10)), age(25)),
    row('expires-age-fast-origin', 'freshness-expires-age-fast-date', ORIGIN,
        'Ten seconds from Date to Expires by a clock ahead of ours, and older than that.',
        ('Date', at(10)), ('Expires', at(20)), age(15)),
])
