"""A binary upgrade: a new program takes over from the running one. No connection is refused, no request is lost, what the old one
stored is a hit in the new one, and when the new one fails the old one goes on."""
import ctypes
from collections import Counter
from itertools import count
import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import tempfile
import threading
import time

import pytest

from harness import DEADLINE, Client, Closed, findings, audit_json, logaudit, site, until
from tls_help import Cert, TlsClient, context, site as tls_site

MAX_AGE = [('Cache-Control', 'max-age=600')]
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0      # a new process is ours when the old one ends


class Heir:
    """The process that has taken over, as harness.Proxyd wants it: what subprocess.Popen gives of a child."""

    def __init__(self, pid, stderr):
        self.pid, self.stderr, self.returncode = pid, stderr, None

    def poll(self):
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:        # the child of one that still lives
                return None if os.path.exists(f'/proc/{self.pid}') else -1
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=None):
        return until(f'end of process {self.pid}', lambda: self.poll() is not None, timeout) and self.returncode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def upgrade(daemon, ends=True):
    """Asks for it and waits until the new process serves; returns the old one."""
    since = len(daemon.said())
    old = daemon.process
    old.send_signal(signal.SIGUSR2)
    pid = int(daemon.wait_said(r'upgrade: process (\d+) serves now', since)[1])
    daemon.process = Heir(pid, old.stderr)
    if ends:
        assert old.wait(DEADLINE) == 0
    return old


def upgrade_fails(daemon, program=None):
    since = len(daemon.said())
    daemon.process.send_signal(signal.SIGUSR2)
    return daemon.wait_said(r'upgrade: it has failed: ([^\n]*); this process goes on', since)[1]


def whole_audit(daemon):
    """Every line, and no finding that an upgrade could have made."""
    logaudit('check', daemon.log, code=None)
    audit = audit_json('check', daemon.log)
    assert audit['lines_rejected'] == 0
    assert [f for f in audit['findings'] if f['rule'] in ('log-gap', 'metrics-disagree')] == []


def test_what_the_old_process_stored_is_a_hit_in_the_new_one(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=request.target * 5000))
    for i in range(20):
        daemon.get(f'/{i}')
    old = upgrade(daemon)
    assert old.returncode == 0
    for i in range(20):
        assert daemon.get(f'/{i}').body == f'/{i}'.encode() * 5000
    daemon.get('/new')
    assert daemon.get('/new').body == b'/new' * 5000
    records = daemon.records(42)
    assert {r['cache'] for r in records[20:40]} == {'hit'}
    assert [r['cache'] for r in records[40:]] == ['miss', 'hit']
    assert len(o.requests) == 21
    assert [r['config'] for r in (records[0], records[-1])] == ['1', '2']
    daemon.stop()
    assert [r['rec'] for r in daemon.all_records() if r['rec'] not in ('req', 'volume')] == ['start', 'upgrade', 'retired', 'stop']
    whole_audit(daemon)
    daemon.start()
    daemon.get('/new')
    assert daemon.records(43)[42]['cache'] == 'hit'


def test_three_upgrades_in_a_row_leave_nothing_open(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'x' * 50_000, workers=2, volume='scrub off;')     # which opens its files when it comes to it
    daemon.get('/')

    def descriptors():
        found = []
        for fd in os.listdir(f'/proc/{daemon.process.pid}/fd'):
            try:
                found.append(os.readlink(f'/proc/{daemon.process.pid}/fd/{fd}').split(':')[0])
            except FileNotFoundError:            # closed meanwhile
                pass
        return Counter(found)
    upgrade(daemon)
    assert daemon.get('/').body == b'x' * 50_000     # the volume is open
    files = descriptors()
    for _ in range(3):
        assert daemon.get('/').body == b'x' * 50_000
        upgrade(daemon)
        until('the same descriptors as before', lambda: not descriptors() - files)
    assert [r['cache'] for r in daemon.records(5)] == ['miss', 'hit', 'hit', 'hit', 'hit']
    assert len({r['worker'] for r in daemon.all_records() if r['rec'] == 'upgrade'}) == 4
    daemon.stop()
    whole_audit(daemon)


