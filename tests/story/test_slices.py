"""slice SIZE: big files are fetched and stored in slices, each when its bytes are asked for; one identity for all of them."""
import re

import pytest

import harness
from files import FRESH, STRONG, File, bytes_of

SLICE = 4096
BODY = bytes_of(20_000)                    # five slices, the last of 3,616 bytes
OLD = ('Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT')
V2 = [*FRESH, ('ETag', '"v2"')]


def asks(*numbers):
    return [f'bytes={n * SLICE}-{n * SLICE + SLICE - 1}' for n in numbers]


@pytest.fixture
def site(cached):
    def make(body=BODY, headers=(*FRESH, *STRONG), settings='slice 4k;', **kw):
        more = {k: kw.pop(k) for k in ('volume', 'volume_size', 'workers') if k in kw}
        file = File(body, headers, **kw)
        daemon, file.origin = cached(file, settings=settings, **more)
        return daemon, file
    return make


def ranges(file):
    return [asked for asked, _ in file.asked]


def part(daemon, value, *more):
    return daemon.get('/', headers=[('Range', value), *more])


def is_part(answer, start, end, body=BODY):
    assert (answer.status, answer.headers.get('content-range')) == (206, f'bytes {start}-{end}/{len(body)}')
    assert answer.body == body[start:end + 1] and answer.headers.get('content-length') == str(end - start + 1)


# ---- wholes ----

def test_a_whole_file_is_fetched_and_stored_in_slices(site):
    daemon, file = site()
    answer = daemon.get('/')
    assert (answer.status, answer.body, answer.headers.get('content-length')) == (200, BODY, '20000')
    assert not answer.headers.has('content-range') and answer.headers.get('content-type') == 'application/x-thing'
    assert ranges(file) == asks(0, 1, 2, 3, 4)
    assert {condition for _, condition in file.asked[1:]} == {'"v1"'}
    second = daemon.get('/')
    assert (second.status, second.body) == (200, BODY) and 'hit' in second.headers.get('cache-status')
    assert len(file.asked) == 5
    miss, hit = daemon.records(2)
    assert (miss['cache'], miss['tier'], miss['stored'], miss['nostore']) == ('miss', 'origin', '1', '')
    assert (miss['origin_tries'], miss['origin_in'], miss['object_bytes'], miss['body_out']) == ('5', '20000', '20000', '20000')
    assert (hit['cache'], hit['tier'], hit['origin_tries'], hit['origin_in'], hit['body_out']) == ('hit', 'ram', '0', '0', '20000')
    assert miss['key'] == hit['key'] and hit['object_bytes'] == '20000'


def test_a_file_of_one_slice_is_stored_whole(site):
    daemon, file = site(body=BODY[:SLICE])
    assert daemon.get('/').body == BODY[:SLICE]
    is_part(part(daemon, 'bytes=5-9'), 5, 9, BODY[:SLICE])
    assert ranges(file) == asks(0)
    assert daemon.records(2)[0]['body_hash'] != ''


def test_an_empty_file_is_asked_for_again_without_a_range(site):
    daemon, file = site(body=b'')
    answer = daemon.get('/')
    assert (answer.status, answer.body) == (200, b'')
    assert daemon.get('/').status == 200
    assert ranges(file) == [*asks(0), None]


def test_an_origin_without_ranges_is_stored_whole(site):
    daemon, file = site(ranges=False)
    assert daemon.get('/').body == BODY
    is_part(part(daemon, 'bytes=-5'), 19_995, 19_999)
    assert ranges(file) == asks(0)


@pytest.mark.parametrize('headers', [[*FRESH], [*FRESH, ('ETag', 'W/"v1"')], [('Cache-Control', 'no-store'), *STRONG]])
def test_what_has_no_identity_or_may_not_be_stored_is_not_sliced(site, headers):
    daemon, file = site(headers=headers)
    assert daemon.get('/').body == BODY
    assert ranges(file) == [*asks(0), None]
    assert daemon.get('/').body == BODY
    assert ranges(file)[2:] == ([] if headers[0] == FRESH[0] else [None])      # known as uncacheable: not asked twice again


