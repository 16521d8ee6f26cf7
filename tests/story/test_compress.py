"""Compressed answers: who gets which coding, what is stored, and what conditions, ranges and cut answers are about.
Decoders are others' (zlib, brotli, the program zstd)."""
import itertools
import os
import zlib

import brotli
import pytest

from codings import HEADERS, ON, TEXT, ask, decoded, made, unzstd, unzstd_begin, varies
from harness import until


@pytest.fixture
def site(cached):
    def make(headers=HEADERS, body=TEXT, settings=ON, **kw):
        return cached(lambda request, conn: conn.reply(headers=headers, body=body if request.method != 'HEAD' else b''), settings=settings, **kw)
    return make


@pytest.mark.parametrize('coding', ['gzip', 'br', 'zstd'])
def test_a_miss_is_coded_on_its_way_and_hits_cost_no_coding(site, coding):
    daemon, o = site()
    first = ask(daemon, coding)
    assert first.headers.get('content-encoding') == coding and decoded(first) == TEXT
    assert first.headers.get('etag') == f'W/"abc-{coding}"' and varies(first) == 1
    record = made(daemon)
    assert (record['coding'], record['stored'], record['plain_bytes']) == (coding, '1', str(len(TEXT)))
    for _ in range(3):
        hit = ask(daemon, coding)
        assert hit.headers.get('content-encoding') == coding and decoded(hit) == TEXT
        assert hit.headers.get('content-length') == str(len(hit.body)) == record['object_bytes']
        assert hit.headers.get('etag') == f'W/"abc-{coding}"' and varies(hit) == 1
    miss, *hits = daemon.records(4)
    assert (miss['cache'], miss['coding'], miss['compressed'], miss['plain_bytes'], miss['body_out']) == ('miss', coding, '1', str(len(TEXT)), str(len(first.body)))
    for hit in hits:
        assert (hit['cache'], hit['coding'], hit['compressed'], hit['plain_bytes']) == ('hit', coding, '0', str(len(TEXT)))
        assert hit['object_bytes'] == str(len(TEXT)) and hit['body_hash'] == miss['body_hash']
    counters = daemon.counters()
    assert counters['proxyd_compressed_total'] == 1 and counters['proxyd_coded_total'] == 4
    assert counters['proxyd_coded_bytes_plain_total'] == 4 * len(TEXT)
    assert len(o.requests) == 1


def test_what_is_stored_is_what_the_origin_sent(site):
    daemon, o = site()
    ask(daemon, 'gzip')
    made(daemon)
    plain = ask(daemon)
    assert plain.body == TEXT and not plain.headers.has('content-encoding') and plain.headers.get('etag') == '"abc"' and varies(plain) == 1
    assert decoded(ask(daemon, 'br')) == TEXT and len(o.requests) == 1


ACCEPT = [
    (None, None), ('', None), ('identity', None), ('gzip', 'gzip'), ('x-gzip', 'gzip'), ('GZip', 'gzip'), ('br', 'br'), ('zstd', 'zstd'),
    ('gzip, br, zstd', 'br'), ('gzip, zstd', 'zstd'), ('*', 'br'), ('br;q=0, *', 'zstd'), ('*;q=0', None), ('gzip;q=0', None),
    ('gzip;q=1, br;q=0.5', 'gzip'), ('gzip;q=0.001', 'gzip'), ('gzip;q=0.5, identity', None), ('gzip;q=0.5, identity;q=0.5', 'gzip'),
    ('identity;q=0', None), ('identity;q=0, gzip;q=0.1', 'gzip'), ('deflate', None), ('gzipp', None), ('gzip;q=2', None), ('gzip;q=1.0000', None),
    ('gzip;q=', None), ('gzip;x=1', None), ('gzip;q=-1', None), (';;;,,,gzip', 'gzip'), ('gzip, gzip;q=0', None), ('"gzip"', None),
    (','.join(f'a{i}' for i in range(64)) + ',gzip', None), (',' * 500 + 'gzip', 'gzip'),
]


def test_accept_encoding_decides(site):
    daemon, _ = site()
    for accept, coding in ACCEPT:
        answer = ask(daemon, accept)
        assert (accept, answer.headers.get('content-encoding')) == (accept, coding)
        assert decoded(answer) == TEXT and varies(answer) == 1, accept


def test_what_is_off_is_not_offered(site):
    daemon, _ = site(settings='gzip on;')
    assert ask(daemon, 'br, zstd, gzip').headers.get('content-encoding') == 'gzip'
    assert not ask(daemon, 'br, zstd').headers.has('content-encoding')


def test_without_a_directive_nothing_changes(site):
    daemon, _ = site(settings='')
    answer = ask(daemon, 'gzip, br')
    assert answer.body == TEXT and not answer.headers.has('content-encoding') and not answer.headers.has('vary') and answer.headers.get('etag') == '"abc"'


