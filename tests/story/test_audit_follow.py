"""logaudit follow beside a running daemon: across rotation, restarts and a terminal, and nothing is counted twice or lost."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess

import pytest
from harness import LOGAUDIT, logaudit, until
from test_audit import MAX_AGE, two_sites


class Follower:
    """A running logaudit follow, and what it has said so far."""
    def __init__(self, log, *args, terminal=False):
        self.said = ''
        self.master, out = pty.openpty() if terminal else os.pipe()
        self.process = subprocess.Popen([LOGAUDIT, 'follow', '--every', '1', *map(str, args), log], stdout=out, stderr=subprocess.PIPE, text=True)
        os.close(out)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:          # a terminal whose other end is closed
                break
            if not data:
                break
            self.said += data.decode()
        return self.said

    def wait(self, pattern):
        return until(pattern, lambda: re.search(pattern, self.read(), re.S))

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        assert self.process.wait(10) == 0, self.process.stderr.read()
        self.read()
        os.close(self.master)
        self.process.stderr.close()
        return self.said


@pytest.fixture
def site_of(proxy, origin):
    o = origin(headers=MAX_AGE, body=b'x' * 500)
    daemon = proxy(two_sites(o, ''))

    def ask(count, host='good.test'):
        with daemon.client() as client:
            for i in range(count):
                assert client.get(f'/page/{i % 10}', host=host).status == 200
    daemon.ask = ask
    return daemon


def lines_of(path):
    with open(path, 'rb') as f:
        return [line for line in f.read().split(b'\n')[:-1] if not line.startswith(b'rec/')]


def kept(path):
    with open(path) as f:
        return json.load(f)['counts']


def rotate(daemon, to):
    os.rename(daemon.log, to)
    daemon.process.send_signal(signal.SIGUSR1)
    until('a new log', lambda: os.path.exists(daemon.log) and os.path.getsize(daemon.log) > 0)


def test_it_tells_rates_and_findings_as_they_appear(site_of):
    follower = Follower(site_of.log)
    site_of.ask(30)
    follower.wait(r'requests [0-9.]+/s; hit ratio 66.67 % = 20 of 30 in|= 20 of 30 since the start')
    assert 'volume-unbound' not in follower.said
    site_of.ask(40, host='forgot.test')
    follower.wait(r'warning volume-unbound: forgot.test \(\d+\): .*no volume is bound.*access.csv:\d+\)')
    follower.stop()
    # A finding is said when it appears, and not again and again.
    assert follower.said.count('warning volume-unbound') == 1


def test_across_a_rotation_each_line_is_counted_once(site_of, tmp_path):
    state = tmp_path / 'state.json'
    follower = Follower(site_of.log, '--state', state)
    site_of.ask(50)
    follower.wait('of 50 since')
    rotate(site_of, site_of.log + '.1')
    site_of.ask(30)
    follower.wait('of 80 since')
    follower.stop()
    assert kept(state)['requests'] == 80 and kept(state)['lines_rejected'] == 0
    site_of.stop()
    logaudit('follow', '--once', '--state', state, site_of.log, code=0)
    assert kept(state)['lines_counted'] == len(lines_of(site_of.log)) + len(lines_of(site_of.log + '.1'))


def test_a_restart_goes_on_exactly_there_though_files_were_rotated_and_packed(site_of, tmp_path):
    state = tmp_path / 'state.json'
    site_of.ask(20)
    site_of.records(20)
    logaudit('follow', '--once', '--state', state, site_of.log, code=0)
    assert kept(state)['requests'] == 20
    # Nothing new: nothing counted.
    logaudit('follow', '--once', '--state', state, site_of.log, code=0)
    assert kept(state)['requests'] == 20
    site_of.ask(15)
    site_of.records(35)
    rotate(site_of, site_of.log + '.2')
    site_of.ask(11)
    rotate(site_of, site_of.log + '.1')
    subprocess.run(['gzip', site_of.log + '.2'], check=True)
    site_of.ask(7)
    site_of.stop()
    said = logaudit('follow', '--once', '--state', state, site_of.log, code=0).stdout
    assert kept(state)['requests'] == 53, said
    assert 'access.csv.2.gz' in said and 'access.csv.1' in said


def test_copying_and_cutting_loses_nothing_that_was_copied(site_of, tmp_path):
    state = tmp_path / 'state.json'
    site_of.ask(20)
    site_of.stop()
    log = site_of.log
    logaudit('follow', '--once', '--state', state, log, code=0)
    with open(log, 'rb') as f:
        whole = f.read().splitlines(keepends=True)
    again = [line for line in whole if line.startswith(b'req,')]
    with open(log, 'ab') as f:
        f.writelines(again[:5])
    shutil.copyfile(log, log + '.1')
    with open(log, 'r+b') as f:
        f.truncate(0)
        f.write(whole[0])
        f.writelines(again[:3])
    said = logaudit('follow', '--once', '--state', state, log).stdout
    assert kept(state)['requests'] == 28 and 'reading on' in said, said


def test_a_file_that_vanishes_is_waited_for(site_of):
    follower = Follower(site_of.log)
    site_of.ask(10)
    follower.wait('of 10 since')
    os.rename(site_of.log, site_of.log + '.away')
    follower.wait('note: .*is gone: waiting')
    site_of.process.send_signal(signal.SIGUSR1)
    follower.wait('note: .*is back')
    site_of.ask(10)
    follower.wait('of 20 since')
    follower.stop(signal.SIGINT)


def test_on_a_terminal_it_is_a_screen_that_is_taken_back(site_of):
    follower = Follower(site_of.log, terminal=True)
    site_of.ask(30)
    follower.wait(r'66\.67 % = 20 of 30')
    site_of.ask(40, host='forgot.test')
    follower.wait(r'warning volume-unbound: forgot.test')
    said = follower.stop(signal.SIGINT)
    assert said.startswith('\033[?1049h\033[?25l') and said.endswith('\033[?25h\033[?1049l')
    last = said.split('\033[H\033[2J')[-1]
    assert all(len(line) <= 80 for line in last.split('\033')[0].splitlines()), last


def test_what_cannot_be_followed_is_a_sentence(tmp_path):
    log, state = tmp_path / 'a.csv', tmp_path / 'state.json'
    log.write_text('')
    for args, word in [([tmp_path], 'directory'), ([tmp_path / 'none'], 'No such file'), (['-'], 'one file'), ([log, log], 'one file')]:
        assert word in logaudit('follow', '--once', *args, code=2).stderr
    for text in ['', '{}', '[1]', '{"since": 1, "counts": {}, "tail": {}}']:
        state.write_text(text)
        assert 'state' in logaudit('follow', '--once', '--state', state, log, code=2).stderr
    # A state of another log must not be gone on with.
    state.unlink()
    logaudit('follow', '--once', '--state', state, log, code=0)
    other = tmp_path / 'b.csv'
    other.write_text('')
    assert 'another file' in logaudit('follow', '--once', '--state', state, other, code=2).stderr
    assert 'not kept' in logaudit('follow', '--once', '--state', tmp_path / 'none' / 'state', log, code=2).stderr
