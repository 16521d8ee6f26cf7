"""What is on disk outlives the daemon and the machine: `ctl volume flush` says when it is."""
import json
import os

import pytest

from harness import until
from torture import Torture

MAX_AGE = [('Cache-Control', 'max-age=600')]


@pytest.fixture
def flushed(cached, admin):
    """flushed(handler...) -> (daemon, origin, flush): flush(*words) runs `proxyd ctl volume flush`."""
    def make(*args, **kw):
        daemon, o = cached(*args, http=f'admin unix:{admin};', **kw)

        def flush(*words, code=0):
            done = daemon.run('-c', daemon.config_path, 'ctl', 'volume', 'flush', *words)
            assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
            return json.loads(done.stdout) if done.stdout else done.stderr
        return daemon, o, flush
    return make


@pytest.mark.parametrize('words', [(), ('main',)])
def test_what_was_flushed_is_a_hit_after_kill_9(flushed, words):
    daemon, o, flush = flushed(lambda request, conn: conn.reply(headers=MAX_AGE, body=request.target * 3000))
    for i in range(30):
        daemon.get(f'/{i}')
    daemon.records(30)
    assert flush(*words) == {'ok': True, 'volumes': 1}
    daemon.kill()
    daemon.start()
    for i in range(30):
        assert daemon.get(f'/{i}').body.decode() == f'/{i}' * 3000
    assert {r['cache'] for r in daemon.records(60)[30:]} == {'hit'}
    assert len(o.requests) == 30


def test_a_flush_names_its_volume(flushed):
    daemon, o, flush = flushed(headers=MAX_AGE)
    assert "there is no volume 'other'" in flush('other', code=1)['error']
    assert 'volume takes flush' in flush('main', 'other', code=2)
    assert 'no blank' in flush('ma in', code=2)


def test_kill_9_under_load_loses_nothing_that_was_committed(tmp_path):
    """Ten rounds; tests/bench/kill.sh plays as many as one likes."""
    Torture(tmp_path, seed=1).run(10)


def volume_file(daemon, name):
    return os.path.join(daemon.tmp, 'vol', name)


def flip(path, find=None, at=0, mask=4):
    """Bits of a byte, at `at` behind where the bytes are first found."""
    with open(path, 'r+b') as f:
        data = f.read()
        at += data.index(find) if find else 0
        f.seek(at)
        f.write(bytes([data[at] ^ mask]))


def pages(request, conn):
    conn.reply(headers=MAX_AGE, body=b'%-20s' % request.target.encode() * 400)


def damaged_page(daemon):
    """Of ten pages, the body of /4 is damaged on disk. Returns what the daemon had said before it started on that."""
    for i in range(10):
        daemon.get(f'/{i}')
    daemon.records(10)
    daemon.stop()
    flip(volume_file(daemon, 'data'), find=b'%-20s' % b'/4' * 400, at=5000)
    since = len(daemon.said())
    daemon.start()
    return since


def test_a_damaged_body_is_dropped_told_and_counted(flushed):
    daemon, o, flush = flushed(pages)
    since = damaged_page(daemon)
    assert daemon.get('/4').body == b'%-20s' % b'/4' * 400
    daemon.wait_said("volume 'main': an object is damaged on disk, or cannot be read; it was dropped", since)
    counters = daemon.counters()
    assert counters['proxyd_volume_damaged_total'] == 1 and counters['proxyd_volume_index_damaged'] == 0
    assert daemon.records(11)[10]['cache'] == 'miss'


@pytest.mark.parametrize('mask, verdict', [(4, 'hit'), (3, 'miss')])
@pytest.mark.parametrize('killed', [False, True])
def test_a_damaged_index_is_kept_as_far_as_it_can_be_read(flushed, killed, mask, verdict):
    """LMDB would end the daemon with an assertion: leaves say that they are overflow pages as well, which does not hide what
    is in them, or that they are branches, which does."""
    daemon, o, flush = flushed(pages)
    for i in range(40):
        daemon.get(f'/{i}')
    daemon.records(40)
    flush()
    daemon.kill() if killed else daemon.stop()
    path = volume_file(daemon, 'index')
    with open(path, 'rb') as f:
        data = f.read()
    leaves = [at for at in range(8192, len(data), 4096) if data[at + 10:at + 12] == b'\x02\0' and b'site.test/7' in data[at:at + 4096]]
    assert leaves
    for at in leaves:
        flip(path, at=at + 10, mask=mask)
    since = len(daemon.said())
    daemon.start()
    assert "volume 'main': " in daemon.said(since) and 'index' in daemon.said(since) and 'damaged' in daemon.said(since)
    assert daemon.counters()['proxyd_volume_index_damaged'] == 1
    for i in range(40):
        assert daemon.get(f'/{i}').body == b'%-20s' % f'/{i}'.encode() * 400
    assert verdict in {r['cache'] for r in daemon.records(80)[40:]}
    flush()
    daemon.stop()
    since = len(daemon.said())
    daemon.start()
    for i in range(40):
        daemon.get(f'/{i}')
    assert {r['cache'] for r in daemon.records(120)[80:]} == {'hit'}
    assert 'damaged' not in daemon.said(since)


def test_the_scrub_finds_what_nobody_asks_for(cached):
    daemon, o = cached(pages, volume='scrub 100m; scrub_interval 1s;')
    since = damaged_page(daemon)
    daemon.wait_said("volume 'main': the scrub read 10 objects; 1 were damaged", since)
    counters = until('the end of a pass', lambda: (c := daemon.counters())['proxyd_volume_scrub_passes_total'] > 0 and c)
    assert counters['proxyd_volume_scrub_damaged_total'] == counters['proxyd_volume_damaged_total'] == 1
    assert counters['proxyd_volume_scrub_bytes_total'] >= 10 * 8000 and counters['proxyd_volume_scrub_end_seconds'] > 1e9
    assert counters['proxyd_volume_objects'] == 9
    assert daemon.get('/4').body == b'%-20s' % b'/4' * 400
    assert daemon.records(11)[10]['cache'] == 'miss'


def test_a_scrub_that_is_off_reads_nothing(cached):
    daemon, o = cached(pages, volume='scrub off; scrub_interval 1s;')
    daemon.get('/')
    assert '\tscrub off;\n\tscrub_interval 1s;' in daemon.run('-T', '-c', daemon.config_path).stdout
    names = [open(f'/proc/{daemon.process.pid}/task/{t}/comm').read().strip() for t in os.listdir(f'/proc/{daemon.process.pid}/task')]
    assert 'scrub' not in names