LEFT_ALONE = {
    'image': [('Content-Type', 'image/jpeg')], 'no_type': [], 'coded': [('Content-Type', 'text/html'), ('Content-Encoding', 'x-thing')],
    'no_transform': [('Content-Type', 'text/html'), ('Cache-Control', 'no-transform')],
    'cookie': [('Content-Type', 'text/html'), ('Set-Cookie', 'a=b')], 'private': [('Content-Type', 'text/html'), ('Cache-Control', 'private')],
}


@pytest.mark.parametrize('name', LEFT_ALONE)
def test_what_is_left_alone(site, name):
    daemon, _ = site(headers=LEFT_ALONE[name] + [('ETag', '"abc"')])
    answer = ask(daemon, 'gzip')
    assert answer.body == TEXT and answer.headers.get('etag') == '"abc"' and varies(answer) == 0
    assert answer.headers.get('content-encoding') == ('x-thing' if name == 'coded' else None)


def test_tiny_bodies_are_left_alone(site):
    daemon, _ = site(body=b'x' * 1023)
    assert not ask(daemon, 'gzip').headers.has('content-encoding')
    assert daemon.record()['coding'] == ''


def test_types_by_the_configuration(site):
    daemon, _ = site(headers=[('Content-Type', 'application/x-mine'), ('Cache-Control', 'max-age=60')], settings=ON + 'gzip_types application/* image/bmp;')
    assert ask(daemon, 'gzip').headers.get('content-encoding') == 'gzip'


@pytest.mark.parametrize('field', [('Authorization', 'Basic x'), ('Cookie', 'id=1')])
@pytest.mark.parametrize('allowed', [False, True])
def test_personal_answers_are_coded_only_when_allowed(site, field, allowed):
    daemon, _ = site(headers=[('Content-Type', 'text/html'), ('Cache-Control', 'no-store')], settings=ON + ('compress_private on;' if allowed else ''))
    answer = ask(daemon, 'gzip', field)
    assert answer.headers.get('content-encoding') == ('gzip' if allowed else None)
    assert decoded(answer) == TEXT and varies(answer) == 1


def test_a_request_may_forbid_transforming(site):
    daemon, _ = site()
    answer = ask(daemon, 'gzip', ('Cache-Control', 'no-transform'))
    assert answer.body == TEXT and not answer.headers.has('content-encoding') and varies(answer) == 1


def test_http_1_0_gets_it_plain(site):
    daemon, _ = site()
    answer = ask(daemon, 'gzip', version='HTTP/1.0')
    assert answer.body == TEXT and not answer.headers.has('content-encoding')


def test_digests_of_the_plain_body_are_dropped(site):
    digests = [('Content-MD5', 'x'), ('Digest', 'y'), ('Content-Digest', 'z'), ('Repr-Digest', 'w'), ('Accept-Ranges', 'bytes')]
    daemon, _ = site(headers=HEADERS + digests)
    coded, plain = ask(daemon, 'gzip'), ask(daemon)
    for name, value in digests:
        assert not coded.headers.has(name) and plain.headers.get(name) == value


def test_vary_of_the_origin_is_kept_and_completed(site):
    daemon, _ = site(headers=HEADERS + [('Vary', 'Origin')])
    answer = ask(daemon, 'gzip')
    assert varies(answer) == 1 and 'Origin' in answer.headers.all('vary')


def test_vary_that_is_there_is_not_sent_twice(site):
    daemon, _ = site(headers=HEADERS + [('Vary', 'Accept-encoding')])
    for accept in ('gzip', 'gzip', 'br', None):
        answer = ask(daemon, accept)
        assert varies(answer) == 1 and decoded(answer) == TEXT


def test_conditions_that_pass_are_understood_by_the_origin(cached):
    seen = []

    def handler(request, conn):
        seen.append(request.headers.get('if-none-match'))
        if '"abc"' in (seen[-1] or ''):
            conn.reply(304, [('ETag', '"abc"')])
        else:
            conn.reply(headers=[('Content-Type', 'text/html'), ('ETag', '"abc"')], body=TEXT)
    daemon, _ = cached(handler, settings=ON, cache=False)
    first = ask(daemon, 'gzip')
    assert first.headers.get('etag') == 'W/"abc-gzip"' and decoded(first) == TEXT
    again = ask(daemon, 'gzip', ('If-None-Match', 'W/"abc-gzip"'))
    assert (again.status, again.headers.get('etag'), varies(again)) == (304, 'W/"abc-gzip"', 1)
    plain = ask(daemon, None, ('If-None-Match', '"abc"'))
    assert (plain.status, plain.headers.get('etag')) == (304, '"abc"')
    assert seen == [None, 'W/"abc-gzip", W/"abc"', '"abc"']