class Load:
    """Clients that ask as fast as they can, on connections of one and of many requests; what fails is kept."""

    def __init__(self, daemon, clients=6):
        self.address, self.stop, self.done, self.failed = daemon.address, False, 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, n):
        i = 0
        client = None
        while not self.stop:
            i += 1
            try:
                if client is None:
                    client = Client(self.address)
                path = f'/{(i * 7 + n) % 50}'
                headers = [('Connection', 'close')] if n % 2 else []
                client.request(path, headers=headers)
                answer = client.response()
                assert answer.status == 200 and answer.body == path.encode() * 3000, answer
                with self.lock:
                    self.done += 1
                if (answer.headers.get('connection') or '').lower() == 'close' or n % 2:
                    client.close()
                    client = None
            except (Closed, OSError, AssertionError) as e:
                # An idle connection may be closed at any time (RFC 9112 section 9.5): that one alone is asked again.
                if isinstance(e, (Closed, OSError)) and client is not None and client.seen and not n % 2 and not client.buf \
                        and not getattr(e, 'got', b''):
                    client.close()
                    client = None
                    continue
                self.failed.append(e)
                return

    def wait(self, more):
        want = self.done + more
        until(f'{more} more answers ({self.failed[:3]})', lambda: self.done >= want or self.failed, 30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop = True

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join(DEADLINE)
        assert not self.failed, self.failed[:5]
        return self.done


@pytest.mark.parametrize('workers', [1, 3])
def test_under_load_no_request_is_lost_and_every_one_is_logged(cached, workers):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=request.target * 3000), workers=workers)
    with Load(daemon) as load:
        load.wait(300)
        for _ in range(3):
            upgrade(daemon)
            load.wait(300)
        done = load.end()
    daemon.stop()
    records = daemon.requests()
    assert len([r for r in records if r['status'] == '200' and r['end'] == 'complete']) == done
    assert len(records) == done
    whole_audit(daemon)


def test_another_number_of_workers_uses_all_sockets(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'x', workers=3)
    for workers in (1, 2, 4):
        with open(daemon.config_path) as f:
            text = f.read()
        daemon.write_config(re.sub(r'workers \d', f'workers {workers}', text))
        upgrade(daemon)
        for _ in range(30):                  # each of the sockets gets some
            assert daemon.get('/').status == 200
    assert len(daemon.records(90)) == 90


def test_a_slow_client_of_the_old_process_gets_its_bytes_while_the_new_one_turns_the_volume_over(cached):
    body = os.urandom(9 << 20)             # more than the kernel keeps for a client that does not read
    other = os.urandom(200_000)
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=body if request.target == '/big' else other),
                       volume='ram 0;', volume_size='24m')
    daemon.get('/big')
    until('stored', lambda: daemon.counters()['proxyd_volume_stored_total'] == 1)
    slow = daemon.client()
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
    slow.request('/big')
    got = slow.take_until(b'\r\n\r\n') and slow.take(10_000)
    old = upgrade(daemon, ends=False)
    numbers = count()

    def turned_over():
        assert daemon.get(f'/{next(numbers)}').body == other
        return any(r['nostore'] == 'upgrade' for r in daemon.requests())
    until('room only where the old process reads', turned_over)
    assert old.poll() is None, 'the old process waits for its client'
    got += slow.take(len(body) - len(got))
    assert got == body
    assert old.wait(DEADLINE) == 0
    assert {r['nostore'] for r in daemon.requests() if r['target'] != '/big'} <= {'', 'queue_full', 'upgrade'}
    until('stored again', lambda: daemon.get('/last').body == other and daemon.requests()[-1]['cache'] == 'hit')
    stat_after = daemon.counters()
    assert stat_after['proxyd_volume_damaged_total'] == 0
    whole_audit(daemon)


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_sessions_from_before_are_resumed_after_it(proxy, tmp_path, version):
    cert = Cert('site.test')
    cert.write(tmp_path)
    daemon = proxy(tls_site(workers=2))
    ctx = context(cert, low=version, high=version)

    def ask(session=None):
        with TlsClient(daemon.address, ctx=ctx, session=session) as client:
            assert client.get('/').status == 200
            return client.sock.session, client.sock.session_reused

    first, _ = ask()
    for _ in range(2):
        upgrade(daemon)
        assert ask(first)[1], 'its keys came over two upgrades'
    assert not ask()[1]


def test_ticket_keys_from_a_file_are_read_by_the_new_process_itself(proxy, tmp_path):
    cert = Cert('site.test')
    cert.write(tmp_path)
    for n in range(2):
        (tmp_path / f'key{n}').write_bytes(os.urandom(80))
    daemon = proxy(tls_site(main='ssl_session_ticket_key key0;'))
    ctx = context(cert)

    def ask(session=None):
        with TlsClient(daemon.address, ctx=ctx, session=session) as client:
            assert client.get('/').status == 200
            return client.sock.session, client.sock.session_reused

    session, _ = ask()
    upgrade(daemon)
    assert ask(session)[1]
    daemon.write_config(tls_site(main='ssl_session_ticket_key key1;'))
    upgrade(daemon)
    assert not ask(session)[1], 'the file counts, not what the old process had'


# ---- what fails ----