def test_a_last_modified_is_an_identity(site):
    daemon, file = site(headers=[*FRESH, OLD])
    assert daemon.get('/').body == BODY
    assert file.asked[1:] == [(asked, OLD[1]) for asked in asks(1, 2, 3, 4)]


@pytest.mark.parametrize('status', [404, 301, 500])
def test_other_answers_are_as_ever(site, status):
    daemon, _ = site(before=lambda request, conn: (conn.reply(status, FRESH, b'no'), True)[1])
    answer = daemon.get('/')
    assert (answer.status, answer.body) == (status, b'no')


def test_a_file_larger_than_object_max_is_stored_in_slices(site):
    daemon, file = site(settings='slice 4k; object_max 8k;')
    assert daemon.get('/').body == BODY
    assert daemon.get('/').body == BODY
    assert len(file.asked) == 5


# ---- ranges ----

def test_only_the_slices_that_are_asked_for_are_fetched(site):
    daemon, file = site()
    is_part(part(daemon, 'bytes=9000-9009'), 9000, 9009)
    assert ranges(file) == asks(2)
    is_part(part(daemon, 'bytes=8192-12287'), 8192, 12287)
    assert ranges(file) == asks(2)
    is_part(part(daemon, 'bytes=12000-13000'), 12000, 13000)
    assert ranges(file) == asks(2, 3)
    assert daemon.get('/').body == BODY
    assert sorted(ranges(file)) == sorted(asks(0, 1, 2, 3, 4))
    records = daemon.records(4)
    assert [r['cache'] for r in records] == ['miss', 'hit', 'miss', 'miss']
    assert [r['origin_tries'] for r in records] == ['1', '0', '1', '3']
    assert [r['origin_in'] for r in records] == ['4096', '0', '4096', str(20_000 - 2 * 4096)]


def test_suffix_and_open_ranges(site):
    daemon, file = site()
    is_part(part(daemon, 'bytes=-10'), 19_990, 19_999)
    assert ranges(file) == asks(0, 4)                # how long it is was not known
    is_part(part(daemon, 'bytes=16000-'), 16_000, 19_999)
    assert ranges(file) == asks(0, 4, 3)
    is_part(part(daemon, 'bytes=19999-30000'), 19_999, 19_999)


def test_several_ranges(site):
    daemon, file = site()
    answer = part(daemon, 'bytes=0-9,12000-13000,5-6')
    if answer.status == 206:
        boundary = re.fullmatch(r'multipart/byteranges; boundary=(\S+)', answer.headers.get('content-type'))[1].encode()
        parts = [p.partition(b'\r\n\r\n')[2] for p in answer.body.split(b'\r\n--' + boundary)[1:-1]]
        assert parts == [BODY[0:10], BODY[12000:13001], BODY[5:7]]
    answer = part(daemon, 'bytes=12000-13000,0-9')
    boundary = re.fullmatch(r'multipart/byteranges; boundary=(\S+)', answer.headers.get('content-type'))[1].encode()
    parts = [p.partition(b'\r\n\r\n')[2] for p in answer.body.split(b'\r\n--' + boundary)[1:-1]]
    assert (answer.status, parts) == (206, [BODY[12000:13001], BODY[0:10]])


def test_416_of_what_is_known_and_of_what_is_not(site):
    daemon, file = site()
    answer = part(daemon, 'bytes=50000-')
    assert (answer.status, answer.headers.get('content-range')) == (416, 'bytes */20000')
    part(daemon, 'bytes=0-0')
    asked = len(file.asked)
    answer = part(daemon, 'bytes=20000-')
    assert (answer.status, answer.headers.get('content-range'), answer.body) == (416, 'bytes */20000', b'')
    assert len(file.asked) == asked


