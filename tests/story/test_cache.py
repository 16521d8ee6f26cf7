"""What is stored, for how long, for whom (RFC 9111; design section 3; RFC 9211)."""
import email.utils
import time

import pytest

MAX_AGE = [('Cache-Control', 'max-age=600')]


def dated(headers):
    """Values that are numbers become dates: so many seconds from now."""
    now = time.time()
    return [(name, value if isinstance(value, str) else email.utils.formatdate(now + value, usegmt=True)) for name, value in headers]


def verdicts(daemon, count):
    return [r['cache'] for r in daemon.records(count)]


def twice(daemon, target='/', first=None, second=None):
    """Two requests, the first one's record on disk before the second begins."""
    a = daemon.get(target, **(first or {}))
    daemon.records(1)
    return a, daemon.get(target, **(second if second is not None else first or {}))


# ---- freshness ----

def test_a_second_request_is_a_hit(cached):
    daemon, o = cached(headers=MAX_AGE + [('X-Kept', 'yes'), ('Content-Type', 'text/plain')], body=b'stored')
    a, b = twice(daemon)
    assert a.body == b.body == b'stored'
    assert b.headers.get('x-kept') == 'yes' and b.headers.get('content-type') == 'text/plain'
    assert len(o.requests) == 1
    first, second = daemon.records(2)
    assert (first['cache'], first['stored'], first['tier'], first['volume'], first['nostore']) == ('miss', '1', 'origin', 'main', '')
    assert (second['cache'], second['stored'], second['volume'], second['origin'], second['origin_tries']) == ('hit', '0', 'main', '', '0')
    assert second['tier'] in ('ram', 'disk')
    assert first['key'] == second['key'] != ''
    assert first['body_hash'] == second['body_hash'] != ''
    assert first['lifetime'] == '600'
    assert (second['object_bytes'], second['body_out']) == ('6', '6')


def test_a_hit_has_an_age(cached):
    daemon, _ = cached(headers=MAX_AGE + [('Age', '100')])
    a, b = twice(daemon)
    assert a.headers.get('age') == '100'
    assert 100 <= int(b.headers.get('age')) <= 105
    assert len(b.headers.all('age')) == 1
    assert int(daemon.records(2)[1]['age']) == int(b.headers.get('age'))


def test_the_query_and_the_host_are_in_the_key(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=request.headers.get('host') + request.target))
    for _ in range(2):
        for host in ('site.test', 'other.test', 'site.test:8080'):
            for target in ('/a', '/a?1', '/a?2', '/A'):
                assert daemon.get(target, host=host).body.decode() == host + target
    assert len(o.requests) == 12


@pytest.mark.parametrize('headers,stored,why', [
    ([('Cache-Control', 'max-age=60')], True, ''),
    ([('Cache-Control', 's-maxage=60')], True, ''),
    ([('Cache-Control', 'max-age=0, s-maxage=60')], True, ''),
    ([('Cache-Control', 'public, max-age="60"')], True, ''),
    ([('Expires', 600), ('Date', 0)], True, ''),
    ([('Last-Modified', -86400 * 30), ('Date', 0)], True, ''),
    ([('CDN-Cache-Control', 'max-age=60'), ('Cache-Control', 'no-store')], True, ''),
    ([('Cache-Control', 'max-age=60, no-store')], False, 'no_store'),
    ([('Cache-Control', 'no-store')], False, 'no_store'),
    ([('Cache-Control', 'private, max-age=60')], False, 'private'),
    ([('CDN-Cache-Control', 'no-store'), ('Cache-Control', 'max-age=60')], False, 'no_store'),
    ([('Expires', '0')], False, None),
    ([('Expires', -600), ('Date', 0)], False, None),
    ([('Cache-Control', 'max-age=0')], False, None),
    ([('Cache-Control', 'max-age=60'), ('Age', '61')], False, None),
    ([('Cache-Control', 'max-age=60'), ('Age', '99999999999999999999')], False, None),
    ([('Cache-Control', 'max-age=60, max-age=0')], False, None),
    ([('Cache-Control', 'max-age=-1')], False, None),
    ([], False, 'no_freshness'),
    ([('Cache-Control', 'max-age=60'), ('Set-Cookie', 'a=b')], False, 'set_cookie'),
    ([('Cache-Control', 'max-age=60'), ('Vary', '*')], False, 'vary_star'),
    ([('Cache-Control', 'max-age=60'), ('Vary', 'Accept, *')], False, 'vary_star'),
], ids=lambda v: repr(v)[:60] if isinstance(v, list) else '')
def test_only_what_may_be_stored_is(cached, headers, stored, why):
    daemon, o = cached(headers=dated(headers))
    twice(daemon)
    first, second = daemon.records(2)
    assert len(o.requests) == (1 if stored else 2)
    assert (second['cache'] == 'hit') == stored
    if why is not None:
        assert first['nostore'] == why
    assert bool(int(first['stored'])) or not stored