def after_failure(daemon, seen):
    """The old one serves as before: hits, and stores."""
    assert daemon.get('/kept').status == 200
    daemon.get(f'/new{seen}')
    assert daemon.get(f'/new{seen}').status == 200
    assert [r['cache'] for r in daemon.records(seen + 3)[seen:]] == ['hit', 'miss', 'hit']
    return seen + 3


def test_a_bad_configuration_changes_nothing_and_is_told(cached):
    daemon, o = cached(headers=MAX_AGE)
    daemon.get('/kept')
    with open(daemon.config_path) as f:
        good = f.read()
    daemon.write_config(good.replace('proxy_cache main', 'proxy_cache mian'))
    assert 'ended with code 1' in upgrade_fails(daemon)
    daemon.wait_said('upgrade: .*proxyd.conf:.*mian')
    seen = after_failure(daemon, 1)
    daemon.write_config(good.replace('size 8m', 'size 900000g'))
    upgrade_fails(daemon)
    seen = after_failure(daemon, seen)
    daemon.write_config(good.replace('access_log access.csv', 'access_log no/such/folder.csv'))
    upgrade_fails(daemon)
    seen = after_failure(daemon, seen)
    daemon.write_config(good)
    upgrade(daemon)
    after_failure(daemon, seen)


def script(tmp, text):
    path = os.path.join(tmp, 'program')
    with open(path, 'w') as f:
        f.write('#!/bin/sh\n' + text)
    os.chmod(path, 0o755)
    return path


@pytest.fixture
def admin():
    folder = tempfile.mkdtemp(prefix='story')
    yield os.path.join(folder, 'admin')
    shutil.rmtree(folder)


def ctl(daemon, *words, code=0):
    done = daemon.run('-c', daemon.config_path, 'ctl', *words, timeout=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout)


def test_ctl_names_a_program_waits_and_says_how_it_went(cached, admin):
    daemon, o = cached(headers=MAX_AGE, http=f'admin unix:{admin};')
    daemon.get('/kept')
    answer = ctl(daemon, 'upgrade', '/no/such/program', code=1)
    assert 'No such file' in answer['error']
    answer = ctl(daemon, 'upgrade', script(daemon.tmp, 'exit 7'), code=1)
    assert 'ended with code 7' in answer['error']
    answer = ctl(daemon, 'upgrade', script(daemon.tmp, 'kill -9 $$'), code=1)
    assert 'ended by signal 9' in answer['error']
    after_failure(daemon, 1)
    old = daemon.process
    answer = ctl(daemon, 'upgrade')
    assert answer['old_pid'] == old.pid
    daemon.process = Heir(answer['pid'], old.stderr)
    assert old.wait(DEADLINE) == 0
    assert ctl(daemon, 'status')['pid'] == answer['pid']
    after_failure(daemon, 4)
    purged = ctl(daemon, 'purge', 'all', '--hard')
    assert purged['objects'] == 3


def test_the_pid_file_names_who_serves(cached):
    daemon, o = cached(headers=MAX_AGE, http='pid proxyd.pid;')
    path = os.path.join(daemon.tmp, 'proxyd.pid')
    for _ in range(2):
        upgrade(daemon)
        with open(path) as f:
            assert int(f.read()) == daemon.process.pid
    with open(daemon.config_path) as f:
        good = f.read()
    daemon.write_config('nonsense;')
    upgrade_fails(daemon)
    daemon.write_config(good)
    with open(path) as f:
        assert int(f.read()) == daemon.process.pid
    assert daemon.run('-c', daemon.config_path, '-s', 'stop').returncode == 0
    daemon.wait_exit()
    assert not os.path.exists(path)


def test_the_service_manager_is_told_whose_turn_it_is(cached, proxy, origin, tmp_path):
    path = str(tmp_path / 'notify')
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    sock.settimeout(DEADLINE)
    daemon = proxy(site(origin(headers=MAX_AGE)), env={'NOTIFY_SOCKET': path})
    assert b'READY=1' in sock.recv(1000)
    upgrade(daemon)
    said = [sock.recv(1000) for _ in range(2)]
    assert any(f'MAINPID={daemon.process.pid}'.encode() in s for s in said), said
    assert not any(b'STOPPING' in s for s in said)
    daemon.stop()
    assert b'STOPPING=1' in sock.recv(1000)
    sock.close()


# ---- kill -9 in the middle: a program that stops itself where the story wants ----

def held_volume(daemon):
    """Whoever opens the volume waits: the story has the lock of its index (see test_start.py)."""
    from test_start import HeldIndex
    return HeldIndex(os.path.join(daemon.tmp, 'vol'))


