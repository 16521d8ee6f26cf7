"""How Age is read (RFC 9111 section 5.1): the first member counts, and one that is not a number is ignored."""
from table import CHECK, NOW, ORIGIN, REQUIRED, STORED, Row, again, cc, rows_of, store


def row(id, case, seen, why, *ages, kind=REQUIRED, lifetime=3600):
    first = store(NOW, cc(f'max-age={lifetime}'), *[('Age', a) for a in ages], plain=False)
    return Row(id, case, '9111 5.1', kind, why, [first, again(seen)])


ROWS = rows_of('parsing of Age', [
    row('age-letters', 'age-parse-nonnumeric', STORED, 'Letters are ignored.', 'abc'),
    row('age-negative', 'age-parse-negative', STORED, 'A negative age is ignored.', '-7200'),
    row('age-fraction', 'age-parse-float', STORED, 'An age with a fraction is ignored.', '7200.0'),
    row('age-31-bits', 'age-parse-large-minus-one', ORIGIN, 'The largest age of 31 bits is old.', '2147483647'),
    row('age-31-bits-and-one', 'age-parse-large', ORIGIN, 'One more does not turn young.', '2147483648'),
    row('age-31-bits-and-two', 'age-parse-larger', ORIGIN, 'Nor does the next.', '2147483649'),
    row('age-63-bits', None, ORIGIN, 'An age of 2^63 is as old as can be.', '9223372036854775808'),
    row('age-thirty-digits', None, ORIGIN, 'An age of thirty digits is as old as can be.', '9' * 30),
    row('age-list-old-first', 'age-parse-suffix', ORIGIN, 'Of a list the first member counts: old.', '7200, 0'),
    row('age-list-young-first', 'age-parse-prefix', STORED, 'Of a list the first member counts: young.', '0, 7200'),
    row('age-lines-old-first', 'age-parse-suffix-twoline', ORIGIN, 'Of several lines the first counts: old.', '7200', '0'),
    row('age-lines-young-first', 'age-parse-prefix-twoline', STORED, 'Of several lines the first counts: young.', '0', '7200'),
    row('age-list-zeros', 'age-parse-dup-0', STORED, 'Nought twice is nought.', '0, 0'),
    row('age-lines-zeros', 'age-parse-dup-0-twoline', STORED, 'Nought on two lines is nought.', '0', '0'),
    row('age-lines-not-added', 'age-parse-dup-old', STORED, 'The same age on two lines is not added up.', '3600', '3600', lifetime=10000),
    row('age-parameter', 'age-parse-parameter', STORED, 'An age with a parameter is not a number and ignored.', '7200;foo=bar', kind=CHECK),
    row('age-number-parameter', 'age-parse-numeric-parameter', STORED, 'Nor is one with a numeric parameter.', '7200;foo=111', kind=CHECK),
])