@pytest.mark.parametrize('status,headers,stored', [
    (200, MAX_AGE, True), (203, MAX_AGE, True), (204, MAX_AGE, True), (301, MAX_AGE, True), (404, MAX_AGE, True), (410, MAX_AGE, True),
    (500, MAX_AGE, True), (302, MAX_AGE, True), (206, MAX_AGE, False), (302, [('Last-Modified', -86400 * 30)], False), (500, [], False),
])
def test_statuses_are_stored_by_the_book(cached, status, headers, stored):
    daemon, o = cached(lambda request, conn: conn.reply(status, dated(headers), b'' if status == 204 else b'x'))
    a, b = twice(daemon)
    assert a.status == b.status == status
    assert (daemon.records(2)[1]['cache'] == 'hit') == stored
    assert len(o.requests) == (1 if stored else 2)


@pytest.mark.parametrize('method', ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'BREW'])
def test_other_methods_pass(cached, method):
    daemon, o = cached(headers=MAX_AGE)
    twice(daemon, first={'method': method})
    assert verdicts(daemon, 2) == ['pass', 'pass']
    assert {r['nostore'] for r in daemon.records(2)} == {'method'}
    assert len(o.requests) == 2


def test_a_get_with_content_passes(cached):
    daemon, o = cached(headers=MAX_AGE)
    twice(daemon, first={'body': b'fat'})
    assert verdicts(daemon, 2) == ['pass', 'pass']
    assert daemon.records(2)[0]['nostore'] == 'request_body'
    assert o.requests[1].body == b'fat'


def test_a_large_body_is_not_stored(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'x' * 5000, settings='object_max 4k;')
    twice(daemon)
    assert daemon.records(2)[0]['nostore'] == 'too_large'
    assert len(o.requests) == 2