def test_the_new_process_is_killed_after_the_volumes_were_given_up(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'x' * 20_000)
    daemon.get('/kept')
    until('stored', lambda: daemon.counters()['proxyd_volume_stored_total'] == 1)
    since = len(daemon.said())
    with held_volume(daemon) as held:        # the old one has nothing to write: it does not wait
        daemon.process.send_signal(signal.SIGUSR2)
        new = until('the new process', lambda: children(daemon.process.pid))
        retired = until('the volume given up', lambda: lock_is_of(daemon, new[0]))
        assert retired
        assert daemon.get('/kept').body == b'x' * 20_000      # read on
        daemon.get('/other')
        assert [(r['cache'], r['nostore']) for r in daemon.records(3)[1:]] == [('hit', ''), ('miss', 'upgrade')]
        os.kill(new[0], signal.SIGKILL)
        assert 'signal 9' in daemon.wait_said(r'upgrade: it has failed: ([^\n]*)', since)[1]
        held.release()
    after_failure(daemon, 3)
    upgrade(daemon)
    after_failure(daemon, 6)


def test_the_old_process_is_killed_when_it_has_given_up_the_volumes(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'x' * 20_000)
    daemon.get('/kept')
    until('stored', lambda: daemon.counters()['proxyd_volume_stored_total'] == 1)
    since = len(daemon.said())
    old = daemon.process
    with held_volume(daemon) as held:
        old.send_signal(signal.SIGUSR2)
        new = until('the new process', lambda: children(old.pid))
        until('the volume given up', lambda: lock_is_of(daemon, new[0]))
        old.kill()
        old.wait(DEADLINE)
        held.release()
    daemon.process = Heir(new[0], old.stderr)
    daemon.wait_said(r'proxyd: ready: listening', since)
    assert daemon.get('/kept').body == b'x' * 20_000
    assert daemon.records(2)[1]['cache'] == 'hit'
    daemon.get('/new')
    daemon.get('/new')
    assert [r['cache'] for r in daemon.records(4)[2:]] == ['miss', 'hit']


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as f:
        return [int(p) for p in f.read().split()]


def lock_is_of(daemon, pid):
    """Whether the process has the lock of the volume's folder."""
    inode = os.stat(os.path.join(daemon.tmp, 'vol', 'volume')).st_ino
    with open('/proc/locks') as f:
        return [line for line in f if 'FLOCK' in line and f' {pid} ' in line and line.split()[5].endswith(f':{inode}')]


# ---- what is said to one process holds in the other ----

def test_an_unsafe_request_to_the_old_process_holds_in_the_new_one(cached):
    def handler(request, conn):
        if request.method == 'POST':
            conn.origin.pass_gate()
            return conn.reply(204)
        conn.reply(headers=MAX_AGE + [('Vary', 'Accept-Language')], body=b'version %d' % len(conn.origin.requests))
    daemon, o = cached(handler)
    assert daemon.get('/page', headers=[('Accept-Language', 'de')]).body == b'version 1'
    client = daemon.client()
    client.request('/page', method='POST', body=b'x')
    o.wait_requests(2)
    old = upgrade(daemon, ends=False)
    assert daemon.get('/page', headers=[('Accept-Language', 'de')]).body == b'version 1'
    o.open_gate()
    assert client.response('POST').status == 204
    assert old.wait(DEADLINE) == 0
    until('the new process knows', lambda: daemon.get('/page', headers=[('Accept-Language', 'de')]).body == b'version 3')


def test_requests_that_the_old_process_works_on_are_finished_there(cached):
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789')
        conn.origin.pass_gate()
        conn.send(b'0123456789')
    daemon, o = cached(handler)
    client = daemon.client()
    client.request('/')
    client.take_until(b'0123456789')
    old = upgrade(daemon, ends=False)
    assert old.poll() is None
    o.open_gate()
    assert client.take(10) == b'0123456789'
    assert old.wait(DEADLINE) == 0
    assert daemon.records(1)[0]['end'] == 'complete'


def test_a_unix_socket_stays_where_it_is(cached, admin):
    daemon, o = cached(headers=MAX_AGE, more=f'listen unix:{admin}.http;')
    for _ in range(2):
        upgrade(daemon)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(f'{admin}.http')
            sock.sendall(b'GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n')
            assert sock.recv(4096).startswith(b'HTTP/1.1 200')
    daemon.stop()
    assert not os.path.exists(f'{admin}.http')


def test_a_reload_after_an_upgrade_is_a_reload(cached):
    daemon, o = cached(headers=MAX_AGE)
    upgrade(daemon)
    since = daemon.reload()
    daemon.wait_said('configuration 3 is in use', since)
    assert daemon.get('/').status == 200
    assert daemon.record()['config'] == '3'
