"""CDN-Cache-Control (RFC 9213): a structured field that replaces Cache-Control and Expires for caches like this one."""
from table import CHECK, NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, age, again, at, cc, rows_of, store

LATER = ('Expires', at(10000))
LONG, SHORT = cc('max-age=10000'), cc('max-age=1')


def cdn(value):
    return ('CDN-Cache-Control', value)


def row(id, case, kind, seen, why, *fields, rfc='9213 2', **more):
    return Row(id, case, rfc, kind, why, [store(*fields, plain=False), again(seen, **more)])


ROWS = rows_of('CDN-Cache-Control', [
    row('cdn-max-age', 'cdn-max-age', OPTIMAL, STORED, 'max-age is a lifetime.', cdn('max-age=3600')),
    row('cdn-31-bits-and-one', 'cdn-max-age-max', OPTIMAL, STORED, 'Also beyond 31 bits.', cdn('max-age=2147483648')),
    row('cdn-eleven-digits', 'cdn-max-age-max-plus', OPTIMAL, STORED, 'Also of three thousand years.', cdn('max-age=99999999999')),
    row('cdn-age', 'cdn-max-age-age', REQUIRED, ORIGIN, 'An age beyond it is too old.', NOW, cdn('max-age=3600'), age(7200)),
    row('cdn-space-before-equals', 'cdn-max-age-space-before-equals', CHECK, ORIGIN,
        'A space before the equals sign is no structured field: Cache-Control counts.',
        SHORT, cdn('max-age =1000'), age(100)),
    row('cdn-space-after-equals', 'cdn-max-age-space-after-equals', CHECK, ORIGIN, 'Nor is one after it.', SHORT, cdn('max-age= 1000'),
        age(100)),
    row('cdn-zero', 'cdn-max-age-0', REQUIRED, ORIGIN, 'max-age=0 is over at once.', cdn('max-age=0')),
    row('cdn-unknown-directive', 'cdn-max-age-extension', OPTIMAL, STORED, 'An unknown directive changes nothing.',
        cdn('strange, max-age=3600')),
    row('cdn-case', 'cdn-max-age-case-insensitive', CHECK, ORIGIN,
        'Keys of a structured field are small letters; others make it no field at all.',
        SHORT, cdn('MaX-aGe=3600'), age(100)),
    row('cdn-past-expires', 'cdn-max-age-expires', OPTIMAL, STORED, 'A past Expires does not count.', cdn('max-age=3600'),
        ('Expires', at(-10000)), NOW),
    row('cdn-bad-expires', 'cdn-max-age-cc-max-age-invalid-expires', OPTIMAL, STORED, 'A senseless Expires does not count.',
        cdn('max-age=3600'), ('Expires', '0'), NOW),
    row('cdn-zero-expires', 'cdn-max-age-0-expires', REQUIRED, ORIGIN, 'A future Expires does not count either.', cdn('max-age=0'), LATER,
        NOW),
    row('cdn-longer', 'cdn-max-age-short-cc-max-age', OPTIMAL, STORED, 'The longer lifetime here counts.', SHORT, cdn('max-age=3600'),
        age(100)),
    row('cdn-shorter', 'cdn-max-age-long-cc-max-age', REQUIRED, ORIGIN, 'The shorter lifetime here counts.', cc('max-age=3600'),
        cdn('max-age=1'), age(100)),
    row('cdn-private', 'cdn-private', REQUIRED, ORIGIN, 'private here is not stored.', cdn('private'), LONG, LATER, NOW),
    row('cdn-no-cache', 'cdn-no-cache', REQUIRED, ORIGIN, 'no-cache here is asked about.', cdn('no-cache'), LONG, LATER, NOW),
    row('cdn-no-store', 'cdn-no-store-cc-fresh', REQUIRED, ORIGIN, 'no-store here is not stored.', LONG, cdn('no-store'), LATER, NOW),
    row('cdn-over-no-store', 'cdn-fresh-cc-nostore', REQUIRED, STORED, 'no-store in Cache-Control is for others.', cc('no-store'),
        cdn('max-age=10000')),
    row('cdn-unknown-type', 'cdn-cc-invalid-sh-type-unknown', REQUIRED, ORIGIN,
        'What is no structured field is ignored: Cache-Control counts.', cdn('max-age=10000, &&&&&'), cc('no-store')),
    row('cdn-wrong-type', 'cdn-cc-invalid-sh-type-wrong', REQUIRED, ORIGIN, 'A text is not a number of seconds.', cdn('max-age="10000"'),
        cc('no-store')),
    Row('cdn-passed-on', 'cdn-remove-header', '9213 2.2', CHECK, 'The field is passed on: the next cache may be one like this.',
        [store(LONG, cdn('strange'), LATER, NOW)]),
    row('cdn-sends-age', 'cdn-remove-age-exceed', CHECK, STORED, 'Age is sent also when others would find the answer stale.', SHORT,
        cdn('max-age=10000'), NOW, age(100), has=['Age'], rfc='9213 2.3'),
    row('cdn-keeps-date', 'cdn-date-update-exceed', CHECK, STORED, 'Date stays.', SHORT, cdn('max-age=10000'), NOW, age(100), has=[NOW],
        rfc='9213 2.3'),
    row('cdn-keeps-expires', 'cdn-expires-update-exceed', CHECK, STORED, 'Expires stays.', SHORT, cdn('max-age=10000'), ('Expires', at(1)),
        NOW, age(100), has=[('Expires', at(1))], rfc='9213 2.3'),
])