@pytest.mark.parametrize('stored', [False, True])
def test_conditions_are_about_the_selected_form(site, stored):
    daemon, o = site()
    ask(daemon, 'gzip')
    if stored:
        made(daemon)
    same = ask(daemon, 'gzip', ('If-None-Match', 'W/"abc-gzip"'))
    assert (same.status, same.headers.get('etag'), varies(same), same.body) == (304, 'W/"abc-gzip"', 1, b'') and not same.headers.has('content-encoding')
    assert ask(daemon, 'gzip', ('If-None-Match', '"abc"')).status == 200, 'the plain form is another one'
    assert ask(daemon, 'br', ('If-None-Match', 'W/"abc-gzip"')).status == 200
    assert ask(daemon, None, ('If-None-Match', 'W/"abc-gzip"')).status == 200
    assert ask(daemon, None, ('If-None-Match', '"abc"')).status == 304
    assert len(o.requests) == 1


def test_ranges_are_of_the_plain_form(site):
    daemon, _ = site()
    ask(daemon, 'gzip')
    made(daemon)
    part = ask(daemon, 'gzip', ('Range', 'bytes=5-14'))
    assert (part.status, part.body, part.headers.get('etag'), varies(part)) == (206, TEXT[5:15], '"abc"', 1) and not part.headers.has('content-encoding')
    part = ask(daemon, 'gzip', ('Range', 'bytes=5-14'), ('If-Range', '"abc"'))
    assert part.status == 206
    whole = ask(daemon, 'gzip', ('Range', 'bytes=5-14'), ('If-Range', 'W/"abc-gzip"'))
    assert whole.status == 200 and decoded(whole) == TEXT, 'the coded bytes cannot be completed'


def test_head_has_the_fields_of_get(site):
    daemon, _ = site()
    ask(daemon, 'gzip')
    made(daemon)
    get, head = ask(daemon, 'gzip'), ask(daemon, 'gzip', method='HEAD')
    for name in ('content-encoding', 'content-length', 'etag', 'vary'):
        assert head.headers.get(name) == get.headers.get(name)
    assert head.body == b''


def test_a_purge_takes_both(site):
    daemon, o = site(settings=ON + 'purge_allow 127.0.0.0/8;')
    ask(daemon, 'gzip')
    made(daemon)
    assert ask(daemon, method='PURGE').status == 200
    assert decoded(ask(daemon, 'gzip')) == TEXT and len(o.requests) == 2
    record = daemon.records(3)[2]
    assert (record['cache'], record['compressed']) == ('miss', '1')


def test_a_revalidation_keeps_the_coded_form(cached, clock):
    def handler(request, conn):
        if request.headers.get('if-none-match') == '"abc"':
            conn.reply(304, [('Cache-Control', 'max-age=60'), ('ETag', '"abc"')])
        else:
            conn.reply(headers=[('Cache-Control', 'max-age=60')] + HEADERS[1:], body=TEXT)
    daemon, o = cached(handler, settings=ON, clock=clock)
    ask(daemon, 'gzip')
    made(daemon)
    clock.passes(100)
    assert decoded(ask(daemon, 'gzip')) == TEXT
    record = daemon.records(2)[1]
    assert (record['cache'], record['compressed'], record['coding']) == ('revalidated', '0', 'gzip') and len(o.requests) == 2


def test_another_body_is_not_served_from_the_old_coded_form(cached, clock):
    bodies = itertools.count()
    daemon, o = cached(lambda request, conn: conn.reply(headers=[('Cache-Control', 'max-age=60'), ('Content-Type', 'text/css')], body=b'%d' % next(bodies) * 5000),
                       settings=ON, clock=clock)
    assert decoded(ask(daemon, 'gzip')) == b'0' * 5000
    made(daemon)
    clock.passes(100)
    assert decoded(ask(daemon, 'gzip')) == b'1' * 5000
    made(daemon, 2)
    assert decoded(ask(daemon, 'gzip')) == b'1' * 5000
    assert [r['compressed'] for r in daemon.records(3)] == ['1', '1', '0']


def test_coded_forms_outlive_a_restart(site):
    daemon, o = site()
    ask(daemon, 'br')
    made(daemon)
    daemon.stop()
    daemon.start()
    assert decoded(ask(daemon, 'br')) == TEXT
    record = daemon.records(2)[-1]
    assert (record['cache'], record['compressed']) == ('hit', '0') and len(o.requests) == 1


def test_what_does_not_become_shorter_is_sent_plain_from_then_on(site):
    noise = os.urandom(20000)
    daemon, _ = site(body=noise)
    assert decoded(ask(daemon, 'gzip')) == noise
    made(daemon)
    answer = ask(daemon, 'gzip')
    assert answer.body == noise and not answer.headers.has('content-encoding') and varies(answer) == 1 and answer.headers.get('etag') == '"abc"'