def test_conditions_need_no_slice(site):
    daemon, file = site()
    part(daemon, 'bytes=0-0')
    assert daemon.get('/', headers=[('If-None-Match', '"v1"')]).status == 304
    head = daemon.get('/', method='HEAD')
    assert (head.status, head.headers.get('content-length'), head.headers.get('etag')) == (200, '20000', '"v1"')
    is_part(part(daemon, 'bytes=1-2', ('If-Range', '"v1"')), 1, 2)
    assert len(file.asked) == 1
    answer = part(daemon, 'bytes=1-2', ('If-Range', '"v0"'))
    assert (answer.status, answer.body) == (200, BODY)
    assert [r['cache'] for r in daemon.records(5)][1:4] == ['hit'] * 3


def test_a_condition_of_the_first_client_is_ours_to_answer(site):
    daemon, _ = site()
    assert daemon.get('/', headers=[('If-None-Match', '"v1"')]).status == 304
    assert part(daemon, 'bytes=7000-7001', ('If-None-Match', '"v0"')).status == 206


# ---- one identity ----

def test_a_file_that_changes_between_two_requests_drops_all_slices(site):
    daemon, file = site()
    is_part(part(daemon, 'bytes=0-9'), 0, 9)
    file.become(bytes_of(20_000, 1), V2)
    is_part(part(daemon, 'bytes=9000-9009'), 9000, 9009, file.body)       # nothing was sent yet: begun anew
    is_part(part(daemon, 'bytes=0-9'), 0, 9, file.body)
    assert daemon.get('/').body == file.body


@pytest.mark.parametrize('then', [V2, [*FRESH], [*FRESH, ('ETag', 'W/"v1"')]])
def test_a_file_that_changes_while_it_is_sent_leaves_the_answer_broken(site, then):
    def before(request, conn):
        if request.headers.get('range') == asks(2)[0] and len(file.asked) == 3:
            file.become(bytes_of(20_000, 1), then)
        return False

    daemon, file = site(before=before)
    with daemon.client() as client:
        client.request('/')
        answer = client.response(cut=True)
    assert not answer.complete and answer.body == BODY[:3 * SLICE]
    record = daemon.records(1)[0]
    assert (record['end'], record['status']) == ('origin_changed', '200')
    assert daemon.get('/').body == file.body


def test_another_length_is_another_file(site):
    daemon, file = site()
    part(daemon, 'bytes=0-9')
    file.become(bytes_of(21_000, 1), file.headers)
    is_part(part(daemon, 'bytes=9000-9009'), 9000, 9009, file.body)
    is_part(part(daemon, 'bytes=0-9'), 0, 9, file.body)


def test_a_stale_file_is_confirmed_once_for_all_slices(site):
    daemon, file = site(headers=[('Cache-Control', 'max-age=0'), *STRONG])
    assert daemon.get('/').body == BODY
    assert daemon.get('/').body == BODY
    assert len(file.asked) == 6
    record = daemon.records(2)[1]
    assert (record['cache'], record['origin_tries'], record['origin_in'], record['tier']) == ('revalidated', '1', '0', 'ram')
    file.become(bytes_of(20_000, 1), [('Cache-Control', 'max-age=0'), ('ETag', '"v2"')])
    assert daemon.get('/').body == file.body


def test_a_stale_file_is_served_while_the_origin_fails(site):
    fails = []
    daemon, _ = site(headers=[('Cache-Control', 'max-age=0, stale-if-error=600'), *STRONG],
                     before=lambda request, conn: fails and (conn.reply(503), True)[1])
    assert daemon.get('/').body == BODY
    fails.append(1)
    is_part(part(daemon, 'bytes=5000-5999'), 5000, 5999)
    assert daemon.records(2)[1]['cache'] == 'hit_stale'


def test_an_unsafe_request_and_a_purge_end_all_slices(site):
    daemon, file = site()
    daemon.get('/')
    daemon.get('/', method='POST', body=b'x')
    asked = len(file.asked)
    is_part(part(daemon, 'bytes=0-9'), 0, 9)
    assert len(file.asked) > asked