def test_a_body_that_turns_out_large_is_passed_on_whole(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n')
        for _ in range(20):
            conn.send(b'400\r\n' + b'x' * 1024 + b'\r\n')
        conn.send(b'0\r\n\r\n')

    daemon, o = cached(handler, settings='object_max 4k;')
    a, b = twice(daemon)
    assert a.body == b.body == b'x' * 20480
    assert daemon.records(2)[0]['nostore'] == 'too_large'
    assert len(o.requests) == 2


def test_proxy_cache_off_is_off(cached):
    daemon, o = cached(headers=MAX_AGE, cache=False)
    twice(daemon)
    records = daemon.records(2)
    assert [(r['cache'], r['volume'], r['nostore']) for r in records] == [('off', 'none', 'cache_off')] * 2
    assert len(o.requests) == 2


def test_a_large_object_is_stored_and_whole(cached):
    body = bytes(range(256)) * 8192                      # 2 MB, over many blocks
    daemon, o = cached(headers=MAX_AGE, body=body)
    a, b = twice(daemon)
    assert a.body == body and b.body == body
    assert len(o.requests) == 1


def test_an_empty_body_is_stored(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'')
    a, b = twice(daemon)
    assert b.body == b'' and b.headers.get('content-length') == '0'
    assert len(o.requests) == 1


# ---- private things ----

def test_an_answer_to_authorization_is_not_stored(cached):
    daemon, o = cached(headers=MAX_AGE)
    twice(daemon, first={'headers': [('Authorization', 'Basic eA==')]}, second={})
    first, second = daemon.records(2)
    assert (first['req_auth'], first['nostore'], first['stored']) == ('1', 'authorization', '0')
    assert second['cache'] in ('miss', 'hit_for_miss') and second['stored'] == '1'
    assert len(o.requests) == 2


@pytest.mark.parametrize('cc', ['public, max-age=60', 's-maxage=60', 'must-revalidate, max-age=60'])
def test_an_answer_to_authorization_is_stored_when_it_says_so(cached, cc):
    daemon, o = cached(headers=[('Cache-Control', cc)])
    twice(daemon, first={'headers': [('Authorization', 'Basic eA==')]}, second={})
    assert verdicts(daemon, 2) == ['miss', 'hit']
    assert len(o.requests) == 1


def test_a_login_cookie_passes_the_cache(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=request.headers.get('cookie') or 'nobody'),
                       settings='login_cookie session;')
    assert daemon.get('/').body == b'nobody'
    daemon.records(1)
    assert daemon.get('/', headers=[('Cookie', 'a=b; session=tom')]).body == b'a=b; session=tom'
    assert daemon.get('/', headers=[('Cookie', 'sessions=tom')]).body == b'nobody'
    assert daemon.get('/').body == b'nobody'
    records = daemon.records(4)
    assert [r['cache'] for r in records] == ['miss', 'pass', 'hit', 'hit']
    assert (records[1]['req_login'], records[1]['nostore']) == ('1', 'login_cookie')
    assert len(o.requests) == 2


def test_set_cookie_is_not_stored_and_not_replayed(cached):
    n = [0]

    def handler(request, conn):
        n[0] += 1
        conn.reply(headers=MAX_AGE + [('Set-Cookie', f'session={n[0]}')])

    daemon, _ = cached(handler)
    a, b = twice(daemon)
    assert a.headers.get('set-cookie') == 'session=1' and b.headers.get('set-cookie') == 'session=2'
    first, second = daemon.records(2)
    assert (first['resp_setcookie'], first['nostore']) == ('1', 'set_cookie')
    assert first['cookie_hash'] != second['cookie_hash']


def test_store_cookies_stores_them_and_the_log_shows_it(cached):
    daemon, o = cached(headers=MAX_AGE + [('Set-Cookie', 'lang=en')], settings='store_cookies on;')
    a, b = twice(daemon)
    assert b.headers.get('set-cookie') == 'lang=en'
    first, second = daemon.records(2)
    assert (second['cache'], second['resp_setcookie']) == ('hit', '1')
    assert first['cookie_hash'] == second['cookie_hash'] != ''
    assert len(o.requests) == 1


def test_request_no_store_is_not_stored(cached):
    daemon, o = cached(headers=MAX_AGE)
    twice(daemon, first={'headers': [('Cache-Control', 'no-store')]}, second={})
    assert daemon.records(2)[0]['nostore'] == 'req_no_store'
    assert len(o.requests) == 2


# ---- Vary ----

def test_vary_keeps_several_variants(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE + [('Vary', 'Accept-Language')],
                                                      body=request.headers.get('accept-language') or 'none'))
    for _ in range(2):
        for lang in ('de', 'en', 'fr'):
            assert daemon.get('/', headers=[('Accept-Language', lang)]).body == lang.encode()
        assert daemon.get('/').body == b'none'
    records = daemon.records(8)
    assert [r['cache'] for r in records] == ['miss'] * 4 + ['hit'] * 4
    assert len({r['key'] for r in records}) == 1
    assert len({r['variant'] for r in records}) == 4 and '' not in {r['variant'] for r in records}
    assert len(o.requests) == 4


def test_equal_requests_in_other_words_are_one_variant(cached):
    daemon, o = cached(headers=MAX_AGE + [('Vary', 'Accept-Encoding')])
    twice(daemon, first={'headers': [('Accept-Encoding', 'gzip, br')]}, second={'headers': [('Accept-Encoding', 'GZIP,br;q=1')]})
    assert verdicts(daemon, 2) == ['miss', 'hit']