@pytest.mark.parametrize('coding', ['gzip', 'br', 'zstd'])
@pytest.mark.parametrize('cache', ['no-store', 'max-age=60'])
@pytest.mark.parametrize('kind', ['text/event-stream', 'text/plain'])
def test_a_stream_is_flushed_at_each_read(cached, coding, cache, kind):
    def handler(request, conn):
        conn.send(f'HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: {cache}\r\nTransfer-Encoding: chunked\r\n\r\n'.encode())
        for i in range(3):
            conn.send(b'10\r\ndata: event %03d\n\r\n' % i)
            conn.origin.pass_gate(f'go{i}')
        conn.send(b'0\r\n\r\n')
    daemon, o = cached(handler, settings=ON)
    stream = {'gzip': lambda: zlib.decompressobj(31).decompress, 'br': lambda: brotli.Decompressor().process, 'zstd': lambda: None}[coding]()
    with daemon.client() as client:
        client.request('/', headers=[('Accept-Encoding', coding)])
        answer = client.head()
        assert answer.headers.get('content-encoding') == coding
        text, raw = b'', b''
        for i in range(3):
            want = b''.join(b'data: event %03d\n' % k for k in range(i + 1))
            while text != want:
                size = int(client.take_until(b'\r\n'), 16)
                piece = client.take(size + 2)[:-2]
                raw += piece
                text = text + stream(piece) if stream else unzstd_begin(raw)
            o.open_gate(f'go{i}')
        client.take_until(b'0\r\n\r\n')


@pytest.mark.parametrize('cache', ['no-store', 'max-age=60'])
def test_a_cut_origin_stays_visibly_cut(cached, cache):
    def handler(request, conn):
        conn.send(f'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: {cache}\r\nContent-Length: 100000\r\n\r\n'.encode() + TEXT)
        conn.close()
    daemon, _ = cached(handler, settings=ON)
    with daemon.client() as client:
        client.request('/', headers=[('Accept-Encoding', 'gzip')])
        answer = client.response(cut=True)
    stream = zlib.decompressobj(31)
    stream.decompress(answer.body)
    assert not stream.eof
    record = daemon.record()
    assert record['end'] == 'origin_left' and record['stored'] == '0'
    assert not [r for r in daemon.all_records() if r['rec'] == 'compress']


def test_large_bodies_and_slow_clients(site):
    text = b''.join(b'%d,' % i for i in range(600000))
    daemon, _ = site(body=text, volume_size='64m', volume='ram 64m;')
    for _ in range(2):
        with daemon.client() as client:
            client.request('/', headers=[('Accept-Encoding', 'zstd')])
            assert unzstd(client.response().body) == text
    made(daemon)
    hit = ask(daemon, 'zstd')
    assert unzstd(hit.body) == text and hit.headers.get('content-length')


@pytest.mark.parametrize('cache', [True, False])
def test_turns_do_not_depend_on_the_clock(site, clock, cache):
    text = b''.join(b'%d,' % i for i in range(100000))
    daemon, _ = site(body=text, cache=cache, clock=clock)
    assert decoded(ask(daemon, 'br')) == text


def test_an_answer_of_our_own_is_not_coded(site):
    """The head does not fit: what is sent instead has nothing of the coding that was begun."""
    daemon, _ = site(settings=ON + ''.join(f'add_header X-{i} "{"y" * 8000}";' for i in range(20)))
    answer = ask(daemon, 'gzip')
    assert answer.status == 500 and not answer.headers.has('content-encoding') and answer.body.startswith(b'500 ')


def test_the_coded_form_is_read_from_disk(site):
    text = os.urandom(300000).hex().encode()
    daemon, o = site(body=text, volume_size='32m', volume='ram 64k;')
    assert decoded(ask(daemon, 'gzip')) == text
    made(daemon)

    def from_disk():                 # until the writer has it there it is read from memory
        seen = len(daemon.requests())
        assert decoded(ask(daemon, 'gzip')) == text
        record = daemon.records(seen + 1)[-1]
        assert (record['compressed'], record['cache']) == ('0', 'hit')
        return record['tier'] == 'disk'
    until('the coded form comes from disk', from_disk)
    assert len(o.requests) == 1


def test_concurrent_readers_of_one_fetch_get_each_their_coding(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n' % len(TEXT) + TEXT[:9000])
        conn.origin.pass_gate()
        conn.send(TEXT[9000:])
    daemon, o = cached(handler, settings=ON)
    clients = [(daemon.client(), coding) for coding in ('gzip', 'br', 'identity', 'zstd', 'gzip')]
    for client, coding in clients:
        client.request('/', headers=[('Accept-Encoding', coding)])
    for client, coding in clients[:1]:
        client.fill()
    o.open_gate()
    for client, coding in clients:
        assert decoded(client.response()) == TEXT
        client.close()
    assert len(o.requests) == 1
