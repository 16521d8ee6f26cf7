"""Lifetimes estimated from Last-Modified (RFC 9111 section 4.2.2): a tenth of the time since, for the statuses that
RFC 9110 section 15.1 names."""
from table import CHECK, NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, age, again, answer, at, cc, rows_of, store

DAY = ('Last-Modified', at(-86400))


def status(code, kind, case, why, *more, id=None):
    seen = STORED if kind == OPTIMAL else ORIGIN
    return Row(id or f'heuristic-status-{code}', case, '9110 15.1', kind, why,
               [store(DAY, NOW, *more, status=code), again(seen, answer=answer(status=code))])


def modified(ago, seen):
    """Three seconds old: what was modified less than thirty seconds before has had its tenth."""
    return Row(f'heuristic-modified-{ago}', f'heuristic-delta-{ago}', '9111 4.2.2', CHECK,
               f'Modified {ago} s before, three seconds old: {"a tenth is still to come" if seen == STORED else "the tenth is over"}.',
               [store(('Last-Modified', at(-ago)), NOW, age(3)), again(seen)])


ROWS = rows_of('heuristic freshness', [
    *[status(code, OPTIMAL, f'heuristic-{code}-cached', f'{code} may be estimated.') for code in (200, 203, 204, 404, 405, 410, 414, 501)],
    *[status(code, REQUIRED, f'heuristic-{code}-not_cached', f'{code} may not be estimated.') for code in (201, 202, 403, 502, 503, 504,
            599)],
    status(599, OPTIMAL, 'heuristic-599-cached', 'public allows it for any status.', cc('public'), id='heuristic-status-599-public'),
    *[modified(ago, ORIGIN) for ago in (5, 10, 30)],
    *[modified(ago, STORED) for ago in (60, 300, 600, 1200, 1800, 3600, 43200, 86400)],
])
