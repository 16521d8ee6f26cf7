"""What is not in memory is read by the volume's own threads: a disk that hangs delays who asked for what is on it, for as long
as `disk_timeout`, and nobody else (issue 4)."""
import os

import pytest

from harness import audit_json, until

MAX_AGE = [('Cache-Control', 'max-age=600')]


def body_of(request):
    """Different for each URL; /large... is more than is loaded into memory."""
    size = 3_000_000 if request.target.startswith('/large') else 10_000
    return (request.target.encode() * size)[:size]


def stored_on_disk(cached, targets, disk, clock, **kw):
    """A daemon that has all of them on disk and none in memory."""
    kw.setdefault('volume_size', '64m')
    kw.setdefault('volume', 'ram 16m;')

    def handler(request, conn):
        if request.target.startswith('/pass'):
            conn.reply(headers=[('Cache-Control', 'no-store')], body=b'passed')
        else:
            conn.reply(headers=MAX_AGE, body=body_of(request))

    daemon, o = cached(handler, disk=disk, clock=clock, **kw)
    for count, target in enumerate(targets, 1):      # one by one: they need not fit into the writer's queue
        assert daemon.get(target).body == body_of_target(target)
        until(f'{target} stored', lambda: daemon.counters()['proxyd_volume_stored_total'] >= count)
    daemon.records(len(targets))
    daemon.stop()
    disk.set('cold', 1)
    daemon.start()
    return daemon, o


def body_of_target(target):
    return body_of(type('R', (), {'target': target}))


def test_hits_in_memory_and_passes_are_answered_while_the_disk_hangs(cached, disk, clock):
    daemon, o = stored_on_disk(cached, ['/warm', '/cold'], disk, clock)
    assert daemon.get('/warm').body == body_of_target('/warm')
    disk.shut()
    with daemon.client() as waits:
        waits.request('/cold')
        disk.wait_waiting(1)
        for _ in range(20):
            assert daemon.get('/warm').body == body_of_target('/warm')
            assert daemon.get('/pass').body == b'passed'
        assert not waits.buf and len(o.requests) == 2 + 20
        disk.open()
        assert waits.response().body == body_of_target('/cold')
    records = {r['target']: r for r in daemon.records(2 + 1 + 40 + 1)[2:]}
    assert [records[t]['tier'] for t in ('/warm', '/cold', '/pass')] == ['ram', 'disk', 'origin']
    assert [records[t]['cache'] for t in ('/warm', '/cold')] == ['hit', 'hit']
    assert records['/cold']['disk_late'] == '0'


def test_who_waits_too_long_gets_it_from_the_origin(cached, disk, clock):
    daemon, o = stored_on_disk(cached, ['/cold'], disk, clock, settings='disk_timeout 500ms;')
    disk.shut()
    with daemon.client() as waits:
        waits.request('/cold')
        disk.wait_waiting(1)
        clock.passes(1)
        daemon.get('/pass')              # a round of the worker's loop: it sees the time
        answer = waits.response()
        assert answer.body == body_of_target('/cold')
        assert 'detail=disk_late' in answer.headers.get('cache-status')
    # It was fetched and is in memory: the disk is not asked again, while it still hangs.
    assert daemon.get('/cold').body == body_of_target('/cold')
    records = [r for r in daemon.records(4)[1:] if r['target'] == '/cold']
    assert [(r['cache'], r['tier'], r['disk_late']) for r in records] == [('miss', 'origin', '1'), ('hit', 'ram', '0')]
    assert daemon.counters()['proxyd_disk_late_total'] == 1
    assert daemon.counters()['proxyd_volume_io_late_total'] == 1
    assert o.paths().count('/cold') == 2
    disk.open()
    daemon.stop()
    why = audit_json('why', 'http://site.test/cold', daemon.log)
    assert 'disk_late' in str(why)


