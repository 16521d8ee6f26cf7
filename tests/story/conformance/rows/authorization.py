"""Answers to requests with Authorization (RFC 9111 section 3.5)."""
from table import FRESH, NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, again, cc, rows_of, store

WHO = (('Authorization', 'Basic Zm9vOmJhcg=='),)


def row(id, case, kind, seen, why, *fields, ask=()):
    return Row(id, case, '9111 3.5', kind, why, [store(*fields, ask=WHO, sent=WHO), again(seen, *ask)])


ROWS = rows_of('Authorization', [
    row('auth', 'other-authorization', REQUIRED, ORIGIN, 'An answer to one user is not for all, however fresh.', *FRESH),
    row('auth-public', 'other-authorization-public', OPTIMAL, STORED, 'public says that it is for all.', cc('max-age=3600, public'), NOW),
    row('auth-must-revalidate', 'other-authorization-must-revalidate', OPTIMAL, STORED, 'must-revalidate says so, too.',
        cc('max-age=3600, must-revalidate'), NOW),
    row('auth-s-maxage', 'other-authorization-smaxage', OPTIMAL, STORED, 's-maxage says so, too.', cc('s-maxage=3600'), NOW),
    row('auth-public-other-user', None, OPTIMAL, STORED, 'Another user gets it as well.', cc('max-age=3600, public'), NOW,
        ask=[('Authorization', 'Basic b3RoZXI6')]),
])