def test_a_file_is_renewed_behind_the_clients_back(site):
    daemon, file = site(headers=[('Cache-Control', 'max-age=0, stale-while-revalidate=600'), *STRONG])
    part(daemon, 'bytes=0-9')
    is_part(part(daemon, 'bytes=5-6'), 5, 6)
    harness.until('request behind the client', lambda: len(file.asked) == 2)
    daemon.records(2)
    assert daemon.records(2)[1]['cache'] == 'hit_stale'


def test_only_if_cached_asks_for_no_slice(site):
    daemon, file = site()
    part(daemon, 'bytes=0-9')
    is_part(part(daemon, 'bytes=5-6', ('Cache-Control', 'only-if-cached')), 5, 6)
    assert part(daemon, 'bytes=9000-9009', ('Cache-Control', 'only-if-cached')).status == 504
    assert len(file.asked) == 1
    assert daemon.records(3)[2]['end'] == 'only_if_cached'


@pytest.mark.parametrize('field', [('Authorization', 'Basic x'), ('Cache-Control', 'no-store')])
def test_what_may_not_be_stored_for_a_client_is_asked_for_once(site, field):
    daemon, file = site()
    assert daemon.get('/', headers=[field]).body == BODY
    assert ranges(file) == [None]


def test_the_audit_finds_nothing_wrong_with_slices_and_parts(site):
    daemon, file = site(settings='slice 4k; heuristic_percent 0;')
    for _ in range(40):
        daemon.get('/')
        part(daemon, 'bytes=9000-9009')
        part(daemon, 'bytes=-1')
        part(daemon, 'bytes=90000-')
    daemon.records(160)
    daemon.stop()
    assert harness.audit_json('check', daemon.log)['findings'] == []


def test_a_head_confirms_a_stale_file_and_costs_no_slice(site):
    daemon, file = site(headers=[('Cache-Control', 'max-age=0'), *STRONG])
    assert daemon.get('/').body == BODY
    answer = daemon.get('/', method='HEAD')
    assert (answer.status, answer.body, answer.headers.get('content-length')) == (200, b'', '20000')
    assert daemon.get('/').body == BODY
    assert ranges(file) == [*asks(0, 1, 2, 3, 4), None, asks(0)[0]]
    assert daemon.records(3)[2]['cache'] == 'revalidated'


def test_a_head_is_answered_from_a_fresh_file(site):
    daemon, file = site()
    part(daemon, 'bytes=9000-9009')
    answer = daemon.get('/', method='HEAD')
    assert (answer.status, answer.body, answer.headers.get('content-length')) == (200, b'', '20000')
    assert ranges(file) == asks(2)


def test_a_file_that_got_shorter_than_the_slice_asked_for(site):
    """416 is all that the origin says of it; what was stored is not asked about again."""
    daemon, file = site(headers=[('Cache-Control', 'max-age=0'), *STRONG])
    part(daemon, 'bytes=19000-19001')
    file.become(bytes_of(5000, 1), [('Cache-Control', 'max-age=0'), ('ETag', '"v2"')])
    assert part(daemon, 'bytes=19000-19001').status == 416
    is_part(part(daemon, 'bytes=10-19'), 10, 19, file.body)
    assert [r['end'] for r in daemon.records(3)] == ['complete'] * 3


@pytest.mark.parametrize('fields, why', [
    ([('Cache-Control', 'no-store')], 'no_store'), ([('Cache-Control', 'private')], 'private'), ([('Set-Cookie', 'a=1')], 'set_cookie')])
