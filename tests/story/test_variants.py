"""Invalidation of a URL whose answers vary (RFC 9111 sections 4.1 and 4.4)."""
from harness import site, until

MAX_AGE = [('Cache-Control', 'max-age=600')]


def test_a_successful_unsafe_request_invalidates_all_variants(cached):
    """Also when one of them is fetched again: the list of the new ones leads to none of the old."""
    def handler(request, conn):
        conn.reply(headers=[*MAX_AGE, ('Vary', 'X')] if request.method == 'GET' else [], body=str(len(conn.origin.requests)))

    daemon, o = cached(handler)
    assert [daemon.get('/', headers=[('X', x)]).body for x in 'abab'] == [b'1', b'2', b'1', b'2']
    daemon.get('/', method='POST', body=b'x')
    assert [daemon.get('/', headers=[('X', x)]).body for x in 'abab'] == [b'4', b'5', b'4', b'5']


def test_variants_that_only_the_disk_has_are_invalidated_too(proxy, origin):
    o = origin(lambda request, conn: conn.reply(headers=[*MAX_AGE, ('Vary', 'X')] if request.method == 'GET' else [], body=str(len(conn.origin.requests))))
    first = proxy(site(o))
    assert [first.get('/', headers=[('X', x)]).body for x in 'ab'] == [b'1', b'2']
    first.stop()
    daemon = proxy(site(o))
    daemon.get('/', method='POST', body=b'x')
    until('the new answer', lambda: daemon.get('/', headers=[('X', 'a')]).body not in (b'1',))
    assert daemon.get('/', headers=[('X', 'b')]).body not in (b'1', b'2')
