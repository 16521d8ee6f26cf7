"""What is on disk outlives the daemon and the machine: `ctl volume flush` says when it is."""
import json

import pytest

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