def test_a_slice_that_may_not_be_stored_is_sent_and_not_stored(site, fields, why):
    def before(request, conn):
        if request.headers.get('range') == asks(2)[0]:
            conn.send(f'HTTP/1.1 206 X\r\nETag: "v1"\r\n{fields[0][0]}: {fields[0][1]}\r\n'
                      'Content-Range: bytes 8192-12287/20000\r\nContent-Length: 4096\r\n\r\n')
            conn.send(BODY[8192:12288])
            return True
        return False

    daemon, file = site(before=before)
    for _ in range(2):
        answer = daemon.get('/')
        assert answer.body == BODY and not answer.headers.has('set-cookie')
    is_part(part(daemon, 'bytes=9000-9009'), 9000, 9009)
    assert ranges(file) == [*asks(0, 1, 2, 3, 4), *asks(2), *asks(2)]
    assert [(r['cache'], r['stored'], r['nostore']) for r in daemon.records(3)] == [('miss', '1', why), ('miss', '0', why), ('miss', '0', why)]


def test_what_comes_for_a_client_with_credentials_is_not_for_others(site):
    """The file may be had by all (public); its slices say that they are for who asked."""
    daemon, file = site(headers=[('Cache-Control', 'public, max-age=600'), *STRONG])
    part(daemon, 'bytes=0-9')
    file.become(BODY, [('Cache-Control', 'max-age=600'), *STRONG])
    for _ in range(2):
        is_part(part(daemon, 'bytes=9000-9009', ('Authorization', 'Basic x')), 9000, 9009)
    assert ranges(file) == asks(0, 2, 2)
    assert daemon.records(3)[1]['nostore'] == 'authorization'


def test_the_origin_is_told_the_id_that_is_in_the_record(site):
    daemon, file = site()
    daemon.get('/')
    record = daemon.records(1)[0]
    assert {r.headers.get('x-request-id') for r in file.origin.requests} == {record['rid']}
    assert record['fwd_sent'] == '1'
    part(daemon, 'bytes=0-9')
    daemon.get('/b')
    part(daemon, 'bytes=0-9')
    assert [r['fwd_sent'] for r in daemon.records(4)][1::2] == ['0', '0']


def test_an_older_slice_size_larger_than_object_max_goes_on_being_served(site):
    daemon, file = site(settings='slice 8k;')
    part(daemon, 'bytes=0-9')
    daemon.stop()
    with open(daemon.config_path, encoding='latin-1') as f:
        daemon.write_config(f.read().replace('slice 8k', 'slice 2k; object_max 2k'))
    daemon.start()
    assert daemon.get('/').body == BODY
    assert ranges(file) == ['bytes=0-8191', 'bytes=8192-16383', 'bytes=16384-24575']


def test_slices_survive_kill_9(site):
    body = bytes_of(3_000_000)
    daemon, file = site(body=body, settings='slice 256k;', volume='ram 1m;', volume_size='16m')
    part(daemon, 'bytes=0-1499999')
    harness.until('slices on disk', lambda: daemon.counters()['proxyd_volume_stored_total'] >= 7)
    daemon.kill()
    daemon.start()
    assert daemon.get('/').body == body
    is_part(part(daemon, 'bytes=1000000-2000000'), 1_000_000, 2_000_000, body)
    assert len(file.asked) == 12


def test_the_metrics_agree_with_the_log(site, tmp_path):
    daemon, file = site()
    daemon.get('/')
    part(daemon, 'bytes=9000-9009, -10')
    with daemon.client() as client:
        client.request('/b')
        assert client.head().status == 200
        client.take(5000)
    part(daemon, 'bytes=-20')
    file.become(bytes_of(20_000, 1), V2)
    part(daemon, 'bytes=0-9', ('Cache-Control', 'no-store'))
    daemon.get('/c', method='HEAD')
    daemon.records(6)
    scrape = tmp_path / 'scrape.txt'
    scrape.write_text(daemon.metrics())
    harness.logaudit('metrics', '--scrape', scrape, daemon.log, code=0)