@pytest.mark.parametrize('vary, headers', [(', '.join(f'X-{i}' for i in range(200)), []), ('X-A', [('X-A', 'y' * 6000)])])
def test_a_vary_that_selects_by_too_much_is_not_stored(cached, vary, headers):
    daemon, _ = cached(headers=MAX_AGE + [('Vary', vary)])
    assert daemon.get('/', headers=headers).status == 200
    record = daemon.record()
    assert (record['cache'], record['nostore'], record['stored']) == ('miss', 'vary_too_many', '0')


def test_a_head_that_is_too_large_for_a_record_is_not_stored(cached):
    fill = 65536 - len('HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nA: \r\nContent-Length: 6\r\n\r\n')
    daemon, _ = cached(headers=MAX_AGE + [('A', 'y' * fill)], settings='proxy_header_max 64k;')
    answer = daemon.get('/')
    assert (answer.status, len(answer.headers.get('a'))) == (200, fill)
    assert daemon.record()['nostore'] == 'head_too_large'


def test_variants_are_bounded(cached):
    daemon, _ = cached(headers=MAX_AGE + [('Vary', 'User-Agent')], settings='variants_max 4;')
    for i in range(10):
        assert daemon.get('/', headers=[('User-Agent', f'agent-{i}')]).status == 200
    daemon.records(10)
    for i in (9, 9):
        assert daemon.get('/', headers=[('User-Agent', f'agent-{i}')]).status == 200
    assert daemon.records(12)[11]['cache'] == 'hit'


def test_variants_survive_a_restart(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE + [('Vary', 'Accept-Language')], body=request.headers.get('accept-language')))
    for lang in ('de', 'en'):
        daemon.get('/', headers=[('Accept-Language', lang)])
    daemon.records(2)
    daemon.stop()
    daemon.start()
    for lang in ('de', 'en'):
        assert daemon.get('/', headers=[('Accept-Language', lang)]).body == lang.encode()
    assert [r['cache'] for r in daemon.records(4)[2:]] == ['hit', 'hit']
    assert len(o.requests) == 2


# ---- validators ----

VALID = MAX_AGE + [('ETag', '"v1"'), ('Last-Modified', 'Mon, 02 Jan 2023 03:04:05 GMT')]


@pytest.mark.parametrize('headers,status', [
    ([('If-None-Match', '"v1"')], 304),
    ([('If-None-Match', 'W/"v1"')], 304),
    ([('If-None-Match', '"a", "v1"')], 304),
    ([('If-None-Match', '*')], 304),
    ([('If-None-Match', '"v2"')], 200),
    ([('If-None-Match', '"v2"'), ('If-Modified-Since', 'Mon, 02 Jan 2023 03:04:05 GMT')], 200),
    ([('If-Modified-Since', 'Mon, 02 Jan 2023 03:04:05 GMT')], 304),
    ([('If-Modified-Since', 'Mon, 02 Jan 2023 03:04:04 GMT')], 200),
    ([('If-Modified-Since', 'nonsense')], 200),
])
def test_a_conditional_request_is_answered_from_the_store(cached, headers, status):
    daemon, o = cached(headers=VALID)
    _, b = twice(daemon, second={'headers': headers})
    assert b.status == status
    assert b.headers.get('etag') == '"v1"'
    assert b.body == (b'' if status == 304 else b'hello\n')
    assert daemon.records(2)[1]['cache'] == 'hit'
    assert len(o.requests) == 1


def test_a_conditional_miss_stores_the_whole_answer(cached):
    """The client's own copy is no reason to leave the store empty."""
    def handler(request, conn):
        assert not request.headers.has('if-none-match')
        conn.reply(headers=VALID, body=b'whole')

    daemon, o = cached(handler)
    a, b = twice(daemon, first={'headers': [('If-None-Match', '"v1"')]}, second={})
    assert a.status == 304 and b.body == b'whole'
    assert verdicts(daemon, 2) == ['miss', 'hit']


