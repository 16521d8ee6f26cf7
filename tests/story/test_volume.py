"""Objects on disk: they outlive restarts and kill -9, a damaged one is a miss, sizes are kept, and a volume that cannot be
had stops the start (design section 4)."""
import os

from harness import site, until, volume_rows, volume_tool

MAX_AGE = [('Cache-Control', 'max-age=600')]


def settled(daemon, count):
    """Waits until the writer has committed so many objects."""
    def stored():
        return sum(v for k, v in daemon.counters().items() if k.split('{')[0] == 'proxyd_volume_stored_total') >= count
    until(f'{count} objects committed', stored)


def quick(proxy, o, volume='vol:8m', **kw):
    return proxy(args=['--listen', '127.0.0.1:0', '--origin', f'http://{o.address}', '--volume', volume, '--access-log', 'access.csv',
                       '--metrics', '127.0.0.1:0', '--workers', '1'], metrics=True, **kw)


def test_quick_mode_is_miss_then_hit_and_a_hit_after_kill_9(proxy, origin):
    o = origin(headers=MAX_AGE, body=b'kept' * 1000)
    daemon = quick(proxy, o)
    assert daemon.get('/page').body == b'kept' * 1000
    daemon.records(1)
    assert daemon.get('/page').body == b'kept' * 1000
    assert [r['cache'] for r in daemon.records(2)] == ['miss', 'hit']
    settled(daemon, 1)
    assert [row['size'] for row in volume_rows(daemon)] == ['4000']
    daemon.kill()
    daemon.start()
    assert daemon.get('/page').body == b'kept' * 1000
    assert daemon.records(3)[2]['cache'] == 'hit'
    assert len(o.requests) == 1


def test_quick_mode_works_without_a_volume(proxy, origin):
    o = origin(headers=MAX_AGE)
    daemon = proxy(args=['--listen', '127.0.0.1:0', '--origin', f'http://{o.address}'])
    assert daemon.get('/').body == b'hello\n'
    assert o.requests[0].headers.get('x-forwarded-for') == '127.0.0.1'


def test_a_clean_restart_keeps_everything(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE + [('ETag', f'"{request.target}"')], body=request.target * 500))
    for i in range(100):
        daemon.get(f'/{i}')
    daemon.records(100)
    daemon.stop()
    daemon.start()
    for i in range(100):
        answer = daemon.get(f'/{i}')
        assert answer.body.decode() == f'/{i}' * 500 and answer.headers.get('etag') == f'"/{i}"'
    assert {r['cache'] for r in daemon.records(200)[100:]} == {'hit'}
    assert 'disk' in {r['tier'] for r in daemon.records(200)[100:]}
    assert len(o.requests) == 100


def test_age_goes_on_over_a_restart(cached):
    daemon, _ = cached(headers=[('Cache-Control', 'max-age=600'), ('Age', '300')])
    daemon.get('/')
    daemon.records(1)
    daemon.stop()
    daemon.start()
    assert 300 <= int(daemon.get('/').headers.get('age')) < 330


def data_file(daemon):
    files = [os.path.join(d, f) for d, _, fs in os.walk(os.path.join(daemon.tmp, 'vol')) for f in fs if not f.endswith('.mdb')]
    return max(files, key=os.path.getsize)


def test_a_flipped_byte_on_disk_is_a_miss(cached):
    marks = [b'mark-%03d-' % i + bytes([65 + i % 26]) * 8000 for i in range(20)]
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=marks[int(request.target[1:])]))
    for i in range(20):
        daemon.get(f'/{i}')
    daemon.records(20)
    settled(daemon, 20)
    daemon.kill()                    # an unclean end: what was written is checked when it is read
    path = data_file(daemon)
    with open(path, 'r+b') as f:
        data = f.read()
        at = data.index(marks[7]) + 4000
        f.seek(at)
        f.write(bytes([data[at] ^ 1]))
    assert [row['key'] for row in volume_tool(daemon, 'check', code=1, json_out=True)['damage']] == ['http://site.test/7']
    daemon.start()
    for i in range(20):
        assert daemon.get(f'/{i}').body == marks[i]
    verdicts = {r['target']: r['cache'] for r in daemon.records(40)[20:]}
    assert verdicts['/7'] == 'miss'
    assert [t for t, v in verdicts.items() if v != 'hit'] == ['/7']
    assert o.paths().count('/7') == 2


def test_a_torn_index_is_set_aside_loudly(cached):
    daemon, o = cached(headers=MAX_AGE)
    daemon.get('/')
    daemon.records(1)
    daemon.stop()
    data = data_file(daemon)
    for folder, _, files in os.walk(os.path.join(daemon.tmp, 'vol')):
        for path in (os.path.join(folder, f) for f in files):
            if path != data and os.path.getsize(path) >= 8192:
                with open(path, 'r+b') as f:
                    f.write(b'\xff' * 8192)
    since = len(daemon.said())
    daemon.start()
    assert 'main' in daemon.said(since) or 'vol' in daemon.said(since), 'it must be said'
    assert daemon.get('/').status == 200
    assert daemon.records(2)[1]['cache'] == 'miss'
    until('stored again', lambda: daemon.get('/') and daemon.requests()[-1]['cache'] == 'hit')