def test_a_part_that_came_instead_of_a_slice_is_not_for_who_waited_for_the_file(site):
    """A weak validator is no identity: what one client gets of the file, at last, is its own range."""
    def before(request, conn):
        if request.headers.get('range') != 'bytes=0-99':
            return False
        conn.origin.pass_gate('head')
        conn.send('HTTP/1.1 206 X\r\nETag: W/"v1"\r\nCache-Control: max-age=600\r\nContent-Range: bytes 0-99/20000\r\nContent-Length: 100\r\n\r\n')
        conn.send(BODY[:50])
        conn.origin.pass_gate('body')
        conn.send(BODY[50:100])
        return True

    daemon, file = site(headers=[*FRESH, ('ETag', 'W/"v1"')], settings='slice 4k; collapse_timeout 1m;', before=before)
    with daemon.client() as first, daemon.client() as whole, daemon.client() as other:
        first.request('/', headers=[('Range', 'bytes=0-99')])
        file.origin.wait_requests(2)
        whole.request('/')
        other.request('/', headers=[('Range', 'bytes=9000-9009')])
        daemon.get('/settle')
        file.origin.open_gate('head')
        assert whole.response().body == BODY
        is_part(other.response(), 9000, 9009)
        file.origin.open_gate('body')
        is_part(first.response(), 0, 99)
    assert all(r['end'] == 'complete' for r in daemon.records(4))


# ---- failures ----

def test_a_slice_that_cannot_be_had_is_an_error_before_anything_was_sent(site):
    fails = []
    daemon, file = site(before=lambda request, conn: fails and (conn.reply(500), True)[1])
    part(daemon, 'bytes=0-9')
    fails.append(1)
    assert part(daemon, 'bytes=9000-9009').status == 502
    fails.clear()
    is_part(part(daemon, 'bytes=9000-9009'), 9000, 9009)
    assert [r['cache'] for r in daemon.records(3)] == ['miss', 'error', 'miss']
    assert daemon.records(3)[1]['origin_tries'] == '1'


def test_a_slice_that_breaks_off_leaves_the_answer_broken(site):
    def before(request, conn):
        if request.headers.get('range') == asks(1)[0] and len(file.asked) == 2:
            conn.send(f'HTTP/1.1 206 X\r\nETag: "v1"\r\nContent-Range: bytes 4096-8191/20000\r\nContent-Length: 4096\r\n\r\n')
            conn.send(BODY[4096:5000])
            conn.close()
            return True
        return False

    daemon, file = site(before=before)
    with daemon.client() as client:
        client.request('/')
        answer = client.response(cut=True)
    assert not answer.complete and answer.body == BODY[:5000]
    assert daemon.records(1)[0]['end'] == 'origin_left'
    assert daemon.get('/').body == BODY


# ---- streaming, collapsing, bounds ----

def test_the_next_slice_is_fetched_while_the_one_before_is_sent(site):
    """A client that reads nothing: the first slice and the next one are fetched, and no more than that."""
    size = 1024 * 1024
    body = bytes_of(16 * size)
    daemon, file = site(body=body, settings='slice 1m;', volume='ram 64m;', volume_size='64m')
    with daemon.client() as client:
        client.request('/')
        file.origin.wait_requests(2)
        asked = len(file.asked)
        assert asked < 12                  # what the sockets' buffers hold, and one ahead
        assert client.response().body == body
    assert len(file.asked) == 16
    record = daemon.records(1)[0]
    assert record['origin_in'] == str(len(body)) and record['origin_tries'] == '16'


def test_bytes_of_a_slice_are_sent_as_they_come(site):
    def before(request, conn):
        if request.headers.get('range') == asks(1)[0]:
            conn.send(f'HTTP/1.1 206 X\r\nETag: "v1"\r\nContent-Range: bytes 4096-8191/20000\r\nContent-Length: 4096\r\n\r\n')
            conn.send(BODY[4096:5000])
            conn.origin.pass_gate()
            conn.send(BODY[5000:8192])
            return True
        return False

    daemon, file = site(before=before)
    with daemon.client() as client:
        client.request('/')
        assert client.head().status == 200
        assert client.take(5000) == BODY[:5000]
        file.origin.open_gate()
        assert client.take(15_000) == BODY[5000:]