def test_a_stale_object_is_revalidated_with_304(cached):
    def handler(request, conn):
        if request.headers.get('if-none-match') == '"v1"':
            conn.reply(304, headers=[('ETag', '"v1"'), ('Cache-Control', 'max-age=600'), ('X-New', 'yes')])
        else:
            conn.reply(headers=[('Cache-Control', 'max-age=0'), ('ETag', '"v1"')], body=b'kept')

    daemon, o = cached(handler)
    a, b = twice(daemon)
    daemon.records(2)
    c = daemon.get('/')
    assert a.body == b.body == c.body == b'kept'
    assert b.status == c.status == 200
    assert c.headers.get('x-new') == 'yes', 'the fields of the 304 are taken over'
    records = daemon.records(3)
    assert [r['cache'] for r in records] == ['miss', 'revalidated', 'hit']
    assert (records[1]['origin_status'], records[1]['status'], records[1]['origin_in']) == ('304', '200', '0')
    assert [r.headers.get('if-none-match') for r in o.requests] == [None, '"v1"']


def test_a_stale_object_is_replaced_by_200(cached):
    n = [0]

    def handler(request, conn):
        n[0] += 1
        conn.reply(headers=[('Cache-Control', 'max-age=0' if n[0] == 1 else 'max-age=600'), ('ETag', f'"v{n[0]}"')], body=f'v{n[0]}')

    daemon, o = cached(handler)
    a, b = twice(daemon)
    daemon.records(2)
    c = daemon.get('/')
    assert [x.body for x in (a, b, c)] == [b'v1', b'v2', b'v2']
    assert verdicts(daemon, 3) == ['miss', 'miss', 'hit']
    assert o.requests[1].headers.get('if-none-match') == '"v1"'


def test_a_revalidation_by_date(cached):
    def handler(request, conn):
        if request.headers.get('if-modified-since'):
            conn.reply(304, headers=[('Cache-Control', 'max-age=600')])
        else:
            conn.reply(headers=[('Cache-Control', 'max-age=0'), ('Last-Modified', 'Mon, 02 Jan 2023 03:04:05 GMT')], body=b'kept')

    daemon, o = cached(handler)
    _, b = twice(daemon)
    assert (b.status, b.body) == (200, b'kept')
    assert o.requests[1].headers.get('if-modified-since') == 'Mon, 02 Jan 2023 03:04:05 GMT'


def test_no_cache_is_validated_each_time(cached):
    def handler(request, conn):
        if request.headers.get('if-none-match') == '"v1"':
            conn.reply(304, headers=[('ETag', '"v1"'), ('Cache-Control', 'no-cache')])
        else:
            conn.reply(headers=[('Cache-Control', 'no-cache'), ('ETag', '"v1"')], body=b'kept')

    daemon, o = cached(handler)
    for i in range(3):
        assert daemon.get('/').body == b'kept'
        daemon.records(i + 1)
    assert verdicts(daemon, 3) == ['miss', 'revalidated', 'revalidated']
    assert len(o.requests) == 3


def test_a_client_304_while_revalidating(cached):
    def handler(request, conn):
        if request.headers.get('if-none-match') == '"v1"':
            conn.reply(304, headers=[('ETag', '"v1"'), ('Cache-Control', 'no-cache')])
        else:
            conn.reply(headers=[('Cache-Control', 'no-cache'), ('ETag', '"v1"')], body=b'kept')

    daemon, _ = cached(handler)
    _, b = twice(daemon, first={}, second={'headers': [('If-None-Match', '"v1"')]})
    assert (b.status, b.body) == (304, b'')


def test_a_stale_object_is_served_while_the_origin_is_dead(cached):
    def handler(request, conn):
        if len(conn.origin.requests) > 1:
            conn.close()
            return
        conn.reply(headers=[('Cache-Control', 'max-age=0'), ('ETag', '"1"')], body=b'kept')

    daemon, _ = cached(handler)
    _, b = twice(daemon)
    assert (b.status, b.body) == (200, b'kept')
    assert daemon.records(2)[1]['cache'] == 'hit_stale'


