"""A disk that fails: the site goes on uncached, what was not stored is counted and named in the log, a volume that was set
aside comes back by itself, and no wrong byte is ever served (issue 4)."""
import errno

import pytest

from harness import audit_json, findings, until

MAX_AGE = [('Cache-Control', 'max-age=600')]
ALL = -1


def body_of(target):
    return (target.encode() + b' ') * 2000


def faulty(cached, disk, volume='ram 4m; retry 20ms;', **kw):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=body_of(request.target)), disk=disk, volume=volume, **kw)
    get(daemon, '/before')
    stored(daemon, 1)
    return daemon, o


def get(daemon, target):
    answer = daemon.get(target)
    assert (answer.status, answer.body) == (200, body_of(target))


def gauge(daemon, name):
    return daemon.counters()[f'proxyd_volume_{name}']


def stored(daemon, count):
    until(f'{count} objects committed', lambda: gauge(daemon, 'stored_total') >= count)


def unstored(daemon):
    return [r for r in daemon.all_records() if r['rec'] == 'unstored']


def objects(records):
    return sum(int(r['unstored']) for r in records)


def accounts_agree(daemon, why):
    """What lines said stored was committed, or a record says that it was not: in the log, the metrics and the audit alike."""
    def same():
        said = sum(int(r['stored'] or 0) for r in daemon.all_records() if r['rec'] == 'req')
        return said == gauge(daemon, 'stored_total') + objects(unstored(daemon))
    until('the accounts that agree', same)
    records = unstored(daemon)
    lost = {r['nostore'] for r in records}
    assert why in lost and lost <= {why, 'volume_failed'}, lost
    for name in lost:
        assert gauge(daemon, f'unstored_{name}_total') == objects([r for r in records if r['nostore'] == name])
    report = audit_json('report', daemon.log)
    assert report['totals']['unstored'] == objects(records)
    assert report['totals']['unstored_bytes'] == sum(int(r['object_bytes']) for r in records) > 10_000
    found = findings(report, 'volume-errors')
    assert [f['subject'] for f in found] == ['main'] and found[0]['severity'] == 'error' and found[0]['evidence'], report['findings']
    assert why in found[0]['cause']


FAULTS = [
    # what fails, with what, the reason in the log
    ('data', 'write', errno.ENOSPC, 'disk_full'),
    ('data', 'write', errno.EDQUOT, 'disk_full'),
    ('data', 'write', errno.EIO, 'disk_error'),
    ('data', 'sync', errno.EIO, 'disk_error'),
    ('data', 'sync', errno.ENOSPC, 'disk_full'),
    ('data', 'sync', errno.EDQUOT, 'disk_full'),
    ('index', 'write', errno.ENOSPC, 'disk_full'),
    ('index', 'write', errno.EDQUOT, 'disk_full'),
    ('index', 'write', errno.EIO, 'disk_error'),
    ('index', 'sync', errno.EIO, 'disk_error'),
    ('index', 'sync', errno.ENOSPC, 'disk_full'),
    ('map', 'put', 0, 'index_full'),
]
NAMES = [f'{f}-{o}-{errno.errorcode.get(e, "full")}' for f, o, e, _ in FAULTS]


def break_disk(disk, file, operation, error):
    if file == 'map':
        disk.set('map_full', ALL)
    else:
        disk.fail(file, operation, error)


@pytest.mark.parametrize('file,operation,error,why', FAULTS, ids=NAMES)
def test_the_site_goes_on_and_the_volume_comes_back(cached, disk, file, operation, error, why):
    daemon, o = faulty(cached, disk)
    break_disk(disk, file, operation, error)
    for i in range(40):                  # until the volume is set aside
        count = objects(unstored(daemon))
        get(daemon, f'/during/{i}')
        last = until('its line', lambda: [r for r in daemon.requests() if r['target'] == f'/during/{i}'])[0]
        if last['stored'] == '0':
            break
        until('what was not stored', lambda: objects(unstored(daemon)) > count)
    assert last['nostore'] == 'volume_failed' and 1 <= i <= 3, last
    assert gauge(daemon, 'failed') == 1 and gauge(daemon, 'set_aside_total') == 1
    assert 'set aside, nothing is stored' in daemon.said()
    get(daemon, '/before')               # what it has it serves; for a full map something was evicted in vain
    assert o.paths().count('/before') == (2 if file == 'map' else 1)
    until('it has tried in vain', lambda: gauge(daemon, 'retries_total') >= 2)
    assert gauge(daemon, 'failed') == 1
    disk.heal()
    daemon.wait_said('stores again')
    before = gauge(daemon, 'stored_total')
    until('stored again', lambda: get(daemon, '/after') or gauge(daemon, 'stored_total') > before)
    accounts_agree(daemon, why)
    assert gauge(daemon, 'failed') == 0
    daemon.stop()
    count = len(daemon.requests())
    daemon.start()
    for target in ('/before', '/after', '/during/0'):
        get(daemon, target)
    verdicts = [r['cache'] for r in daemon.records(count + 3)[count:]]
    assert verdicts == ['miss' if file == 'map' else 'hit', 'hit', 'miss']


