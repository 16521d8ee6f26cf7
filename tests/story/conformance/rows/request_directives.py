"""Directives of requests (RFC 9111 section 5.2.1). By default a client can neither defeat the cache nor widen what it
serves; only-if-cached is always honoured."""
from table import CHECK, FRESH, NOT_STORED, NOW, STORED, Row, age, again, at, cc, etag, rows_of, store


def row(id, case, seen, why, ask, *fields, rfc='9111 5.2.1', **more):
    return Row(id, case, rfc, CHECK, why, [store(*fields), again(seen, cc(ask), **more)])


HOUR = cc('max-age=3600')

ROWS = rows_of('directives of requests', [
    row('ask-max-age-0', 'ccreq-ma0', STORED, 'A client cannot force a fetch.', 'max-age=0', *FRESH),
    row('ask-max-age-1', 'ccreq-ma1', STORED, 'Nor with one second.', 'max-age=1', *FRESH),
    row('ask-max-age-older', 'ccreq-magreaterage', STORED, 'Nor by asking for something younger than what is stored.', 'max-age=600', HOUR,
        age(1800)),
    row('ask-max-stale', 'ccreq-max-stale', NOT_STORED, 'A client that takes stale answers does not get them.', 'max-stale=1000',
        cc('max-age=1'), age(5), etag()),
    row('ask-max-stale-aged', 'ccreq-max-stale-age', NOT_STORED, 'Also when the answer was old on arrival.', 'max-stale=1000',
        cc('max-age=1500'), age(2000), etag()),
    row('ask-min-fresh', 'ccreq-min-fresh', STORED, 'Fresh is fresh enough.', 'min-fresh=2000', cc('max-age=1500')),
    row('ask-min-fresh-aged', 'ccreq-min-fresh-age', STORED, 'Fresh is fresh enough, also with an age.', 'min-fresh=1000',
        cc('max-age=1500'), age(1000)),
    row('ask-no-cache', 'ccreq-no-cache', STORED, 'no-cache of a client does not reach the origin.', 'no-cache', HOUR),
    row('ask-no-cache-date', 'ccreq-no-cache-lm', STORED, 'Also when a date would allow to ask cheaply.', 'no-cache', HOUR,
        ('Last-Modified', at(-10000)), NOW),
    row('ask-no-cache-etag', 'ccreq-no-cache-etag', STORED, 'Also with a tag.', 'no-cache', HOUR, etag('"abc"')),
    row('ask-no-store', 'ccreq-no-store', STORED, 'no-store of a client does not keep it from what is stored.', 'no-store', HOUR),
    Row('ask-only-if-cached', 'ccreq-oic', '9111 5.2.1.7', CHECK, 'Nothing stored and only-if-cached: 504, and the origin hears nothing.',
        [again(NOT_STORED, cc('only-if-cached'), status=504, lacks=['Answer-Number'])]),
    Row('ask-only-if-cached-hit', None, '9111 5.2.1.7', CHECK, 'What is stored and fresh is sent.',
        [store(HOUR), again(STORED, cc('only-if-cached'))]),
])