@pytest.mark.parametrize('workers', [1, 2])
def test_clients_share_the_fetch_of_each_slice(site, workers):
    def before(request, conn):
        conn.origin.pass_gate(request.headers.get('range'))

    daemon, file = site(before=before, workers=workers)
    clients = [daemon.client() for _ in range(12)]
    for client in clients:
        client.request('/')
    file.origin.wait_requests(1)
    for asked in asks(0, 1, 2, 3, 4):
        file.origin.open_gate(asked)
    assert all(client.response().body == BODY for client in clients)
    records = daemon.records(12)
    assert sum(int(r['origin_tries']) for r in records) == len(file.asked)
    assert sum(int(r['origin_in']) for r in records) == 20_000 and sorted(ranges(file)) == sorted(asks(0, 1, 2, 3, 4))
    assert all(r['origin_tries'] == '0' for r in records if r['cache'] in ('hit', 'collapsed'))


def test_a_client_that_leaves_does_not_end_what_others_read(site):
    def before(request, conn):
        if request.headers.get('range') in asks(1):
            conn.origin.pass_gate()

    daemon, file = site(before=before)
    with daemon.client() as first, daemon.client() as second:
        first.request('/')
        file.origin.wait_requests(2)
        second.request('/')
        assert second.head().status == 200
        assert second.take(SLICE) == BODY[:SLICE]
        first.close()
        file.origin.open_gate()
        assert second.take(20_000 - SLICE) == BODY[SLICE:]
    assert sorted(ranges(file)) == sorted(asks(0, 1, 2, 3, 4))
    assert len(daemon.records(2)) == 2


def test_slices_survive_a_restart_and_are_read_from_disk(site):
    body = bytes_of(3_000_000)
    daemon, file = site(body=body, settings='slice 256k;', volume='ram 1m;', volume_size='16m')
    assert daemon.get('/').body == body
    asked = len(file.asked)
    daemon.records(1)
    daemon.stop()
    daemon.start()
    assert daemon.get('/').body == body
    is_part(part(daemon, 'bytes=1000000-2000000'), 1_000_000, 2_000_000, body)
    assert len(file.asked) == asked
    assert [(r['cache'], r['tier']) for r in daemon.records(3)[1:2]] == [('hit', 'disk')]


def test_a_volume_too_small_for_the_file_serves_it_all_the_same(site):
    body = bytes_of(12_000_000)
    daemon, file = site(body=body, settings='slice 1m;', volume='ram 1m; fill_max 4m;', volume_size='8m')
    assert daemon.get('/').body == body
    assert daemon.get('/').body == body
    assert all(r['end'] == 'complete' for r in daemon.records(2))


def test_variants_have_slices_of_their_own(site):
    daemon, file = site(headers=[*FRESH, *STRONG, ('Vary', 'Accept-Language')])
    english, german = bytes_of(20_000), bytes_of(20_000, 1)
    for language, body, etag in [('en', english, '"en"'), ('de', german, '"de"')] * 2:
        file.become(body, [*FRESH, ('ETag', etag), ('Vary', 'Accept-Language')])
        answer = daemon.get('/', headers=[('Accept-Language', language)])
        assert (answer.status, answer.body) == (200, body)
    assert len(file.asked) == 10


def test_slices_of_another_size_go_on_being_served(site):
    daemon, file = site()
    assert daemon.get('/').body == BODY
    daemon.stop()
    with open(daemon.config_path, encoding='latin-1') as f:
        daemon.write_config(f.read().replace('slice 4k', 'slice 8k'))
    daemon.start()
    assert daemon.get('/').body == BODY
    assert len(file.asked) == 5


def test_a_stop_in_the_middle_is_clean(site):
    def before(request, conn):
        if request.headers.get('range') in asks(2):
            conn.origin.pass_gate()

    daemon, file = site(before=before)
    with daemon.client() as client:
        client.request('/')
        assert client.head().status == 200
        assert client.take(2 * SLICE) == BODY[:2 * SLICE]
        daemon.stop()
        file.origin.open_gate()
    assert daemon.requests()[-1]['end'] in ('shutdown', 'client_left', 'origin_left')
