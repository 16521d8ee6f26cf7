"""A star anywhere in Vary (RFC 9110 section 12.5.5)."""
from table import NOW, ORIGIN, REQUIRED, Row, again, at, cc, rows_of, store

ASK = (('Foo', '1'), ('Baz', '789'))


def star(id, case, why, *values):
    first = store(cc('max-age=5000'), ('Last-Modified', at(-3000)), NOW, *[('Vary', v) for v in values], ask=ASK, plain=False)
    return Row(id, case, '9110 12.5.5', REQUIRED, why, [first, again(ORIGIN, *ASK)])


ROWS = rows_of('parsing of Vary', [
    star('star', 'vary-syntax-star', 'A star alone.', '*'),
    star('star-star', 'vary-syntax-star-star', 'Two of them.', '*, *'),
    star('star-star-lines', 'vary-syntax-star-star-lines', 'Two of them on two lines.', '*', '*'),
    star('star-after-nothing', 'vary-syntax-empty-star', 'One after an empty member.', ', *'),
    star('star-after-empty-line', 'vary-syntax-empty-star-lines', 'One after an empty line.', '', '*'),
    star('star-before-name', 'vary-syntax-star-foo', 'One before a name.', '*, Foo'),
    star('star-after-name', 'vary-syntax-foo-star', 'One after a name.', 'Foo, *'),
])
