"""How Cache-Control is read when it is odd (RFC 9111 sections 4.2.1 and 5.2)."""
from table import CHECK, ORIGIN, REQUIRED, STORED, Row, age, again, cc, rows_of, store


def used(id, case, kind, why, *fields):
    return Row(id, case, '9111 5.2', kind, why, [store(*fields, plain=False), again(STORED)])


def unused(id, case, kind, why, *fields):
    return Row(id, case, '9111 5.2', kind, why, [store(*fields, plain=False), again(ORIGIN)])


OLD = age(100)

ROWS = rows_of('parsing of Cache-Control', [
    unused('parse-twice-long-short', 'freshness-max-age-two-fresh-stale-sameline', CHECK, 'Of two max-age the shorter counts.',
           cc('max-age=1800, max-age=1'), OLD),
    unused('parse-twice-long-short-lines', 'freshness-max-age-two-fresh-stale-sepline', CHECK, 'The same on two lines.',
           cc('max-age=1800'), cc('max-age=1'), OLD),
    unused('parse-twice-short-long', 'freshness-max-age-two-stale-fresh-sameline', CHECK,
           'Of two max-age the shorter counts, in any order.', cc('max-age=1, max-age=1800'), OLD),
    unused('parse-twice-short-long-lines', 'freshness-max-age-two-stale-fresh-sepline', CHECK, 'The same on two lines.', cc('max-age=1'),
           cc('max-age=1800'), OLD),
    used('parse-quoted-number', 'freshness-max-age-quoted', CHECK, 'A number may stand in quotes.', cc('max-age="3600"')),
    unused('parse-name-inside-quotes', 'freshness-max-age-ignore-quoted', REQUIRED,
           'What stands inside the quotes of another directive is no directive.',
           cc('other="max-age=3600", max-age=1'), OLD),
    unused('parse-name-inside-quotes-after', 'freshness-max-age-ignore-quoted-rev', REQUIRED, 'Nor when it comes after the real one.',
           cc('max-age=1, other="max-age=3600"'), OLD),
    unused('parse-space-before-equals', 'freshness-max-age-space-before-equals', CHECK,
           'A space before the equals sign makes it another thing.', cc('max-age =3600')),
    unused('parse-space-after-equals', 'freshness-max-age-space-after-equals', CHECK, 'A space after the equals sign leaves no number.',
           cc('max-age= 3600')),
    used('parse-leading-zeros', 'freshness-max-age-leading-zero', REQUIRED, 'Zeros before a number do not change it.',
         cc('max-age=003600')),
    unused('parse-single-quotes', 'freshness-max-age-single-quoted', REQUIRED, 'Apostrophes are not quotes, so there is no number.',
           cc("max-age='3600'")),
    unused('parse-fraction-zero', 'freshness-max-age-decimal-zero', CHECK, 'A number with a point is not a number of seconds: stale.',
           cc('max-age=3600.0')),
    unused('parse-fraction-half', 'freshness-max-age-decimal-five', CHECK, 'Half seconds do not exist: stale.', cc('max-age=3600.5')),
    unused('parse-letter-first', 'freshness-max-age-a100', CHECK, 'A letter before the digits: stale.', cc('max-age=a3600')),
    unused('parse-letter-last', 'freshness-max-age-100a', CHECK, 'A letter after the digits: stale.', cc('max-age=3600a')),
])
