"""Serving what is stale while it is renewed, or since the origin fails; what the client and the operator see of it (RFC 5861,
RFC 9111 section 4.2.4, RFC 9209)."""
import pytest

from harness import until


def stale_on_arrival(cache_control):
    return [('Cache-Control', cache_control), ('Age', '20'), ('ETag', '"v1"')]


def renewing(cached, cache_control, second, **kw):
    """The first answer is stale already; the second is given at the gate."""
    def handler(request, conn):
        if len(conn.origin.requests) == 1:
            conn.reply(headers=stale_on_arrival(cache_control), body='old')
            return
        conn.origin.pass_gate()
        second(request, conn)

    return cached(handler, **kw)


def new(request, conn):
    conn.reply(headers=[('Cache-Control', 'max-age=600')], body='new')


def not_modified(request, conn):
    assert request.headers.get('if-none-match') == '"v1"'
    conn.reply(304, headers=[('Cache-Control', 'max-age=600'), ('ETag', '"v1"')], length=False, reason='Not Modified')


@pytest.mark.parametrize('cache_control', ['max-age=10, stale-while-revalidate=60', 's-maxage=10, stale-while-revalidate=60'])
def test_a_stale_object_is_served_while_it_is_renewed(cached, cache_control):
    daemon, o = renewing(cached, cache_control, new)
    assert daemon.get('/').body == b'old'
    for _ in range(5):                                   # nobody waits, and one fetch is enough
        answer = daemon.get('/')
        assert answer.body == b'old' and int(answer.headers.get('age')) >= 20
        assert answer.headers.get('cache-status').startswith('proxyd; hit; ttl=-')
    o.wait_requests(2)
    o.open_gate()
    until('the new one', lambda: daemon.get('/').body == b'new')
    assert len(o.requests) == 2
    until('the records', lambda: len(daemon.requests()) >= 7 and [r for r in daemon.all_records() if r['rec'] == 'refresh'])
    assert [r['cache'] for r in daemon.requests()[:6]] == ['miss'] + ['hit_stale'] * 5
    refresh = next(r for r in daemon.all_records() if r['rec'] == 'refresh')
    assert (refresh['origin_status'], refresh['stored'], refresh['status'], refresh['target']) == ('200', '1', '0', '/')


def test_a_304_renews_it_too(cached):
    daemon, o = renewing(cached, 'max-age=10, stale-while-revalidate=60', not_modified)
    daemon.get('/')
    assert daemon.get('/').body == b'old'
    o.open_gate()
    until('freshness', lambda: int(daemon.get('/').headers.get('age')) < 10)
    assert len(o.requests) == 2
    until('the record', lambda: [r for r in daemon.all_records() if r['rec'] == 'refresh' and r['origin_status'] == '304'])


@pytest.mark.parametrize('cache_control', ['max-age=10, stale-while-revalidate=5', 'max-age=10, must-revalidate, stale-while-revalidate=60',
                                           's-maxage=10', 'max-age=10, proxy-revalidate, stale-while-revalidate=60'])
def test_past_the_window_or_when_forbidden_the_client_waits(cached, cache_control):
    daemon, o = renewing(cached, cache_control, new)
    assert daemon.get('/').body == b'old'
    o.open_gate()
    assert daemon.get('/').body == b'new'
    assert daemon.records(2)[1]['cache'] == 'miss'


def test_a_failed_renewal_changes_nothing_and_is_tried_again(cached):
    def handler(request, conn):
        if len(conn.origin.requests) == 1:
            conn.reply(headers=stale_on_arrival('max-age=10, stale-while-revalidate=60'), body='old')
        elif len(conn.origin.requests) == 2:
            conn.reply(503, body='down')
        else:
            new(request, conn)

    daemon, o = cached(handler)
    daemon.get('/')
    assert daemon.get('/').body == b'old'
    until('the first renewal', lambda: [r for r in daemon.all_records() if r['rec'] == 'refresh'])
    assert daemon.get('/').body == b'old'
    until('the new one', lambda: daemon.get('/').body == b'new')


def test_the_metrics_count_renewals_as_the_log_does(cached):
    daemon, o = renewing(cached, 'max-age=10, stale-while-revalidate=60', new)
    daemon.get('/')
    daemon.get('/')
    o.open_gate()
    until('the record', lambda: [r for r in daemon.all_records() if r['rec'] == 'refresh'])
    counters = daemon.counters()
    assert (counters['proxyd_requests_total'], counters['proxyd_refreshes_total'], counters['proxyd_origin_tries_total']) == (2, 1, 2)


def test_only_if_cached_never_asks_the_origin(cached):
    daemon, o = cached(headers=[('Cache-Control', 'max-age=600')])
    ask = {'headers': [('Cache-Control', 'only-if-cached')]}
    assert daemon.get('/', **ask).status == 504
    assert o.requests == []
    daemon.get('/')
    assert daemon.get('/', **ask).status == 200
    assert [(r['cache'], r['end']) for r in daemon.records(3)] == [('miss', 'only_if_cached'), ('miss', 'complete'), ('hit', 'complete')]


@pytest.mark.parametrize('how, status, error', [('close', 502, 'http_response_incomplete'), ('garbage', 502, 'http_protocol_error')])
def test_proxy_status_says_what_failed(cached, how, status, error):
    def handler(request, conn):
        if how == 'garbage':
            conn.send(b'NOT HTTP\r\n\r\n')
        conn.close()

    daemon, _ = cached(handler)
    answer = daemon.get('/', method='POST', body=b'x')
    assert (answer.status, answer.headers.get('proxy-status')) == (status, f'story; error={error}')


def test_a_stop_does_not_wait_for_a_fetch_in_the_background(cached):
    daemon, o = renewing(cached, 'max-age=10, stale-while-revalidate=60', new)
    daemon.get('/')
    daemon.get('/')
    o.wait_requests(2)
    daemon.stop()
    o.open_gate()
    assert [r['end'] for r in daemon.all_records() if r['rec'] == 'refresh'] == ['shutdown']


def test_a_stop_does_not_wait_for_a_fetch_that_its_client_has_left(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nsome')
        conn.origin.pass_gate()

    daemon, o = cached(handler)
    with daemon.client() as client:
        client.request('/')
        client.take_until(b'some')
        client.reset()
    daemon.stop()
    o.open_gate()
    assert [r['target'] for r in daemon.requests()] == ['/']
