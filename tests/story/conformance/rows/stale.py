"""Stale answers (RFC 9111 section 4.2.4, RFC 5861). All of them are stale on arrival and have a tag, so that they are stored."""
from table import (BEHIND, CHECK, DEAD, NOT_STORED, OPTIMAL, ORIGIN, OVER, REQUIRED, STALE, STORED, Row, age, again, answer, cc, etag,
                   rows_of,
                   store)


def old(directives, seconds=21, **more):
    return store(cc(directives), age(seconds), etag(), **more)


def closed(id, case, kind, seen, why, directives, rfc='9111 4.2.4', then=DEAD, **more):
    return Row(id, case, rfc, kind, why, [old(directives), again(seen, answer=then, **more)])


def forbidden(name, why):
    return closed('stale-' + name.split('=')[0], f'stale-close-{name}', REQUIRED, NOT_STORED, why, f'max-age=20, {name}', rfc='9111 5.2.2')


FAILS = answer(status=503)
BROKEN = answer(status=500)

ROWS = rows_of('stale answers', [
    closed('stale-closed', 'stale-close', CHECK, STALE, 'The origin closes the connection: better stale than nothing.', 'max-age=20'),
    closed('stale-503', 'stale-503', CHECK, STALE, 'The origin says 503: better stale than that.', 'max-age=20', then=FAILS),
    Row('stale-revalidate-behind', 'stale-while-revalidate', '5861 3', OPTIMAL,
        'stale-while-revalidate: the stale answer at once, and the origin is asked behind it.',
        [old('max-age=20, stale-while-revalidate=3600'), again(BEHIND)]),
    Row('stale-revalidate-renews', None, '5861 3', OPTIMAL, 'What the origin said behind the client is what the next one gets.',
        [old('max-age=20, stale-while-revalidate=3600'), again(BEHIND, answer=answer(cc('max-age=3600'), age(0), etag('"v2"'))),
         again(STORED, has=[('ETag', '"v2"')])]),
    Row('stale-revalidate-window', 'stale-while-revalidate-window', '5861 3', REQUIRED,
        'When the window is over, the client waits for the origin.',
        [old('max-age=20, stale-while-revalidate=4', 30), again(ORIGIN)]),
    closed('stale-if-error-closed', 'stale-sie-close', CHECK, STALE, 'stale-if-error counts when the origin closes the connection.',
           'max-age=20, stale-if-error=60', rfc='5861 4'),
    closed('stale-if-error-503', 'stale-sie-503', CHECK, STALE, 'And when it says 503.', 'max-age=20, stale-if-error=60', rfc='5861 4',
           then=FAILS),
    closed('stale-if-error-500', 'stale-if-error-cc-response', CHECK, STALE, 'And when it says 500.', 'max-age=20, stale-if-error=60',
           rfc='5861 4', then=BROKEN),
    Row('stale-if-error-over', 'stale-if-error-cc-response-expired', '5861 4', REQUIRED,
        'When the window of stale-if-error is over, the error is sent.',
        [old('max-age=20, stale-if-error=4', 30), again(ORIGIN, answer=BROKEN)]),
    Row('stale-if-error-asked', 'stale-if-error-cc-request', '5861 4', CHECK, 'A client that takes a stale answer for an error gets it.',
        [old('max-age=20'), again(STALE, cc('stale-if-error=3600'), answer=BROKEN)]),
    Row('stale-if-error-asked-over', 'stale-if-error-cc-request-expired', '5861 4', REQUIRED,
        'When the window that the client names is over, the error is sent.',
        [old('max-age=20', 30), again(ORIGIN, cc('stale-if-error=1'), answer=BROKEN)]),
    forbidden('must-revalidate', 'must-revalidate: never stale, not even when the origin is gone.'),
    forbidden('proxy-revalidate', 'proxy-revalidate: the same for shared caches.'),
    forbidden('no-cache', 'no-cache: never without asking.'),
    forbidden('s-maxage=2', 's-maxage implies proxy-revalidate.'),
    Row('stale-no-warning', 'stale-warning-stored', '9111 5.5', CHECK, 'Warning is history: none is made for an answer that came stale.',
        [store(*OVER), again(STALE, answer=DEAD, lacks=['Warning'])]),
    closed('stale-no-warning-later', 'stale-warning-become', CHECK, STALE, 'Nor for one that became stale.', 'max-age=20', rfc='9111 5.5',
           lacks=['Warning']),
])
