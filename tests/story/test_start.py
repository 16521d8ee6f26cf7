"""The start: the daemon serves while a volume is still being read (issue of the volume, part 9). A story holds LMDB's lock of
the index, as another process that writes would, so that the volume is being read for exactly as long as the story wants."""
import ctypes
import os
import subprocess
import threading

from harness import until

MAX_AGE = [('Cache-Control', 'max-age=600')]
lmdb = ctypes.CDLL('liblmdb.so.0')


class HeldIndex:
    NOSUBDIR, NOTLS = 0x4000, 0x200000

    def __init__(self, folder):
        path = os.path.join(folder, 'index').encode()
        self.env, self.txn = ctypes.c_void_p(), ctypes.c_void_p()
        assert lmdb.mdb_env_create(ctypes.byref(self.env)) == 0
        assert lmdb.mdb_env_set_mapsize(self.env, ctypes.c_size_t(os.path.getsize(path))) == 0
        assert lmdb.mdb_env_open(self.env, path, self.NOSUBDIR | self.NOTLS, 0o640) == 0
        assert lmdb.mdb_txn_begin(self.env, None, 0, ctypes.byref(self.txn)) == 0

    def release(self):
        if self.env:
            lmdb.mdb_txn_abort(self.txn)
            lmdb.mdb_env_close(self.env)
        self.env = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


def volume_gauge(daemon, name):
    return daemon.counters()[f'proxyd_volume_{name}']


def ready(daemon):
    until('the volume read', lambda: volume_gauge(daemon, 'starting') == 0)


def restarted(daemon):
    """Stops it, and starts it again with its index held."""
    daemon.stop()
    held = HeldIndex(os.path.join(daemon.tmp, 'vol'))
    daemon.start()
    return held


def test_requests_are_served_while_the_volume_is_read_and_nothing_is_stored_twice(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=request.target * 50))
    for i in range(10):
        daemon.get(f'/{i}')
    daemon.records(10)
    with restarted(daemon) as held:
        assert volume_gauge(daemon, 'starting') == 1
        assert daemon.get('/1').body == b'/1' * 50
        assert daemon.get('/new').body == b'/new' * 50
        records = daemon.records(12)[10:]
        assert [(r['cache'], r['stored'], r['nostore']) for r in records] == [('miss', '0', 'volume_starting')] * 2
        assert volume_gauge(daemon, 'objects') == 0
        held.release()
        ready(daemon)
    assert volume_gauge(daemon, 'objects') == 10 and volume_gauge(daemon, 'start_records') == 10
    for i in range(10):
        assert daemon.get(f'/{i}').body == f'/{i}'.encode() * 50
    assert {r['cache'] for r in daemon.records(22)[12:]} == {'hit'}
    assert o.paths().count('/1') == 2
    daemon.get('/new')
    assert daemon.get('/new').body == b'/new' * 50
    assert [r['cache'] for r in daemon.records(24)[22:]] == ['miss', 'hit']


def test_an_unsafe_method_while_the_volume_is_read_holds_for_what_is_found_later(cached):
    bodies = {'/v': b'old'}

    def handler(request, conn):
        vary = [('Vary', 'Accept-Language')] if request.target == '/v' else []
        if request.method == 'POST':
            bodies['/v'] = b'new'
            return conn.reply(204)
        return conn.reply(headers=MAX_AGE + vary, body=bodies.get(request.target, b'same'))
    daemon, _ = cached(handler)
    languages = [[('Accept-Language', 'de')], [('Accept-Language', 'fr')]]
    for headers in languages:
        assert daemon.get('/v', headers=headers).body == b'old'
    daemon.get('/other')
    daemon.records(3)
    with restarted(daemon) as held:
        assert daemon.get('/v', method='POST', body=b'x').status == 204
        held.release()
        ready(daemon)
    for headers in languages:
        assert daemon.get('/v', headers=headers).body == b'new'
    assert daemon.get('/other').body == b'same'
    assert [r['cache'] for r in daemon.records(7)[4:]] == ['miss', 'miss', 'hit']


def test_a_purge_while_the_volume_is_read_is_answered_when_it_is_and_holds(cached):
    daemon, _ = cached(headers=MAX_AGE, settings='purge_allow 127.0.0.1;')
    for path in ('/gone', '/stays'):
        daemon.get(path)
    daemon.records(2)
    with restarted(daemon) as held:
        answers = []
        client = daemon.client()
        client.request('/gone', method='PURGE', headers=[('Purge-Mode', 'hard')])
        thread = threading.Thread(target=lambda: answers.append(client.response('PURGE')))
        thread.start()
        assert daemon.get('/gone').status == 200     # it waits alone
        assert not answers
        held.release()
        thread.join()
        ready(daemon)
    assert answers[0].status == 200
    for path in ('/gone', '/stays'):
        daemon.get(path)
    assert [(r['target'], r['cache']) for r in daemon.records(6)[4:]] == [('/gone', 'miss'), ('/stays', 'hit')]


def test_how_far_it_is_is_told(cached, proxy):
    daemon, _ = cached(headers=MAX_AGE)
    daemon.get('/')
    daemon.records(1)
    with restarted(daemon) as held:
        assert 'ready: listening' in daemon.said(daemon.ready_at)
        held.release()
        daemon.wait_said(r"volume 'main': started: 1 objects in \d+\.\d s", daemon.ready_at)


def test_it_is_killed_while_the_volume_is_read_and_keeps_everything(cached):
    daemon, _ = cached(headers=MAX_AGE)
    daemon.get('/')
    daemon.records(1)
    with restarted(daemon) as held:
        daemon.get('/')
        daemon.records(2)
        daemon.kill()
        held.release()
    daemon.start()
    daemon.get('/')
    assert daemon.records(3)[2]['cache'] == 'hit'
