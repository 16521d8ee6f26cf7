"""Any final status is stored with an explicit lifetime (RFC 9111 section 3)."""
from table import FRESH, OPTIMAL, ORIGIN, OVER, REQUIRED, STORED, Row, again, answer, cc, rows_of, store

CODES = (200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599)
UNDERSTOOD = cc('max-age=3600, no-store, must-understand')


def both(code):
    return [
        Row(f'status-{code}', f'status-{code}-fresh', '9111 3', OPTIMAL, f'A {code} with a lifetime is reused.',
            [store(*FRESH, status=code), again(STORED, answer=answer(status=code))]),
        Row(f'status-{code}-over', f'status-{code}-stale', '9111 4.2', REQUIRED, f'A {code} is not reused after its lifetime.',
            [store(*OVER, status=code), again(ORIGIN)]),
    ]


ROWS = rows_of('status', [row for code in CODES for row in both(code)] + [
    Row('must-understand-unknown', 'status-599-must-understand', '9111 5.2.2.3', REQUIRED,
        'A status that we do not know is not stored when it must be understood.', [store(UNDERSTOOD, status=599), again(ORIGIN)]),
    Row('must-understand-known', 'status-200-must-understand', '9111 5.2.2.3', OPTIMAL,
        'One that we know is stored: must-understand lifts the no-store beside it.', [store(UNDERSTOOD), again(STORED)]),
])
