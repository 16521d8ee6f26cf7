"""Ranges of stored objects (RFC 9110 section 14)."""
import re

import pytest

BODY = bytes(range(256)) * 40          # 10,240 bytes
HEADERS = [('Cache-Control', 'max-age=600'), ('ETag', '"v1"'), ('Content-Type', 'application/x-thing'),
           ('Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT')]


@pytest.fixture
def stored(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=HEADERS, body=BODY))
    assert daemon.get('/').status == 200
    return daemon, o


def ask(daemon, value, *more):
    return daemon.get('/', headers=[('Range', value), *more])


@pytest.mark.parametrize('value, start, end', [('bytes=0-9', 0, 9), ('bytes=100-', 100, 10239), ('bytes=-1', 10239, 10239), ('bytes=10000-99999', 10000, 10239),
                                               ('bytes=0-10239', 0, 10239)])
def test_one_range_is_206(stored, value, start, end):
    daemon, o = stored
    answer = ask(daemon, value)
    assert (answer.status, answer.headers.get('content-range')) == (206, f'bytes {start}-{end}/10240')
    assert answer.body == BODY[start:end + 1] and answer.headers.get('content-length') == str(len(answer.body))
    assert answer.headers.get('etag') == '"v1"' and answer.headers.get('content-type') == 'application/x-thing'
    assert len(o.requests) == 1
    r = daemon.records(2)[1]
    assert (r['cache'], r['status'], r['body_out']) == ('hit', '206', str(end - start + 1))


def test_several_ranges_are_multipart_byteranges(stored):
    daemon, _ = stored
    answer = ask(daemon, 'bytes=0-3, -2, 256-259')
    assert answer.status == 206 and not answer.headers.has('content-range')
    boundary = re.fullmatch(r'multipart/byteranges; boundary=(\S+)', answer.headers.get('content-type'))[1].encode()
    assert answer.headers.get('content-length') == str(len(answer.body))
    parts = answer.body.split(b'\r\n--' + boundary)
    assert parts[0] == b'' and parts[-1] == b'--\r\n'
    got = []
    for part in parts[1:-1]:
        head, _, body = part.partition(b'\r\n\r\n')
        assert b'Content-Type: application/x-thing' in head
        got.append((re.search(rb'Content-Range: bytes (\d+-\d+/\d+)', head)[1].decode(), body))
    assert got == [('0-3/10240', BODY[:4]), ('10238-10239/10240', BODY[-2:]), ('256-259/10240', BODY[256:260])]


def test_what_lies_outside_is_416(stored):
    daemon, _ = stored
    answer = ask(daemon, 'bytes=10240-')
    assert (answer.status, answer.headers.get('content-range'), answer.body) == (416, 'bytes */10240', b'')
    assert not answer.headers.has('content-type')


@pytest.mark.parametrize('value', ['bytes=9-0', 'lines=0-1', 'bytes=0-5,3-9', 'bytes=a', 'bytes=' + ','.join(f'{i}-{i}' for i in range(0, 200, 2))])
def test_what_is_malformed_or_not_worth_it_gets_the_whole(stored, value):
    daemon, _ = stored
    answer = ask(daemon, value)
    assert (answer.status, answer.body) == (200, BODY)


@pytest.mark.parametrize('condition, status', [('"v1"', 206), ('"v2"', 200), ('W/"v1"', 200), ('Sun, 06 Nov 1994 08:49:37 GMT', 206), ('Sun, 06 Nov 1994 08:49:38 GMT', 200)])
def test_if_range_decides(stored, condition, status):
    daemon, _ = stored
    answer = ask(daemon, 'bytes=0-3', ('If-Range', condition))
    assert answer.status == status and answer.body == (BODY[:4] if status == 206 else BODY)


def test_a_condition_comes_before_the_range(stored):
    daemon, _ = stored
    assert ask(daemon, 'bytes=0-3', ('If-None-Match', '"v1"')).status == 304


def test_a_head_knows_no_ranges(stored):
    daemon, _ = stored
    answer = daemon.get('/', method='HEAD', headers=[('Range', 'bytes=0-3')])
    assert (answer.status, answer.headers.get('content-length')) == (200, '10240')


def test_a_range_of_an_object_that_is_still_coming(cached):
    """Bytes that are there are sent at once, and the rest as it comes."""
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 20\r\n\r\n0123456789')
        conn.origin.pass_gate()
        conn.send(b'abcdefghij')

    daemon, o = cached(handler)
    with daemon.client() as first, daemon.client() as second:
        first.request('/')
        assert first.head().status == 200
        assert first.take_until(b'789').endswith(b'789')
        second.request('/', headers=[('Range', 'bytes=8-11')])
        o.open_gate()
        answer = second.response()
        assert answer.status in (200, 206)
        assert answer.body == (b'89ab' if answer.status == 206 else b'0123456789abcdefghij')


def test_a_range_of_a_large_object_on_disk(cached):
    body = bytes(i * 7 % 251 for i in range(3_000_000))
    daemon, o = cached(lambda request, conn: conn.reply(headers=HEADERS, body=body), volume='ram 1m;', volume_size='16m')
    assert daemon.get('/').body == body
    daemon.records(1)
    daemon.stop()
    daemon.start()
    for start, end in [(0, 0), (1_000_000, 2_000_000), (2_999_999, 2_999_999), (4095, 4097)]:
        assert ask(daemon, f'bytes={start}-{end}').body == body[start:end + 1]
    answer = ask(daemon, 'bytes=5-70000,2000000-2000010')
    assert body[5:70001] in answer.body and body[2000000:2000011] in answer.body
    assert {(r['cache'], r['tier']) for r in daemon.records(6)[1:]} == {('hit', 'disk')}
    assert len(o.requests) == 1