@pytest.mark.parametrize('threads', [1, 3])
def test_while_every_thread_hangs_nobody_else_waits_for_the_disk(cached, disk, clock, threads):
    targets = [f'/{i}' for i in range(40)]
    daemon, o = stored_on_disk(cached, targets, disk, clock, volume=f'ram 16m; io_threads {threads};')
    disk.shut()
    waiting = []
    for target in targets[:threads + 2]:
        waiting.append(daemon.client())
        waiting[-1].request(target)
    disk.wait_waiting(threads)
    until('the rest in the queue', lambda: daemon.counters()['proxyd_volume_io_waiting'] == 2)
    clock.passes(3)
    daemon.get('/pass')
    for target, client in zip(targets, waiting):
        assert client.response().body == body_of_target(target)
    # Time stands still, so whoever would wait now would wait for ever.
    for target in targets[threads + 2:]:
        assert daemon.get(target).body == body_of_target(target)
    records = [r for r in daemon.records(80 + 1)[40:] if r['target'] != '/pass']
    assert {(r['cache'], r['disk_late']) for r in records} == {('miss', '1')}
    assert daemon.counters()['proxyd_volume_io_refused_total'] == 40 - threads - 2
    disk.open()
    until('no read waits', lambda: disk.get('waiting') == 0)


def test_one_read_serves_all_who_ask_for_it(cached, disk, clock):
    daemon, o = stored_on_disk(cached, ['/cold', '/other'], disk, clock, volume='ram 16m; io_threads 2;')
    reads = disk.get('data.read.done')
    disk.shut()
    clients = [daemon.client() for _ in range(10)]
    for client in clients:
        client.request('/cold')
    disk.wait_waiting(1)
    until('nine share it', lambda: daemon.counters()['proxyd_volume_loads_shared_total'] == 9)
    with daemon.client() as other:       # one thread is left for others
        other.request('/other')
        disk.wait_waiting(2)
        disk.open()
        assert other.response().body == body_of_target('/other')
    for client in clients:
        assert client.response().body == body_of_target('/cold')
    assert disk.get('data.read.done') - reads == 2
    assert {r['cache'] for r in daemon.records(13)[2:]} == {'hit'}


def test_films_do_not_stop_look_ups(cached, disk, clock):
    films = [f'/large{i}' for i in range(6)]
    daemon, o = stored_on_disk(cached, films + ['/small'], disk, clock, volume='ram 16m; io_threads 3;')
    disk.shut()
    clients = [daemon.client() for _ in films]
    for film, client in zip(films, clients):
        client.request(film)
    disk.wait_waiting(2)                 # of three threads: the last is for records
    until('the others wait', lambda: daemon.counters()['proxyd_volume_io_waiting'] >= 4)
    with daemon.client() as small:
        small.request('/small')
        disk.wait_waiting(3)
        disk.open()
        assert small.response().body == body_of_target('/small')
    for film, client in zip(films, clients):
        assert client.response().body == body_of_target(film)
    assert {(r['cache'], r['tier']) for r in daemon.records(14)[7:]} == {('hit', 'disk')}


def test_a_large_body_that_does_not_come_is_a_miss_before_its_head_and_a_cut_after_it(cached, disk, clock):
    daemon, o = stored_on_disk(cached, ['/large'], disk, clock)
    disk.shut()
    with daemon.client() as waits:
        waits.request('/large', headers=[('Range', 'bytes=2000000-2000009')])
        disk.wait_waiting(1)
        clock.passes(3)
        daemon.get('/pass')
        answer = waits.response()
        assert answer.status in (200, 206) and len(o.requests) == 3
    disk.open()
    until('no read waits', lambda: disk.get('waiting') == 0)
    daemon.stop()                        # the fetched one replaced it: on disk again
    daemon.start()
    disk.shut(after=2)
    with daemon.client() as waits:
        waits.request('/large')
        assert waits.head().status == 200
        disk.wait_waiting(1)             # for the third piece
        clock.passes(3)
        daemon.get('/pass')
        got = waits.take_all()
    assert len(got) < 3_000_000 and body_of_target('/large').startswith(got)
    records = [r for r in daemon.records(5) if r['target'] == '/large'][1:]
    assert [(r['cache'], r['disk_late'], r['end']) for r in records] == [('miss', '1', 'complete'), ('hit', '0', 'disk_timeout')]


