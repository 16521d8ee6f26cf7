"""A hundred clients read a large object in small steps while the volume is written over ten times (issue 4): no growth, right
bytes, and their object's room comes back when they leave."""
import socket
import tempfile

import pytest

from harness import Client, Wire, until

MAX_AGE = [('Cache-Control', 'max-age=600')]
READERS, LARGE, TURNS, VOLUME = 100, 3_000_000, 10, 16 << 20
SIZE = 200_000


def large():
    return b''.join(b'%07d ' % i for i in range(LARGE // 8))


class SlowClient(Wire):
    """Over a UNIX socket, whose buffer the kernel does not let grow: what is not read waits in the daemon."""
    step = 2048
    request, head = Client.request, Client.head

    def __init__(self, path):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        super().__init__(sock)

    def fill(self):
        """A small step."""
        data = self.sock.recv(self.step)
        self.buf += data
        return bool(data)


def gauge(daemon, name):
    return daemon.counters()[f'proxyd_volume_{name}']


@pytest.fixture
def socket_path():
    with tempfile.TemporaryDirectory() as folder:            # a short one: addresses have little room
        yield f'{folder}/slow'


def test_a_hundred_long_readers_cost_their_object_and_nothing_else(cached, socket_path):
    body = large()
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=body if request.target == '/large' else
                                                        (request.target.encode() * SIZE)[:SIZE]),
                       volume_size=str(VOLUME), volume='ram 1m;', settings='purge_allow 127.0.0.1; send_timeout 1h;', more=f'listen unix:{socket_path};', listens=2)
    daemon.get('/large')
    until('it is stored', lambda: gauge(daemon, 'stored_total') == 1)
    daemon.stop()
    daemon.start()                       # on disk only
    readers = [SlowClient(socket_path) for _ in range(READERS)]
    daemon.clients += readers
    for reader in readers:
        reader.request('/large')
        assert reader.head().status == 200
        reader.at = 0
    assert daemon.get('/large', method='PURGE', headers=[('Purge-Mode', 'hard')]).status == 200
    number, memory = 0, []
    def written(volumes):
        """Some more; whether so many volumes were written by now, however fast the disk is."""
        nonlocal number
        for _ in range(20):
            assert len(daemon.get(f'/{number}').body) == SIZE
            number += 1
        return gauge(daemon, 'stored_total') >= volumes * VOLUME // SIZE

    for turn in range(TURNS):
        until('the volume written over', lambda: written(turn + 1), deadline=60)
        for reader in readers:
            assert reader.take(1000) == body[reader.at:reader.at + 1000]
            reader.at += 1000
        memory.append(daemon.memory())
    # What the first two turns have is what it needs.
    assert max(memory[2:]) < max(memory[:2]) + (8 << 20), memory
    assert gauge(daemon, 'limbo_bytes') >= LARGE
    counters = daemon.counters()
    assert counters['proxyd_volume_errors_total'] == counters['proxyd_volume_damaged_total'] == 0
    assert counters['proxyd_volume_evicted_total'] > VOLUME // SIZE * (TURNS - 2)
    assert counters['proxyd_volume_live_bytes'] > VOLUME / 2
    for reader in readers[:3]:           # to the end
        reader.step = 65536
        assert reader.take(LARGE - reader.at) == body[reader.at:]
    held = gauge(daemon, 'limbo_bytes')
    for reader in readers:
        reader.close()

    def back():
        nonlocal number
        daemon.get(f'/{number}')         # room is looked for when something is stored
        number += 1
        return gauge(daemon, 'limbo_bytes') < max(held - LARGE + 1, LARGE)
    until('its room', back)
    ends = {}
    for record in until('their records', lambda: len(r := [r for r in daemon.requests() if r['target'] == '/large' and r['method'] == 'GET']) > READERS and r)[1:]:
        ends[record['end'], record['tier']] = ends.get((record['end'], record['tier']), 0) + 1
    assert ends == {('complete', 'disk'): 3, ('client_left', 'disk'): READERS - 3}