def test_must_revalidate_is_never_served_stale(cached):
    def handler(request, conn):
        if len(conn.origin.requests) > 1:
            conn.close()
            return
        conn.reply(headers=[('Cache-Control', 'max-age=0, must-revalidate'), ('ETag', '"1"')], body=b'kept')

    daemon, _ = cached(handler)
    _, b = twice(daemon)
    assert b.status in (502, 504)
    assert daemon.records(2)[1]['cache'] == 'error'


def test_an_object_grows_stale_by_time(cached):
    """The one story that lives by the clock: it waits for the word of the Age field, not for a second."""
    daemon, o = cached(headers=[('Cache-Control', 'max-age=1'), ('ETag', '"1"')])
    from harness import until
    until('a second fetch', lambda: daemon.get('/') and len(o.requests) >= 2)
    records = daemon.requests()
    assert 'hit' in [r['cache'] for r in records] or len(records) == 2


# ---- Cache-Status ----

def test_cache_status_says_what_was_done(cached):
    daemon, _ = cached(headers=MAX_AGE)
    a, b = twice(daemon)
    assert 'fwd=' in a.headers.get('cache-status') and 'stored' in a.headers.get('cache-status') and 'hit' not in a.headers.get('cache-status')
    assert '; hit' in b.headers.get('cache-status') and 'ttl=' in b.headers.get('cache-status')


def test_cache_status_names_the_reason(cached):
    daemon, _ = cached(headers=[('Cache-Control', 'no-store')])
    status = daemon.get('/').headers.get('cache-status')
    assert 'no_store' in status or 'no-store' in status


def test_cache_status_off(cached):
    daemon, _ = cached(headers=MAX_AGE, settings='cache_status off;')
    for answer in twice(daemon):
        assert not answer.headers.has('cache-status')


def test_cache_status_of_others_is_kept_before_ours(cached):
    daemon, _ = cached(headers=MAX_AGE + [('Cache-Status', 'Inner; hit')])
    status = ', '.join(daemon.get('/').headers.all('cache-status'))
    assert status.startswith('Inner; hit, ')


# ---- ranges ----

def test_a_range_of_a_miss_goes_to_the_origin_and_is_not_the_whole(cached):
    def handler(request, conn):
        if request.headers.get('range') == 'bytes=1-2':
            conn.reply(206, headers=MAX_AGE + [('Content-Range', 'bytes 1-2/6')], body=b'el')
        else:
            conn.reply(headers=MAX_AGE, body=b'hello\n')

    daemon, o = cached(handler)
    a, b = twice(daemon, first={'headers': [('Range', 'bytes=1-2')]}, second={})
    assert (a.status, a.body) == (206, b'el')
    assert (b.status, b.body) == (200, b'hello\n')


def test_a_failed_if_range_on_a_stored_object_gives_the_whole(cached):
    daemon, _ = cached(headers=VALID)
    _, b = twice(daemon, second={'headers': [('Range', 'bytes=0-1'), ('If-Range', '"v2"')]})
    assert (b.status, b.body) == (200, b'hello\n')


def test_a_range_of_a_stored_object_is_answered(cached):
    def handler(request, conn):
        conn.reply(headers=VALID, body=b'hello\n')

    daemon, _ = cached(handler)
    _, b = twice(daemon, second={'headers': [('Range', 'bytes=0-1')]})
    assert (b.status, b.body) in ((206, b'he'), (200, b'hello\n')), 'a part, or all of it: never something else'


# ---- invalidation ----

@pytest.mark.parametrize('method', ['POST', 'PUT', 'DELETE', 'PATCH'])
def test_a_successful_unsafe_request_invalidates(cached, method):
    n = [0]

    def handler(request, conn):
        n[0] += 1
        conn.reply(headers=MAX_AGE if request.method == 'GET' else [], body=str(n[0]))

    daemon, _ = cached(handler)
    assert daemon.get('/').body == b'1'
    daemon.records(1)
    assert daemon.get('/', method=method, body=b'x').status == 200
    daemon.records(2)
    assert daemon.get('/').body == b'3'


