"""Stored parts: a 206 answers later ranges within it, and is completed by asking for the missing piece only (RFC 9111 sections
3.3 and 3.4)."""
import pytest

import harness
from files import FRESH, STRONG, File, bytes_of

BODY = bytes_of(10_000)
OLD = ('Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT')


@pytest.fixture
def site(cached):
    def make(body=BODY, headers=(*FRESH, *STRONG), **kw):
        more = {k: kw.pop(k) for k in ('settings', 'volume', 'volume_size') if k in kw}
        file = File(body, headers, **kw)
        daemon, file.origin = cached(file, **more)
        return daemon, file
    return make


def part(daemon, value, *more, target='/'):
    return daemon.get(target, headers=[('Range', value), *more])


def is_part(answer, start, end, body=BODY, total=None):
    assert (answer.status, answer.headers.get('content-range')) == (206, f'bytes {start}-{end}/{total or len(body)}')
    assert answer.body == body[start:end + 1] and answer.headers.get('content-length') == str(end - start + 1)
    assert answer.headers.all('content-range') == [f'bytes {start}-{end}/{total or len(body)}']


# ---- a part that is stored ----

@pytest.mark.parametrize('asked, start, end', [('bytes=1000-1999', 1000, 1999), ('bytes=1000-1000', 1000, 1000), ('bytes=1500-1999', 1500, 1999)])
def test_a_range_within_a_stored_part_is_a_hit(site, asked, start, end):
    daemon, file = site()
    is_part(part(daemon, 'bytes=1000-1999'), 1000, 1999)
    answer = part(daemon, asked)
    is_part(answer, start, end)
    assert answer.headers.get('etag') == '"v1"' and answer.headers.get('content-type') == 'application/x-thing'
    assert 'hit' in answer.headers.get('cache-status') and answer.headers.has('age')
    assert len(file.asked) == 1
    first, second = daemon.records(2)
    assert (first['cache'], first['stored'], first['tier'], first['nostore'], first['object_bytes']) == ('miss', '1', 'origin', '', '1000')
    assert (second['cache'], second['tier'], second['body_out'], second['origin_tries'], second['status']) == ('hit', 'ram', str(end - start + 1), '0', '206')


def test_a_suffix_and_an_open_range_are_answered_when_the_length_is_known(site):
    daemon, file = site()
    is_part(part(daemon, 'bytes=-1000'), 9000, 9999)
    is_part(part(daemon, 'bytes=-10'), 9990, 9999)
    is_part(part(daemon, 'bytes=9500-'), 9500, 9999)
    is_part(part(daemon, 'bytes=9500-20000'), 9500, 9999)
    assert len(file.asked) == 1


def test_without_the_length_only_what_is_named_is_answered(cached):
    daemon, o = cached(lambda request, conn: conn.reply(206, [*FRESH, *STRONG, ('Content-Range', 'bytes 0-99/*')], BODY[:100]))
    for _ in range(2):
        answer = part(daemon, 'bytes=0-99')
        assert (answer.status, answer.headers.get('content-range'), answer.body) == (206, 'bytes 0-99/*', BODY[:100])
    assert len(o.requests) == 1
    part(daemon, 'bytes=-1')
    assert len(o.requests) == 2


def test_what_lies_outside_of_the_whole_is_416_from_the_part(site):
    daemon, file = site()
    part(daemon, 'bytes=0-9')
    answer = part(daemon, 'bytes=10000-')
    assert (answer.status, answer.headers.get('content-range'), answer.body) == (416, 'bytes */10000', b'')
    assert len(file.asked) == 1


def test_a_part_that_is_the_whole_is_stored_as_the_whole(site):
    daemon, file = site()
    is_part(part(daemon, 'bytes=0-'), 0, 9999)
    answer = daemon.get('/')
    assert (answer.status, answer.body, answer.headers.has('content-range')) == (200, BODY, False)
    assert daemon.get('/', method='HEAD').headers.get('content-length') == '10000'
    assert len(file.asked) == 1
    assert [r['cache'] for r in daemon.records(3)] == ['miss', 'hit', 'hit']


def test_a_whole_answer_to_a_range_is_stored_and_cut(site):
    """An origin without ranges: its 200 is the whole, and the client gets what it asked for."""
    daemon, file = site(ranges=False)
    is_part(part(daemon, 'bytes=100-199'), 100, 199)
    is_part(part(daemon, 'bytes=300-399'), 300, 399)
    assert daemon.get('/').body == BODY
    assert len(file.asked) == 1


