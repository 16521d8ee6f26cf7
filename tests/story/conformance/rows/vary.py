"""Which stored variant fits a request (RFC 9111 section 4.1)."""
from table import NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, again, at, cc, rows_of, store

LAST = ('Last-Modified', at(-3000))


def variant(vary, *more):
    return (cc('max-age=5000'), LAST, NOW, ('Vary', vary), *more)


def row(id, case, seen, why, vary, first, second, kind=None, more=()):
    kind = kind or (OPTIMAL if seen == STORED else REQUIRED)
    return Row(id, case, '9111 4.1', kind, why, [store(*variant(vary, *more), ask=first), again(seen, *second)])


def language(id, case, why, first, second, more=()):
    return row(id, case, STORED, why, 'Accept-Language', [('Accept-Language', first)], [('Accept-Language', second)], more=more)


FOO, BAR, BAZ = ('Foo', '1'), ('Bar', 'abc'), ('Baz', '789')

ROWS = rows_of('Vary', [
    row('vary-same', 'vary-match', STORED, 'The same value finds the variant.', 'Foo', [FOO], [FOO]),
    row('vary-other', 'vary-no-match', ORIGIN, 'Another value does not.', 'Foo', [FOO], [('Foo', '2')]),
    row('vary-stored-without', 'vary-omit-stored', ORIGIN, 'A variant of a request without the field is not for one with it.', 'Foo', [],
        [FOO]),
    row('vary-asked-without', 'vary-omit', ORIGIN, 'Nor the other way round.', 'Foo', [FOO], []),
    Row('vary-two-variants', 'vary-invalidate', '9111 4.1', OPTIMAL, 'A second variant does not displace the first.',
        [store(*variant('Foo'), ask=[FOO], body=b'first'), store(*variant('Foo'), ask=[('Foo', '2')], body=b'second'),
         again(STORED, FOO, body=b'first'), again(STORED, ('Foo', '2'), body=b'second')]),
    Row('vary-absent-then-present', 'vary-cache-key', '9111 4.1', OPTIMAL,
        'As the public suite writes it, the first request lacks the field that Vary names, and the second has it.',
        [store(*variant('Foo'), ask=[('Other', '2')]), again(STORED, FOO, ('Other', '3'))],
        against='the stored request lacks Foo and the new one has it: the required row vary-stored-without forbids the reuse'),
    row('vary-field-not-named', None, STORED, 'A field that Vary does not name does not matter.', 'Foo', [FOO, ('Other', '2')],
        [FOO, ('Other', '3')]),
    row('vary-two-same', 'vary-2-match', STORED, 'Two fields, both the same.', 'Foo, Bar', [FOO, BAR], [FOO, BAR]),
    row('vary-two-other', 'vary-2-no-match', ORIGIN, 'Two fields, one differs.', 'Foo, Bar', [FOO, BAR], [('Foo', '2'), BAR]),
    row('vary-two-without', 'vary-2-match-omit', ORIGIN, 'Two fields, both missing now.', 'Foo, Bar', [FOO, BAR], []),
    row('vary-three-same', 'vary-3-match', STORED, 'Three fields, all the same.', 'Foo, Bar, Baz', [FOO, BAR, BAZ], [FOO, BAR, BAZ]),
    row('vary-three-other', 'vary-3-no-match', ORIGIN, 'Three fields, one differs.', 'Foo, Bar, Baz', [FOO, BAR, BAZ],
        [('Foo', '2'), BAR, BAZ]),
    row('vary-three-order', 'vary-3-order', ORIGIN, 'Three fields in another order, one longer.', 'Foo, Bar, Baz', [FOO, BAR, BAZ],
        [FOO, BAZ, ('Bar', 'abcde')]),
    row('vary-three-missing-both', 'vary-3-omit', STORED, 'A field that both requests lack is the same in both.', 'Foo, Bar, Baz',
        [FOO, BAZ], [FOO, BAZ]),
    row('vary-star', 'vary-star', ORIGIN, 'A star fits nothing.', '*', [FOO, BAZ], [FOO, BAZ]),
    row('vary-lines-joined', 'vary-normalise-combine', STORED, 'Two lines of a field are the list that they make.', 'Foo',
        [('Foo', '1, 2')], [FOO, ('Foo', '2')]),
    row('vary-space', 'vary-normalise-space', STORED, 'Space around the members of a list does not matter.', 'Foo', [('Foo', '1,2')],
        [('Foo', ' 1, 2 ')]),
    language('vary-language-order', 'vary-normalise-lang-order', 'Languages of the same quality have no order.', 'en, de', 'de, en'),
    language('vary-language-case', 'vary-normalise-lang-case', 'Names of languages have no case.', 'en, de', 'eN, De'),
    language('vary-language-space', 'vary-normalise-lang-space', 'Space does not matter.', 'en, de', ' en ,   de'),
    language('vary-language-best', 'vary-normalise-lang-select',
             'A stored answer in the language that a client likes best is what it wants.',
             'en, de', 'fr;q=0.5, de;q=1.0', more=[('Content-Language', 'de')]),
])