@pytest.mark.parametrize('field', ['Location', 'Content-Location'])
@pytest.mark.parametrize('reference, invalidates', [
    ('/other', True), ('http://site.test/other', True), ('HTTP://SITE.test:80/other', True), ('//site.test/other', True), ('other', True),
    ('/other#part', True), ('http://evil.test/other', False), ('http://site.test:81/other', False), ('https://site.test/other', False),
    ('//evil.test/other', False), ('http://site.test@evil.test/other', False), ('/another', False), ('', False), (':', False), ('ftp:other', False)])
def test_an_unsafe_request_invalidates_what_its_answer_names(cached, field, reference, invalidates):
    """Of the same origin only: no site can empty another one's cache."""
    def handler(request, conn):
        headers = [(field, reference)] if request.method == 'POST' else MAX_AGE
        conn.reply(headers=headers, body=str(len(conn.origin.requests)))

    daemon, o = cached(handler)
    assert daemon.get('/other').body == daemon.get('/other').body == b'1'
    assert daemon.get('/form', method='POST', body=b'x').status == 200
    assert daemon.get('/other').body == (b'3' if invalidates else b'1')


@pytest.mark.parametrize('status', [400, 404, 500, 503])
def test_a_failed_unsafe_request_invalidates_nothing(cached, status):
    def handler(request, conn):
        if request.method == 'DELETE':
            conn.reply(status)
        else:
            conn.reply(headers=MAX_AGE)

    daemon, o = cached(handler)
    daemon.get('/')
    assert daemon.get('/', method='DELETE').status == status
    daemon.get('/')
    assert len(o.requests) == 2


STALE = [('Cache-Control', 'max-age=10'), ('Age', '20')]


def heads(cached, fields, status=200):
    """A stored object that is stale; the origin answers HEAD with these fields."""
    def handler(request, conn):
        if request.method == 'HEAD':
            conn.reply(status, headers=[('Cache-Control', 'max-age=600'), ('X-New', 'yes'), *fields], length=False)
        else:
            conn.reply(headers=STALE + [('ETag', '"v1"'), ('Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT')], body='hello')

    daemon, o = cached(handler)
    daemon.get('/')
    assert daemon.get('/', method='HEAD').headers.get('x-new') == 'yes'
    return daemon, o


@pytest.mark.parametrize('fields', [[('ETag', '"v1"')], [('ETag', '"v1"'), ('Content-Length', '5')], [('Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT')], []])
def test_an_answer_to_head_renews_the_stored_one(cached, fields):
    daemon, o = heads(cached, fields)
    answer = daemon.get('/')
    assert (answer.body, answer.headers.get('x-new')) == (b'hello', 'yes')
    assert [r.method for r in o.requests] == ['GET', 'HEAD']


@pytest.mark.parametrize('fields, status', [([('ETag', '"v2"')], 200), ([('ETag', '"v1"'), ('Content-Length', '6')], 200),
                                            ([('Last-Modified', 'Mon, 07 Nov 1994 08:49:37 GMT')], 200), ([], 410)])
def test_an_answer_to_head_that_is_of_another_thing_voids_the_stored_one(cached, fields, status):
    daemon, o = heads(cached, fields, status)
    daemon.get('/')
    assert [(r.method, r.headers.has('if-none-match')) for r in o.requests] == [('GET', False), ('HEAD', False), ('GET', False)]


def test_an_answer_that_may_not_be_stored_ends_the_stored_one(cached):
    def handler(request, conn):
        first = len(conn.origin.requests) == 1
        conn.reply(headers=STALE + [('ETag', '"v1"')] if first else [('Cache-Control', 'no-store')], body='old' if first else 'new')

    daemon, o = cached(handler)
    daemon.get('/')
    assert daemon.get('/').body == b'new'
    daemon.get('/')
    assert [r.headers.get('if-none-match') for r in o.requests] == [None, '"v1"', None]