def test_conditions_are_answered_from_a_part(site):
    daemon, file = site()
    part(daemon, 'bytes=0-99')
    assert part(daemon, 'bytes=0-9', ('If-None-Match', '"v1"')).status == 304
    is_part(part(daemon, 'bytes=0-9', ('If-Range', '"v1"')), 0, 9)
    assert len(file.asked) == 1
    answer = part(daemon, 'bytes=0-9', ('If-Range', '"v0"'))
    assert (answer.status, answer.body) == (200, BODY)
    assert file.asked[1:] == [('bytes=0-9', '"v0"')]


def test_a_head_is_not_answered_from_a_part(site):
    daemon, file = site()
    part(daemon, 'bytes=0-99')
    answer = daemon.get('/', method='HEAD')
    assert (answer.status, answer.headers.get('content-length')) == (200, '10000')
    assert len(file.asked) == 2


@pytest.mark.parametrize('headers, body', [
    ([('Content-Range', 'bytes 0-9/100')], b'0123456789ab'),                    # longer than it says
    ([('Content-Range', 'bytes 0-9/100')], b'01234'),                           # shorter
    ([('Content-Range', 'bytes 0-9/9')], b'0123456789'),                        # beyond the whole
    ([('Content-Range', 'bytes 9-0/100')], b'0123456789'),
    ([('Content-Range', 'lines 0-9/100')], b'0123456789'),
    ([('Content-Range', 'bytes 0-9/100'), ('Content-Range', 'bytes 10-19/100')], b'0123456789'),
    ([], b'0123456789'),
    ([('Content-Type', 'multipart/byteranges; boundary=x')], b'--x--'),
])
def test_a_crooked_part_passes_and_is_not_stored(cached, headers, body):
    daemon, o = cached(lambda request, conn: conn.reply(206, [('Cache-Control', 'max-age=600'), ('ETag', '"v1"'), *headers], body))
    for n in (1, 2):
        answer = part(daemon, 'bytes=0-9')
        assert (answer.status, answer.body) == (206, body)
        assert len(o.requests) == n
    assert [(r['cache'], r['stored'], r['nostore']) for r in daemon.records(2)] == [('miss', '0', 'partial')] * 2


@pytest.mark.parametrize('refusal, why', [(('Cache-Control', 'no-store'), 'no_store'), (('Set-Cookie', 'a=b'), 'set_cookie'), (('Vary', '*'), 'vary_star')])
def test_a_part_obeys_the_rules_of_wholes(site, refusal, why):
    headers = [h for h in (*FRESH, *STRONG) if h[0] != refusal[0]] + [refusal]
    daemon, file = site(headers=headers)
    part(daemon, 'bytes=0-9')
    is_part(part(daemon, 'bytes=0-9'), 0, 9)
    assert len(file.asked) == 2
    assert {r['nostore'] for r in daemon.records(2)} == {why}