def test_the_next_piece_is_read_while_this_one_is_sent(cached, disk, clock):
    daemon, o = stored_on_disk(cached, ['/large'], disk, clock)
    assert daemon.get('/large').body == body_of_target('/large')
    # Each piece was waited for, since nothing may come from the page cache; all but the first were asked for before.
    until('all read ahead', lambda: disk.get('ahead') >= 2 * 262144)
    assert daemon.counters()['proxyd_volume_reads_ahead_total'] >= 2
    assert len(o.requests) == 1


def test_a_client_that_leaves_takes_its_place_in_the_queue_with_it(cached, disk, clock):
    daemon, o = stored_on_disk(cached, ['/a', '/b', '/c', '/large'], disk, clock, volume='ram 16m; io_threads 1;')
    disk.shut()
    clients = []
    for target in ('/a', '/b', '/c', '/large'):
        clients.append(daemon.client())
        clients[-1].request(target)
    disk.wait_waiting(1)
    until('three wait', lambda: daemon.counters()['proxyd_volume_io_waiting'] == 3)
    for client in clients:
        client.reset()
    records = daemon.records(8)[4:]      # written although the disk hangs
    assert {r['end'] for r in records} == {'client_left'}
    until('none waits', lambda: daemon.counters()['proxyd_volume_io_waiting'] == 0)
    disk.open()
    assert daemon.get('/c').body == body_of_target('/c')


def file_in_ranges(body):
    """/file by the range that is asked for; all else passes."""
    def handler(request, conn):
        if request.target != '/file':
            conn.reply(headers=[('Cache-Control', 'no-store')], body=b'passed')
            return
        first, last = request.headers.get('range')[len('bytes='):].split('-')
        part = body[int(first):int(last or len(body)) + 1]
        conn.reply(206, MAX_AGE + [('ETag', '"1"'), ('Content-Range', f'bytes {first}-{int(first) + len(part) - 1}/{len(body)}')], part)
    return handler


def test_slices_that_do_not_come_from_disk_come_from_the_origin(cached, disk, clock):
    body = b''.join(b'%07d ' % i for i in range(40_000))
    daemon, o = cached(file_in_ranges(body), disk=disk, clock=clock, volume_size='64m', volume='ram 16m;', settings='slice 64k; disk_timeout 1s;')
    assert daemon.get('/file').body == body
    until('all slices stored', lambda: daemon.counters()['proxyd_volume_stored_total'] >= 6)
    daemon.stop()
    daemon.start()
    asked = len(o.requests)
    disk.shut()
    with daemon.client() as waits:
        waits.request('/file')
        disk.wait_waiting(1)
        clock.passes(2)
        daemon.get('/pass')
        assert waits.response().body == body
    assert len(o.requests) == asked + 1 + 5
    record = [r for r in daemon.records(3) if r['target'] == '/file'][-1]
    assert (record['end'], record['disk_late']) == ('complete', '1')


def test_a_part_that_hangs_while_it_is_completed_is_a_cut_answer(cached, disk, clock):
    body = b''.join(b'%07d ' % i for i in range(375_000))
    daemon, o = cached(file_in_ranges(body), disk=disk, clock=clock, volume_size='64m', volume='ram 1m;')
    assert daemon.get('/file', headers=[('Range', 'bytes=0-1999999')]).body == body[:2_000_000]
    until('the part stored', lambda: daemon.counters()['proxyd_volume_stored_total'] >= 1)
    daemon.stop()
    daemon.start()
    disk.shut()
    with daemon.client() as waits:
        waits.request('/file', headers=[('Range', 'bytes=0-2999999')])
        disk.wait_waiting(1)
        clock.passes(3)
        daemon.get('/pass')
        assert waits.response(cut=True).complete is False
        disk.open()
    record = [r for r in daemon.records(3) if r['target'] == '/file'][-1]
    assert (record['status'], record['end']) == ('206', 'disk_timeout')