def test_a_volume_has_its_size_and_never_more(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=os.urandom(100_000)))
    with daemon.client() as client:
        for i in range(200):         # 20 MB into 8 MB
            assert client.get(f'/{i}').status == 200
    daemon.records(200)
    size = sum(os.stat(os.path.join(d, f)).st_blocks * 512 for d, _, fs in os.walk(os.path.join(daemon.tmp, 'vol')) for f in fs)
    assert size <= (8 << 20) + 65536, f'{size} bytes on disk'
    # Whatever the speed of the disk: with a full queue the last one may not have been stored at once.
    until('the last one', lambda: daemon.get('/199').status == 200 and daemon.requests()[-1]['cache'] == 'hit')
    assert daemon.counters()['proxyd_status_5xx_total'] == 0


def test_what_was_evicted_is_a_miss_and_what_is_used_stays(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=b'%-100000s' % request.target.encode()))
    with daemon.client() as client:
        client.get('/popular')
        for i in range(150):
            assert client.get(f'/{i}').body.startswith(b'/%d ' % i)
            client.get('/popular')
    daemon.records(301)
    assert o.paths().count('/popular') == 1


# ---- starts that must not be ----

def refuses_to_start(daemon, *words):
    done = daemon.run(timeout=15)
    assert done.returncode != 0, 'it started'
    for word in words:
        assert word in done.stderr, done.stderr
    assert 'ready:' not in done.stderr
    return done.stderr


def test_a_volume_that_cannot_be_opened_stops_the_start(proxy, origin):
    o = origin()
    daemon = proxy(site(o), start=False)
    with open(os.path.join(daemon.tmp, 'vol'), 'w') as f:
        f.write('not a folder')
    refuses_to_start(daemon, 'vol')


def test_a_folder_with_other_files_is_no_volume(proxy, origin):
    o = origin()
    daemon = proxy(site(o), start=False)
    os.mkdir(os.path.join(daemon.tmp, 'vol'))
    with open(os.path.join(daemon.tmp, 'vol', 'thesis.tex'), 'w') as f:
        f.write('precious')
    refuses_to_start(daemon, 'vol')
    assert os.listdir(os.path.join(daemon.tmp, 'vol')) == ['thesis.tex']


def test_a_volume_in_use_stops_the_start(proxy, origin):
    o = origin()
    first = proxy(site(o))
    second = proxy(site(o).replace('path vol', f'path {first.tmp}/vol').replace('access.csv', 'other.csv'), folder='two', start=False)
    refuses_to_start(second, 'vol')
    assert first.get('/').status == 200


def test_a_volume_without_room_stops_the_start(proxy, origin):
    o = origin()
    daemon = proxy(site(o, volume_size='900000g'), start=False)
    refuses_to_start(daemon, 'vol')


def test_a_proxy_cache_that_names_no_volume_stops_the_start(proxy, origin):
    o = origin()
    daemon = proxy(site(o).replace('proxy_cache main', 'proxy_cache mian'), start=False)
    said = refuses_to_start(daemon, 'mian', 'proxyd.conf:')
    assert 'did you mean' in said and 'main' in said


def test_the_check_finds_the_same(proxy, origin):
    o = origin()
    daemon = proxy(site(o).replace('proxy_cache main', 'proxy_cache mian'), start=False)
    done = daemon.run('-t', '-c', daemon.config_path)
    assert done.returncode != 0 and 'mian' in done.stderr


def test_too_many_fills_at_once_mean_not_stored(cached):
    """A bound that was reached is a reason in the log, never a failed request."""
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 700000\r\n\r\n' + b'x' * 350_000)
        conn.origin.pass_gate()
        conn.send(b'x' * 350_000)

    daemon, o = cached(handler, volume='ram 1m; fill_max 1m;')
    clients = []
    for i in range(6):
        clients.append(daemon.client())
        clients[-1].request(f'/{i}')
        assert clients[-1].head().status == 200
    o.open_gate()
    for client in clients:
        assert client.take(700_000) == b'x' * 700_000
    records = daemon.records(6)
    assert {r['status'] for r in records} == {'200'} and {r['end'] for r in records} == {'complete'}
    assert 'ram_full' in {r['nostore'] for r in records}
    assert [r['stored'] for r in records].count('0') == [r['nostore'] for r in records].count('ram_full')


def test_a_larger_object_than_the_volume_passes(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'x' * (9 << 20))
    for _ in range(2):
        assert len(daemon.get('/').body) == 9 << 20
    records = daemon.records(2)
    assert (records[0]['nostore'], records[0]['stored'], records[1]['cache'] == 'hit') == ('too_large', '0', False)
