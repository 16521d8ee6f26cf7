"""Errors that are stored: how long, by whose word, and what they never take the place of (RFC 9111 sections 3 and 4.2.4)."""
import pytest

from harness import until

GOOD_STALE = [('Cache-Control', 'max-age=10'), ('Age', '20'), ('ETag', '"v1"')]


def numbered(status, headers=(), rest=None):
    """Each answer has its number in it. `rest`: (status, headers) of those behind the first."""
    def handler(request, conn):
        n = len(conn.origin.requests)
        s, h = (status, headers) if n == 1 or rest is None else rest
        conn.reply(s, headers=h, body=str(n))
    return handler


@pytest.mark.parametrize('status', [404, 405, 410, 414, 500, 501, 502, 503, 504])
def test_by_the_sites_word_errors_without_a_lifetime_are_stored(cached, status):
    daemon, o = cached(numbered(status), settings='negative_ttl 60s;')
    assert [(daemon.get('/').status, daemon.get('/').body) for _ in range(2)] == [(status, b'1')] * 2
    assert len(o.requests) == 1
    assert [(r['cache'], r['lifetime'], r['lifetime_by']) for r in daemon.records(4)] == [('miss', '60', 'negative_ttl')] + [('hit', '60', 'negative_ttl')] * 3


@pytest.mark.parametrize('status', [404, 500, 503])
def test_without_it_they_are_not(cached, status):
    daemon, o = cached(numbered(status))
    assert [daemon.get('/').body for _ in range(2)] == [b'1', b'2']
    assert daemon.records(2)[0]['nostore'] in ('no_freshness', 'status')
    assert daemon.records(2)[0]['lifetime_by'] == ''


@pytest.mark.parametrize('status, headers, why', [(404, [('Cache-Control', 'no-store')], 'no_store'), (404, [('Cache-Control', 'private')], 'private'),
                                                  (503, [('Set-Cookie', 'a=b')], 'set_cookie'), (404, [('Cache-Control', 'no-cache')], 'no_freshness'),
                                                  (403, [], 'status'), (429, [], 'status'), (200, [], 'no_freshness')])
def test_it_lifts_no_other_rule(cached, status, headers, why):
    daemon, o = cached(numbered(status, headers), settings='negative_ttl 60s;')
    assert [daemon.get('/').body for _ in range(2)] == [b'1', b'2']
    assert daemon.records(2)[0]['nostore'] == why


def test_an_answers_own_lifetime_goes_before_the_sites(cached):
    daemon, o = cached(numbered(404, [('Cache-Control', 'max-age=600')]), settings='negative_ttl 1s;')
    daemon.get('/')
    record = daemon.record()
    assert (record['lifetime'], record['lifetime_by']) == ('600', 'answer')


@pytest.mark.parametrize('status, lifetime, by', [(404, '5', 'error_lifetime_max'), (500, '5', 'error_lifetime_max'), (200, '86400', 'answer'),
                                                  (301, '86400', 'answer')])
def test_a_site_bounds_the_lifetime_of_errors(cached, status, lifetime, by):
    daemon, o = cached(numbered(status, [('Cache-Control', 'max-age=86400')]), settings='error_lifetime_max 5s;')
    daemon.get('/')
    daemon.get('/')
    assert [(r['lifetime'], r['lifetime_by']) for r in daemon.records(2)] == [(lifetime, by)] * 2


def test_older_than_the_bound_is_stale(cached):
    daemon, o = cached(numbered(404, [('Cache-Control', 'max-age=86400'), ('Age', '10'), ('ETag', '"a"')]), settings='error_lifetime_max 5s;')
    assert [daemon.get('/').body for _ in range(2)] == [b'1', b'2']


def test_what_is_stored_by_the_sites_word_is_never_served_stale(cached):
    def handler(request, conn):
        if len(conn.origin.requests) > 1:
            conn.close()
        else:
            conn.reply(404, headers=[('Age', '100'), ('ETag', '"a"')])

    daemon, o = cached(handler, settings='negative_ttl 60s;')
    daemon.get('/')
    assert daemon.get('/').status == 502


