"""Requests that come while one is being answered (RFC 9111 section 4). test_collapse.py has the rest of it."""
from table import FRESH, OPTIMAL, ORIGIN, Exchange, Row, answer, rows_of

ROWS = rows_of('collapsing', [
    Row('collapse-ten', None, '9111 4', OPTIMAL, 'Ten clients at once are one request at the origin.',
        [Exchange(answer(*FRESH), ORIGIN, clients=10)]),
])
