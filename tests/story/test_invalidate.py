"""An unsafe request that works voids what is stored for its URL, and what is on its way for it (RFC 9111 section 4.4)."""
import pytest

FRESH = ('Cache-Control', 'max-age=600')


@pytest.fixture
def site(cached):
    """GET / is the page as it was when it was asked for; gates by the number of the GET hold it back, POST changes it."""
    def make(held=(), vary=None, headed=False, settings=''):
        state = {'page': 'old', 'gets': 0}

        def handler(request, conn):
            if request.method == 'POST':
                if request.target != '/refused':
                    state['page'] = 'new'
                conn.reply(403 if request.target == '/refused' else 200, headers=[('Location', '/')] if request.target == '/form' else [], body='done')
                return
            page = state['page']
            state['gets'] += 1
            number = state['gets']
            fields = [FRESH, ('ETag', f'"{page}"'), *([('Vary', vary)] if vary else [])]
            if number not in held:
                conn.reply(headers=fields, body=page)
                return
            if headed:
                conn.send('HTTP/1.1 200 OK\r\n' + ''.join(f'{n}: {v}\r\n' for n, v in fields) + f'Content-Length: 3\r\n\r\n{page[0]}')
            conn.origin.pass_gate()
            if headed:
                conn.send(page[1:])
            else:
                conn.reply(headers=fields, body=page)

        return cached(handler, settings=settings)
    return make


@pytest.mark.parametrize('headed', [False, True], ids=['before-the-head', 'within-the-body'])
@pytest.mark.parametrize('target', ['/', '/form'], ids=['its-url', 'a-url-that-the-answer-names'])
def test_what_was_asked_for_before_an_unsafe_request_is_not_stored_behind_it(site, target, headed):
    daemon, o = site(held=(1,), headed=headed)
    with daemon.client() as before:
        before.request('/')
        o.wait_requests(1)
        if headed:
            before.fill()
        assert daemon.get(target, method='POST', body=b'x').status == 200
        o.open_gate()
        assert before.response().body == b'old'
    assert daemon.get('/').body == b'new'
    assert daemon.get('/').body == b'new'
    first = next(r for r in daemon.records(4) if r['nostore'] == 'purged')
    assert (first['stored'], first['method']) == ('0', 'GET')
    assert len(o.requests) == 3


def test_who_comes_behind_an_unsafe_request_does_not_join_a_fetch_from_before_it(site):
    daemon, o = site(held=(1,), headed=True)
    with daemon.client() as before, daemon.client() as after:
        before.request('/')
        o.wait_requests(1)
        before.fill()
        assert daemon.get('/', method='POST', body=b'x').status == 200
        after.request('/')
        assert after.response().body == b'new'
        o.open_gate()
        assert before.response().body == b'old'
    assert daemon.get('/').body == b'new'
    assert len(o.requests) == 3


def test_variants_on_their_way_are_void_too(site):
    daemon, o = site(held=(1,), vary='Accept-Language')
    with daemon.client() as before:
        before.request('/', headers=[('Accept-Language', 'de')])
        o.wait_requests(1)
        assert daemon.get('/', method='POST', body=b'x').status == 200
        o.open_gate()
        assert before.response().body == b'old'
    assert daemon.get('/', headers=[('Accept-Language', 'de')]).body == b'new'


@pytest.mark.parametrize('target', ['/refused', '/other'])
def test_an_unsafe_request_that_fails_or_is_of_another_url_voids_nothing(site, target):
    daemon, o = site(held=(1,))
    with daemon.client() as before:
        before.request('/')
        o.wait_requests(1)
        daemon.get(target, method='POST', body=b'x')
        o.open_gate()
        assert before.response().body == b'old'
    assert daemon.get('/').body == b'old'
    assert len(o.requests) == 2


def test_a_304_that_was_asked_for_before_renews_nothing(cached):
    def handler(request, conn):
        number = len(conn.origin.requests)
        if request.method == 'POST':
            conn.reply(body='done')
        elif request.headers.get('if-none-match') == '"1"':
            conn.origin.pass_gate()
            conn.reply(304, headers=[FRESH, ('ETag', '"1"')])
        else:
            conn.reply(headers=[('Cache-Control', 'max-age=0'), ('ETag', f'"{number}"')], body=str(number))

    daemon, o = cached(handler)
    daemon.get('/')
    with daemon.client() as before:
        before.request('/')
        o.wait_requests(2)
        daemon.get('/', method='POST', body=b'x')
        o.open_gate()
        assert before.response().body == b'1'
    assert daemon.get('/').body == b'4'


def test_the_answer_to_an_unsafe_request_itself_is_stored_when_it_says_so(cached):
    def handler(request, conn):
        conn.reply(headers=[FRESH, ('Content-Location', '/')], body=request.method)

    daemon, o = cached(handler)
    assert daemon.get('/', method='POST', body=b'x').body == b'POST'
    assert daemon.get('/').body == b'POST'
    assert len(o.requests) == 1
    assert daemon.records(2)[0]['stored'] == '1'


def test_a_304_for_what_has_been_replaced_meanwhile_renews_nothing(cached):
    def handler(request, conn):
        number = len(conn.origin.requests)
        if number == 2:
            conn.origin.pass_gate()
            conn.reply(304, headers=[FRESH, ('ETag', '"1"')])
        else:
            conn.reply(headers=[('Cache-Control', 'max-age=600' if number == 3 else 'max-age=0'), ('ETag', f'"{number}"')], body=str(number))

    daemon, o = cached(handler, settings='collapse off;')
    daemon.get('/')
    with daemon.client() as first:
        first.request('/')
        o.wait_requests(2)
        assert daemon.get('/').body == b'3'
        o.open_gate()
        assert first.response().body == b'1'
    assert daemon.get('/').body == b'3'
    record = next(r for r in daemon.records(4) if r['cache'] == 'revalidated')
    assert (record['stored'], record['nostore']) == ('0', 'replaced')