def test_a_short_part_is_never_stored(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 206 X\r\nCache-Control: max-age=600\r\nContent-Range: bytes 0-99/1000\r\nContent-Length: 100\r\n\r\n' + BODY[:50])
        conn.close()

    daemon, o = cached(handler)
    for n in (1, 2):
        with daemon.client() as client:
            client.request('/', headers=[('Range', 'bytes=0-99')])
            answer = client.response(cut=True)
            assert not answer.complete and answer.body == BODY[:50]
        o.wait_requests(n)
    assert {(r['stored'], r['nostore']) for r in daemon.records(2)} == {('0', 'short_body')}


def test_a_stale_part_is_confirmed_by_its_validator(site):
    daemon, file = site(headers=[('Cache-Control', 'max-age=0'), *STRONG])
    part(daemon, 'bytes=0-99')
    is_part(part(daemon, 'bytes=10-19'), 10, 19)
    assert daemon.records(2)[1]['cache'] == 'revalidated'
    assert daemon.records(2)[1]['origin_in'] == '0'
    file.become(bytes_of(10_000, 1), [*FRESH, ('ETag', '"v2"')])
    is_part(part(daemon, 'bytes=10-19'), 10, 19, file.body)
    is_part(part(daemon, 'bytes=12-13'), 12, 13, file.body)
    assert len(file.asked) == 3


def test_a_stale_part_answers_while_the_origin_fails(site):
    fails = []
    daemon, _ = site(headers=[('Cache-Control', 'max-age=0, stale-if-error=600'), *STRONG],
                     before=lambda request, conn: fails and (conn.reply(503), True)[1])
    part(daemon, 'bytes=0-99')
    fails.append(1)
    is_part(part(daemon, 'bytes=10-19'), 10, 19)
    assert daemon.records(2)[1]['cache'] == 'hit_stale'


def test_variants_have_parts_of_their_own(site):
    daemon, file = site(headers=[*FRESH, *STRONG, ('Vary', 'Accept-Language')])
    english, german = bytes_of(10_000), bytes_of(10_000, 1)
    for language, body in [('en', english), ('de', german)] * 2:
        file.body = body
        is_part(part(daemon, 'bytes=10-19', ('Accept-Language', language)), 10, 19, body)
    assert len(file.asked) == 2


def test_a_successful_post_drops_the_part(site):
    daemon, file = site()
    part(daemon, 'bytes=0-99')
    daemon.get('/', method='POST', body=b'x')
    part(daemon, 'bytes=0-99')
    assert [asked for asked, _ in file.asked] == ['bytes=0-99', None, 'bytes=0-99']


def test_parts_survive_a_restart(site):
    daemon, file = site()
    part(daemon, 'bytes=100-299')
    daemon.records(1)
    daemon.stop()
    daemon.start()
    is_part(part(daemon, 'bytes=150-199'), 150, 199)
    assert len(file.asked) == 1
    assert daemon.records(2)[1]['tier'] == 'disk'


# ---- completing: the whole ----

@pytest.mark.parametrize('stored, asked', [('bytes=0-3999', [('bytes=4000-', '"v1"')]), ('bytes=-4000', [('bytes=0-5999', '"v1"')]),
                                           ('bytes=3000-5999', [('bytes=0-2999', '"v1"'), ('bytes=6000-', '"v1"')])])
def test_the_whole_is_completed_by_the_missing_piece(site, stored, asked):
    daemon, file = site()
    first = part(daemon, stored)
    answer = daemon.get('/')
    assert (answer.status, answer.body, answer.headers.get('content-length')) == (200, BODY, '10000')
    assert not answer.headers.has('content-range') and answer.headers.get('content-type') == 'application/x-thing'
    assert 'fwd=partial' in answer.headers.get('cache-status')
    assert file.asked[1:] == asked
    assert daemon.get('/').body == BODY
    is_part(part(daemon, 'bytes=2000-7000'), 2000, 7000)
    assert len(file.asked) == 1 + len(asked)
    record = daemon.records(4)[1]
    assert (record['cache'], record['tier'], record['stored'], record['status']) == ('miss', 'origin', '1', '200')
    assert int(record['origin_in']) == 10_000 - len(first.body) and record['origin_tries'] == str(len(asked))
    assert record['object_bytes'] == '10000' and record['body_hash'] == daemon.records(4)[2]['body_hash'] != ''


def test_a_last_modified_old_enough_completes_too(site):
    daemon, file = site(headers=[*FRESH, OLD])
    part(daemon, 'bytes=0-3999')
    assert daemon.get('/').body == BODY
    assert file.asked[1:] == [('bytes=4000-', OLD[1])]


def test_a_stale_part_completes_what_its_validator_proves(site):
    daemon, file = site(headers=[('Cache-Control', 'max-age=0'), *STRONG])
    part(daemon, 'bytes=0-3999')
    assert daemon.get('/').body == BODY
    assert file.asked[1:] == [('bytes=4000-', '"v1"')]


@pytest.mark.parametrize('headers', [[('ETag', 'W/"v1"')], []])
def test_without_a_strong_validator_nothing_is_joined(site, headers):
    """The missing piece is asked for, since the origin may answer with the whole; two parts are never put together."""
    daemon, file = site(headers=[*FRESH, *headers])
    part(daemon, 'bytes=0-3999')
    file.become(bytes_of(10_000, 1), file.headers)
    answer = daemon.get('/')
    assert (answer.status, answer.body) == (200, file.body)
    assert file.asked[1:] == [('bytes=4000-', None), (None, None)]
    assert daemon.get('/').body == file.body
    record = daemon.records(3)[1]
    assert (record['origin_tries'], record['stored']) == ('2', '1')


def test_a_whole_answer_replaces_the_part(site):
    daemon, file = site()
    part(daemon, 'bytes=0-3999')
    file.become(bytes_of(9_000, 1), [*FRESH, ('ETag', '"v2"')])
    answer = daemon.get('/')
    assert (answer.status, answer.body) == (200, file.body)
    is_part(part(daemon, 'bytes=0-9'), 0, 9, file.body)
    assert file.asked[1:] == [('bytes=4000-', '"v1"')]


def lying(change):
    """Answers If-Range as if nothing had changed."""
    def before(request, conn):
        if request.headers.has('if-range'):
            headers = dict([*FRESH, *STRONG, ('Content-Range', 'bytes 4000-9999/10000')])
            body = BODY[4000:]
            headers.update(change)
            conn.reply(206, [(n, v) for n, v in headers.items() if v], headers.pop('body', body))
            return True
        return False
    return before


@pytest.mark.parametrize('change', [{'ETag': '"v2"'}, {'ETag': None}, {'ETag': 'W/"v1"'}, {'Content-Range': 'bytes 4000-9999/10001'},
                                    {'Content-Range': 'bytes 4000-9999/*'}, {'Content-Range': 'bytes 3999-9998/10000'},
                                    {'Content-Range': None}, {'Cache-Control': 'no-store'}])
def test_a_piece_that_disagrees_is_not_joined(site, change):
    daemon, file = site(before=lying(change))
    part(daemon, 'bytes=0-3999')
    answer = daemon.get('/')
    assert (answer.status, answer.body) == (200, BODY)
    assert file.asked[1:] == [('bytes=4000-', '"v1"'), (None, None)]
    assert daemon.get('/').body == BODY and len(file.asked) == 3
    assert daemon.records(3)[1]['origin_tries'] == '2'


def test_a_second_piece_that_disagrees_leaves_the_answer_broken(site):
    def before(request, conn):
        if request.headers.get('range') == 'bytes=0-2999':
            file.send(conn, 206, [*file.headers, ('Content-Range', 'bytes 0-2999/10000')], BODY[:3000], request)
            file.become(bytes_of(10_000, 1), [*FRESH, ('ETag', '"v2"')])
            return True
        return False

    daemon, file = site(before=before)
    part(daemon, 'bytes=3000-5999')
    with daemon.client() as client:
        client.request('/')
        answer = client.response(cut=True)
    assert not answer.complete and answer.body == BODY[:6000]
    assert daemon.records(2)[1]['stored'] == '0' and daemon.records(2)[1]['end'] != 'complete'
    assert daemon.get('/').body == file.body
    assert [asked for asked, _ in file.asked] == ['bytes=3000-5999', 'bytes=0-2999', 'bytes=6000-', None]


def test_an_origin_that_breaks_off_the_piece_stores_nothing(site):
    def before(request, conn):
        if request.headers.get('range') == 'bytes=4000-' and len(file.asked) == 2:
            conn.send('HTTP/1.1 206 X\r\nETag: "v1"\r\nCache-Control: max-age=600\r\nContent-Range: bytes 4000-9999/10000\r\nContent-Length: 6000\r\n\r\n')
            conn.send(BODY[4000:5000])
            conn.close()
            return True
        return False

    daemon, file = site(before=before)
    part(daemon, 'bytes=0-3999')
    with daemon.client() as client:
        client.request('/')
        answer = client.response(cut=True)
    assert not answer.complete and answer.body == BODY[:5000]
    record = daemon.records(2)[1]
    assert (record['stored'], record['nostore'], record['end']) == ('0', 'short_body', 'origin_left')
    assert daemon.get('/').body == BODY            # the part is still good
    assert file.asked[2] == ('bytes=4000-', '"v1"')


def test_a_failing_origin_does_not_cost_the_part(site):
    fails = []
    daemon, file = site(before=lambda request, conn: fails and (conn.reply(503), True)[1])
    part(daemon, 'bytes=0-3999')
    fails.append(1)
    assert daemon.get('/').status == 503
    fails.clear()
    assert daemon.get('/').body == BODY
    assert file.asked[2] == ('bytes=4000-', '"v1"')


def test_clients_wait_for_one_completing(site):
    def before(request, conn):
        if request.headers.get('range') == 'bytes=4000-':
            conn.origin.pass_gate()

    daemon, file = site(before=before)
    part(daemon, 'bytes=0-3999')
    clients = [daemon.client() for _ in range(5)]
    for client in clients:
        client.request('/')
    daemon.get('/settle', method='OPTIONS')        # read after all of them
    file.origin.open_gate()
    assert all(client.response().body == BODY for client in clients)
    assert [asked for asked, _ in file.asked if asked] == ['bytes=0-3999', 'bytes=4000-']
    assert sorted(r['cache'] for r in daemon.records(7) if r['method'] == 'GET') == ['collapsed'] * 4 + ['miss'] * 2


# ---- completing: a range ----

@pytest.mark.parametrize('asked, missing, longer', [((3000, 4999), 'bytes=4000-4999', (2000, 4999)), ((1000, 2499), 'bytes=1000-1999', (1000, 3999)),
                                                    ((3000, 9999), 'bytes=4000-', (2000, 9999))])
def test_a_range_that_is_partly_there_asks_for_the_rest(site, asked, missing, longer):
    daemon, file = site()
    part(daemon, 'bytes=2000-3999')
    is_part(part(daemon, 'bytes=%d-%d' % asked), *asked)
    assert file.asked[1:] == [(missing, '"v1"')]
    is_part(part(daemon, 'bytes=%d-%d' % longer), *longer)
    assert len(file.asked) == 2
    record = daemon.records(3)[1]
    assert (record['cache'], record['stored'], record['body_out']) == ('miss', '1', str(asked[1] - asked[0] + 1))
    assert int(record['origin_in']) == (longer[1] - longer[0] + 1) - 2000


def test_ranges_that_meet_in_the_whole_are_the_whole(site):
    daemon, file = site()
    part(daemon, 'bytes=0-5999')
    is_part(part(daemon, 'bytes=5000-9999'), 5000, 9999)
    assert daemon.get('/').body == BODY
    assert [asked for asked, _ in file.asked] == ['bytes=0-5999', 'bytes=6000-']


@pytest.mark.parametrize('asked', [(6000, 6999), (1000, 4999), (4000, 4999)])
def test_a_range_that_no_single_piece_completes_goes_to_the_origin(site, asked):
    daemon, file = site()
    part(daemon, 'bytes=2000-3999')
    is_part(part(daemon, 'bytes=%d-%d' % asked), *asked)
    assert file.asked[1:] == [('bytes=%d-%d' % asked, None)]
    is_part(part(daemon, 'bytes=%d-%d' % asked), *asked)
    assert len(file.asked) == 2


def test_a_range_of_what_has_changed_is_never_mixed(site):
    daemon, file = site()
    part(daemon, 'bytes=2000-3999')
    file.become(bytes_of(10_000, 1), [*FRESH, ('ETag', '"v2"')])
    is_part(part(daemon, 'bytes=3000-4999'), 3000, 4999, file.body)
    is_part(part(daemon, 'bytes=2000-2999'), 2000, 2999, file.body)
    assert file.asked[1:] == [('bytes=4000-4999', '"v1"')]


def test_a_range_without_a_strong_validator_is_asked_for_as_it_is(site):
    daemon, file = site(headers=FRESH)
    part(daemon, 'bytes=2000-3999')
    is_part(part(daemon, 'bytes=3000-4999'), 3000, 4999)
    assert file.asked[1:] == [('bytes=3000-4999', None)]


# ---- large ones ----

def test_a_large_part_on_disk_is_completed_while_others_are_served(site):
    body = bytes_of(6_000_000)
    daemon, file = site(body=body, volume='ram 1m;', volume_size='32m')
    part(daemon, 'bytes=0-3999999')
    daemon.records(1)
    daemon.stop()
    daemon.start()
    with daemon.client() as client:
        client.request('/')
        assert client.head().status == 200
        assert client.take(6_000_000) == body
    assert file.asked[1:] == [('bytes=4000000-', '"v1"')]
    is_part(part(daemon, 'bytes=3999990-4000010'), 3_999_990, 4_000_010, body)
    record = daemon.records(3)[1]
    assert (record['origin_in'], record['stored'], record['tier']) == ('2000000', '1', 'origin')


def test_a_client_that_leaves_does_not_end_the_completing(site):
    def before(request, conn):
        if request.headers.get('range') == 'bytes=4000-':
            conn.origin.pass_gate()

    daemon, file = site(before=before)
    part(daemon, 'bytes=0-3999')
    with daemon.client() as first, daemon.client() as second:
        first.request('/')
        second.request('/')
        file.origin.wait_requests(2)
        daemon.get('/settle', method='OPTIONS')
        first.close()
        file.origin.open_gate()
        assert second.response().body == BODY
    assert daemon.get('/').body == BODY
    assert [asked for asked, _ in file.asked if asked] == ['bytes=0-3999', 'bytes=4000-']