@pytest.mark.parametrize('file,operation,error,why', FAULTS, ids=NAMES)
def test_one_failure_costs_one_batch(cached, disk, file, operation, error, why):
    daemon, o = faulty(cached, disk)
    if file == 'map':
        disk.set('map_full', 3)          # the batch, the commit that was to make room for it, the batch once more
    else:
        disk.fail(file, operation, error, only=1)
    get(daemon, '/lost')
    until('what was not stored', lambda: objects(unstored(daemon)) == 1)
    if file == 'index':
        daemon.wait_said('stores again')
    else:
        assert gauge(daemon, 'set_aside_total') == 0
    before = gauge(daemon, 'stored_total')
    until('stored again', lambda: get(daemon, '/after') or gauge(daemon, 'stored_total') > before)
    accounts_agree(daemon, why)
    daemon.kill()
    count = len(daemon.requests())
    daemon.start()
    get(daemon, '/after')
    get(daemon, '/lost')                 # never trusted: it may look right in the page cache
    assert [r['cache'] for r in daemon.records(count + 2)[count:]] == ['hit', 'miss']


def test_a_meta_page_that_cannot_be_written_waits_for_the_next_start(cached, disk):
    """LMDB then refuses all further work. The next start looks through the index, and has what was stored."""
    daemon, o = faulty(cached, disk)
    disk.fail('index', 'write', errno.EIO, bytes_to=8192)
    get(daemon, '/lost')
    until('what was not stored', lambda: objects(unstored(daemon)) == 1)
    disk.heal()
    daemon.wait_said('nothing is stored until the next start')
    for target in ('/before', '/x'):
        get(daemon, target)
    assert gauge(daemon, 'failed') == 1
    daemon.stop()
    daemon.start()
    count = len(daemon.requests())
    get(daemon, '/before')
    get(daemon, '/lost')
    assert [r['cache'] for r in daemon.records(count + 2)[count:]] == ['hit', 'miss']
    assert gauge(daemon, 'failed') == 0
    stored(daemon, 1)


def test_short_writes_are_gone_on_with_and_touch_nothing_else(cached, disk):
    """4,000 bytes at a time: a body of 8,100 ends within a block, and what lies behind it is another's."""
    sizes = [8100, 5000, 12_287, 100_000, 4097, 3999]
    bodies = {f'/{i}': (b'%d-' % i) * size for i, size in enumerate(sizes * 4)}
    bodies = {t: b[:sizes[int(t[1:]) % len(sizes)]] for t, b in bodies.items()}
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=bodies[request.target]), disk=disk)
    disk.set('write_most', 4000)
    for target in bodies:
        assert daemon.get(target).body == bodies[target]
    stored(daemon, len(bodies))
    daemon.kill()                        # so that checksums are checked
    daemon.start()
    count = len(daemon.requests())
    for target in bodies:
        assert daemon.get(target).body == bodies[target]
    assert {r['cache'] for r in daemon.records(count + len(bodies))[count:]} == {'hit'}
    assert gauge(daemon, 'damaged_total') == 0


@pytest.mark.parametrize('size', [20_000, 3_000_000])
def test_a_block_that_cannot_be_read_costs_its_object_only(cached, disk, size):
    bodies = {f'/{i}': (b'mark-%d ' % i * size)[:size] for i in range(4)}
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=bodies[request.target]), disk=disk, volume_size='64m',
                       volume='ram 1m;')
    for target in bodies:
        daemon.get(target)
    stored(daemon, 4)
    daemon.stop()
    with open(f'{daemon.tmp}/vol/data', 'rb') as f:
        at = f.read().index(b'mark-2 ')
    daemon.start()
    count = len(daemon.requests())
    disk.set('cold', 1)
    disk.fail('data', 'read', errno.EIO, bytes_from=at, bytes_to=at + 4096)
    for target in bodies:
        answer = daemon.get(target)      # the one that is unreadable is a miss, not a broken answer
        assert (answer.status, answer.body) == (200, bodies[target])
    assert [r['cache'] for r in daemon.records(count + 4)[count:]] == ['hit', 'hit', 'miss', 'hit']
    assert gauge(daemon, 'read_errors_total') >= 1 and gauge(daemon, 'damaged_total') == 1
    assert 'cannot be read' in daemon.said()
    assert o.paths().count('/2') == 2


def test_a_stop_while_set_aside_loses_nothing_that_was_committed(cached, disk):
    daemon, o = faulty(cached, disk, volume='ram 4m; retry 1h;')
    disk.fail('data', 'write', errno.EIO)
    for i in range(3):
        get(daemon, f'/{i}')
        until('it is counted', lambda: objects(unstored(daemon)) == i + 1)
    until('set aside', lambda: gauge(daemon, 'failed') == 1)
    daemon.stop()
    daemon.start()
    disk.heal()
    count = len(daemon.requests())
    for target in ('/before', '/0'):
        get(daemon, target)
    assert [r['cache'] for r in daemon.records(count + 2)[count:]] == ['hit', 'miss']


def test_a_purge_holds_while_bodies_cannot_be_written(cached, disk):
    daemon, o = faulty(cached, disk, volume='ram 4m; retry 1h;', settings='purge_allow 127.0.0.1;')
    disk.fail('data', 'write', errno.EIO)
    for i in range(3):
        get(daemon, f'/{i}')
        until('it is counted', lambda: objects(unstored(daemon)) == i + 1)
    until('set aside', lambda: gauge(daemon, 'failed') == 1)
    answer = daemon.get('/before', method='PURGE', headers=[('Purge-Mode', 'hard')])
    assert answer.status == 200, answer
    daemon.kill()
    disk.heal()
    daemon.start()
    count = len(daemon.requests())
    get(daemon, '/before')
    assert o.paths().count('/before') == 2
