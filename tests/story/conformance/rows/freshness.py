"""How long an answer is fresh by Cache-Control (RFC 9111 sections 4.2 and 5.2.2)."""
from table import (CHECK, NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, age, again, at, cc, rows_of, store)


def used(id, case, kind, why, *fields, rfc='9111 4.2.1', plain=True):
    return Row(id, case, rfc, kind, why, [store(*fields, plain=plain), again(STORED)])


def unused(id, case, kind, why, *fields, rfc='9111 4.2.1', plain=True):
    return Row(id, case, rfc, kind, why, [store(*fields, plain=plain), again(ORIGIN)])




ROWS = rows_of('freshness', [
    unused('fresh-nothing-said', 'freshness-none', CHECK, 'An answer without lifetime and validator is not guessed about.'),
    used('fresh-max-age', 'freshness-max-age', OPTIMAL, 'max-age is a lifetime.', cc('max-age=3600')),
    unused('fresh-max-age-over', 'freshness-max-age-stale', REQUIRED, 'After max-age seconds the answer is stale.',
           cc('max-age=20'), age(21)),
    unused('fresh-max-age-zero', 'freshness-max-age-0', REQUIRED, 'A lifetime of nothing is over at once.', cc('max-age=0')),
    used('fresh-max-age-31-bits', 'freshness-max-age-max-minus-1', OPTIMAL, 'The largest number that fits in 31 bits is a lifetime.',
         cc('max-age=2147483647')),
    used('fresh-max-age-31-bits-and-one', 'freshness-max-age-max', OPTIMAL, 'A lifetime beyond 31 bits does not turn negative.',
         cc('max-age=2147483648')),
    used('fresh-max-age-31-bits-and-two', 'freshness-max-age-max-plus-1', OPTIMAL, 'Nor does the next one.', cc('max-age=2147483649')),
    used('fresh-max-age-eleven-digits', 'freshness-max-age-max-plus', OPTIMAL, 'A lifetime of three thousand years is cut, not refused.',
         cc('max-age=99999999999')),
    unused('fresh-age-beyond-max-age', 'freshness-max-age-age', REQUIRED, 'Time spent in other caches counts.',
           NOW, cc('max-age=3600'), age(7200), rfc='9111 4.2.3'),
    unused('fresh-date-tells-age', 'freshness-max-age-date', CHECK, 'Without Age, the Date says how old the answer is.',
           ('Date', at(-7200)), cc('max-age=3600'), rfc='9111 4.2.3'),
    used('fresh-max-age-beats-past-expires', 'freshness-max-age-expires', OPTIMAL, 'max-age makes Expires irrelevant, also a past one.',
         cc('max-age=3600'), ('Expires', at(-7200)), NOW, rfc='9111 5.3'),
    used('fresh-max-age-beats-bad-expires', 'freshness-max-age-expires-invalid', OPTIMAL,
         'max-age makes Expires irrelevant, also a senseless one.',
         cc('max-age=3600'), ('Expires', '0'), NOW, rfc='9111 5.3'),
    unused('fresh-max-age-zero-beats-expires', 'freshness-max-age-0-expires', REQUIRED, 'max-age=0 makes a future Expires irrelevant.',
           cc('max-age=0'), ('Expires', at(3600)), NOW, rfc='9111 5.3'),
    used('fresh-unknown-directive', 'freshness-max-age-extension', OPTIMAL, 'An unknown directive beside max-age changes nothing.',
         cc('strange, max-age=3600'), rfc='9111 5.2.3'),
    used('fresh-mixed-case', 'freshness-max-age-case-insenstive', OPTIMAL, 'Names of directives have no case.', cc('mAX-aGE=3600'),
         rfc='9111 5.2'),
    unused('fresh-negative', 'freshness-max-age-negative', REQUIRED, 'A negative number is not a lifetime.', cc('max-age=-3600'),
           rfc='9111 1.2.2'),
    used('fresh-s-maxage', 'freshness-s-maxage-shared', REQUIRED, 's-maxage is a lifetime for shared caches.', cc('s-maxage=3600'),
         rfc='9111 5.2.2.10'),
    unused('fresh-s-maxage-shorter', 'freshness-max-age-s-maxage-shared-longer', REQUIRED, 'A short s-maxage after a long max-age decides.',
           cc('max-age=3600, s-maxage=20'), age(21), rfc='9111 5.2.2.10'),
    unused('fresh-s-maxage-shorter-first', 'freshness-max-age-s-maxage-shared-longer-reversed', REQUIRED,
           'A short s-maxage before a long max-age decides.', cc('s-maxage=20, max-age=3600'), age(21), rfc='9111 5.2.2.10'),
    unused('fresh-s-maxage-shorter-lines', 'freshness-max-age-s-maxage-shared-longer-multiple', REQUIRED,
           'A short s-maxage on a line of its own decides.', cc('max-age=3600'), cc('s-maxage=20'), age(21), rfc='9111 5.2.2.10'),
    used('fresh-s-maxage-longer', 'freshness-max-age-s-maxage-shared-shorter', OPTIMAL, 'A long s-maxage decides as well.',
         cc('max-age=20, s-maxage=3600'), age(21), rfc='9111 5.2.2.10'),
    used('fresh-s-maxage-longer-expires', 'freshness-max-age-s-maxage-shared-shorter-expires', OPTIMAL,
         'A long s-maxage decides over max-age=0 and a past Expires together.', cc('max-age=0, s-maxage=3600'), ('Expires', at(-10)),
         rfc='9111 5.2.2.10'),
])