def test_an_estimate_is_called_one(cached):
    daemon, o = cached(numbered(200, [('Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT')]))
    daemon.get('/')
    assert daemon.record()['lifetime_by'] == 'estimate'


# ---- what an error does not take the place of ----

FRESH_ERROR = [('Cache-Control', 'max-age=600')]


@pytest.mark.parametrize('status', [500, 502, 503, 504])
def test_an_error_that_may_be_stored_does_not_end_a_good_answer(cached, status):
    daemon, o = cached(numbered(200, GOOD_STALE, (status, FRESH_ERROR)))
    assert [(a.status, a.body) for a in (daemon.get('/') for _ in range(3))] == [(200, b'1')] * 3
    assert [r['cache'] for r in daemon.records(3)] == ['miss', 'hit_stale', 'hit_stale']


def test_not_even_for_a_client_that_takes_nothing_stale(cached):
    """Its own answer is the error; the good one stays for the others."""
    daemon, o = cached(numbered(200, GOOD_STALE, (503, FRESH_ERROR)))
    daemon.get('/')
    assert daemon.get('/', headers=[('Cache-Control', 'stale-if-error=0')]).status == 503
    assert daemon.get('/').body == b'1'
    assert daemon.records(3)[1]['nostore'] == 'error_over_good'


def test_nor_an_error_that_stale_answers_are_not_served_for(cached):
    daemon, o = cached(numbered(200, GOOD_STALE, (507, FRESH_ERROR)))
    daemon.get('/')
    assert daemon.get('/').status == 507
    assert daemon.records(2)[1]['nostore'] == 'error_over_good'


@pytest.mark.parametrize('good', [[('Cache-Control', 'max-age=10, must-revalidate'), ('Age', '20'), ('ETag', '"a"')],
                                  [('Cache-Control', 'max-age=10'), ('Age', '9000'), ('ETag', '"a"')]])
def test_a_good_answer_that_may_not_be_served_any_more_gives_way(cached, good):
    daemon, o = cached(numbered(200, good, (503, FRESH_ERROR)))
    daemon.get('/')
    assert daemon.get('/').body == daemon.get('/').body == b'2'
    assert len(o.requests) == 2


def test_a_404_takes_the_place_of_what_is_gone(cached):
    daemon, o = cached(numbered(200, GOOD_STALE, (404, [])), settings='negative_ttl 60s;')
    daemon.get('/')
    assert [(a.status, a.body) for a in (daemon.get('/') for _ in range(2))] == [(404, b'2')] * 2


def test_a_stored_error_is_not_served_in_place_of_a_new_one(cached):
    daemon, o = cached(numbered(503, [('Cache-Control', 'max-age=10'), ('Age', '20'), ('ETag', '"a"')], (500, [])))
    daemon.get('/')
    assert daemon.get('/').status == 500


def test_an_error_without_vary_does_not_hide_the_other_variants(cached):
    """It would stand where the list of variants is."""
    def handler(request, conn):
        if request.headers.get('x') == 'bad':
            conn.reply(503)
        else:
            conn.reply(headers=[('Cache-Control', 'max-age=600'), ('Vary', 'X')], body=request.headers.get('x'))

    daemon, o = cached(handler, settings='negative_ttl 60s;')
    daemon.get('/', headers=[('X', 'a')])
    assert daemon.get('/', headers=[('X', 'bad')]).status == 503
    assert daemon.records(2)[1]['nostore'] == 'error_over_good'
    assert daemon.get('/', headers=[('X', 'a')]).body == b'a'
    assert len(o.requests) == 2


def test_a_renewal_in_the_background_that_fails_leaves_the_good_answer(cached):
    daemon, o = cached(numbered(200, [('Cache-Control', 'max-age=10, stale-while-revalidate=60'), ('Age', '20')], (503, FRESH_ERROR)))
    daemon.get('/')
    assert daemon.get('/').body == b'1'
    until('the renewal', lambda: [r for r in daemon.all_records() if r['rec'] == 'refresh'])
    assert daemon.get('/').body == b'1'
