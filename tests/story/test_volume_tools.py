"""proxyd volume check, stat, dump, top: what is in a volume's folder, whoever has it open. They change nothing, find nothing wrong
while the daemon turns the volume over, and name what is damaged."""
import csv
import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading

import pytest

from harness import Client, until, volume_rows, volume_tool
from test_purge import ctl

MAX_AGE = ('Cache-Control', 'max-age=600')
KEY = 'http://site.test'


def body_of(target):
    r = random.Random(target)
    return r.randbytes(r.choice([0, 1, 100, 4096, 4097, 9000, 40000]))


def pages(request, conn):
    """Bodies of many sizes, two content types, two tags for each."""
    even = len(request.target) % 2 == 0
    conn.reply(headers=[MAX_AGE, ('Content-Type', 'image/png' if even else 'text/html; charset=utf-8'),
                        ('Cache-Tag', f'all, {"even" if even else "odd"}')], body=body_of(request.target))


def stored(daemon, count):
    until(f'{count} objects committed', lambda: daemon.counters()['proxyd_volume_stored_total'] >= count)


def paths(rows):
    return sorted(row['key'].removeprefix(KEY) for row in rows)


def fingerprint(daemon):
    """Every file of the volume, its content and its times."""
    folder = os.path.join(daemon.tmp, 'vol')
    prints = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        with open(path, 'rb') as f:
            prints[name] = (hashlib.sha256(f.read()).hexdigest(), os.stat(path).st_mtime_ns, os.stat(path).st_size)
    return prints


@pytest.fixture
def filled(cached, admin):               
    """filled(targets) -> (daemon, origin): these pages are stored, and committed."""
    def make(targets, handler=pages, **kw):
        daemon, o = cached(handler, http=f'admin unix:{admin};', **kw)
        for target in targets:
            daemon.get(target)
        daemon.records(len(targets))
        stored(daemon, len(targets))
        return daemon, o

    return make


TARGETS = [f'/{n}{"x" * (n % 3)}' for n in range(60)]


# ---- what there is ----

@pytest.mark.parametrize('live', [True, False])
def test_dump_lists_exactly_what_was_stored(filled, live):
    daemon, _ = filled(TARGETS)
    if not live:
        daemon.stop()
    rows = volume_rows(daemon)
    assert paths(rows) == sorted(TARGETS)
    lines = [json.loads(line) for line in volume_tool(daemon, 'dump', '--json').splitlines()]
    assert [line['key'] for line in lines] == [row['key'] for row in rows]
    for row, line in zip(rows, lines):
        target = row['key'].removeprefix(KEY)
        even = len(target) % 2 == 0
        assert (row['status'], row['size'], row['fresh'], row['purged']) == ('200', str(len(body_of(target))), '1', '')
        assert row['content_type'] == ('image/png' if even else 'text/html; charset=utf-8')
        assert row['tags'].split() == ['all', 'even' if even else 'odd']
        assert int(row['lifetime_us']) == 600_000_000 and 0 <= int(row['age_us']) < 600_000_000
        assert (int(row['extents']) > 0) == (int(row['size']) > 0)
        assert line['fresh'] is True and str(line['size']) == row['size'] and line['tags'] == row['tags']
    generations = [int(row['generation']) for row in rows]
    assert generations == sorted(set(generations))


def test_filters(filled):
    daemon, _ = filled(TARGETS)
    assert paths(volume_rows(daemon, '--url-prefix', f'{KEY}/1')) == sorted(t for t in TARGETS if t.startswith('/1'))
    assert paths(volume_rows(daemon, '--tag', 'even')) == sorted(t for t in TARGETS if len(t) % 2 == 0)
    assert paths(volume_rows(daemon, '--tag', 'even', '--url-prefix', f'{KEY}/1')) == sorted(
        t for t in TARGETS if len(t) % 2 == 0 and t.startswith('/1'))
    assert volume_rows(daemon, '--tag', 'eve') == [] and volume_rows(daemon, '--expired') == []
    assert paths(volume_rows(daemon, '--key', 'HTTP://SITE.test:80/1x')) == []        # a key is compared as it is
    assert paths(volume_rows(daemon, '--key', f'{KEY}/1x')) == ['/1x']
    one = volume_rows(daemon, '--key', f'{KEY}/1x')[0]
    assert paths(volume_rows(daemon, '--generation', one['generation'])) == ['/1x']


def test_what_is_expired_is_told_by_the_clock(filled, clock):
    daemon, _ = filled(TARGETS[:10], clock=clock)
    clock.passes(599)
    assert volume_rows(daemon, '--expired') == []
    clock.passes(2)
    assert len(volume_rows(daemon, '--expired')) == 10 and {row['fresh'] for row in volume_rows(daemon)} == {'0'}
    stat = volume_tool(daemon, 'stat', json_out=True)
    assert (stat['expired'], stat['expired_share']) == (10, 1.0)
    assert stat['age_us_newest'] >= 601_000_000


def test_purges_in_force_are_shown_for_what_they_concern(filled):
    daemon, _ = filled(TARGETS[:10])
    ctl(daemon, 'purge', 'tag', 'even')
    soft = {row['key'].removeprefix(KEY): row['purged'] for row in volume_rows(daemon)}
    assert soft == {t: 'soft' if len(t) % 2 == 0 else '' for t in TARGETS[:10]}
    stat = volume_tool(daemon, 'stat', json_out=True)
    assert stat['purge_rules'] == 1 and stat['purged'] == sum(len(t) % 2 == 0 for t in TARGETS[:10])
    assert [(r['kind'], r['mode'], r['text']) for r in stat['purges_in_force']] == [('tag', 'soft', 'even')]


def test_stat_says_what_the_daemon_says(filled):
    daemon, _ = filled(TARGETS)
    volume = ctl(daemon, 'volumes')['volumes'][0]
    stat = volume_tool(daemon, 'stat', json_out=True)
    assert stat['open_by'] == daemon.process.pid and stat['state'] == 'dirty'
    assert (stat['objects'], stat['live_bytes'], stat['data_bytes']) == (volume['objects'], volume['live_bytes'], volume['data_bytes'])
    assert stat['objects'] == len(TARGETS) and stat['damaged'] == 0
    sizes = sorted(len(body_of(t)) for t in TARGETS)
    assert stat['body_bytes'] == sum(sizes) and stat['body_bytes_max'] == sizes[-1] and stat['body_bytes_p50'] == sizes[len(sizes) // 2 - 1]
    assert {row['name']: row['objects'] for row in stat['by_content_type']} == {
        'image/png': sum(len(t) % 2 == 0 for t in TARGETS), 'text/html': sum(len(t) % 2 for t in TARGETS)}
    assert stat['by_status'] == [{'name': '200', 'objects': 60, 'bytes': sum(sizes)}]
    assert stat['by_host'] == [{'name': 'site.test', 'objects': 60, 'bytes': sum(sizes)}]
    daemon.stop()
    closed = volume_tool(daemon, 'stat', json_out=True)
    assert closed['state'] == 'clean' and closed['open_by'] == 0
    for name in ('objects', 'live_bytes', 'body_bytes', 'blocks', 'blocks_used', 'extents_max', 'free_runs', 'pages'):
        assert closed[name] == stat[name], name
    assert closed['pages_used'] + closed['pages_free'] + closed['pages_untouched'] == closed['pages'] and closed['pages_lost'] == 0
    runs = closed['free_runs_by_size']
    assert sum(row['runs'] for row in runs) == closed['free_runs']
    assert sum(row['runs'] * row['blocks_from'] for row in runs) <= closed['blocks'] - closed['blocks_used'] \
        < sum(row['runs'] * row['blocks_from'] * 2 for row in runs)
    text = volume_tool(daemon, 'stat')
    assert re.search(r'objects +60 ', text) and 'By content type' in text and 'image/png' in text


def test_top_has_the_most_first(filled):
    daemon, _ = filled(TARGETS)
    sizes = sorted((len(body_of(t)) for t in TARGETS), reverse=True)
    rows = list(csv.DictReader(io.StringIO(volume_tool(daemon, 'top', '--count', 7))))
    assert [int(row['size']) for row in rows] == sizes[:7]
    oldest = list(csv.DictReader(io.StringIO(volume_tool(daemon, 'top', '--by', 'age', '--count', 1))))
    assert oldest[0]['key'] == KEY + TARGETS[0]
    odd = [json.loads(line) for line in volume_tool(daemon, 'top', '--json', '--tag', 'odd', '--count', 1000).splitlines()]
    assert [row['size'] for row in odd] == sorted((len(body_of(t)) for t in TARGETS if len(t) % 2), reverse=True)
    assert 'logaudit top' in volume_tool(daemon, 'top', '--by', 'hits', code=2)


# ---- bodies ----

def test_the_body_of_one_object(filled):
    daemon, _ = filled(TARGETS[:20])
    for stop in (False, True):
        if stop:
            daemon.stop()
        for target in TARGETS[:20]:
            done = run_raw(daemon, 'volume', 'dump', 'vol', '--body', '--key', KEY + target)
            assert (done.returncode, done.stdout) == (0, body_of(target)), done.stderr
    assert 'no such object' in volume_tool(daemon, 'dump', '--body', '--key', KEY + '/none', code=1)


def run_raw(daemon, *args):
    return subprocess.run([daemon.program, *args], cwd=daemon.tmp, env=daemon.env, capture_output=True, timeout=30, check=False)


def test_variants_of_one_url_are_told_apart_by_their_number(filled):
    def vary(request, conn):
        conn.reply(headers=[MAX_AGE, ('Vary', 'X-Kind')], body=b'kind ' + request.headers.get('x-kind', '').encode())

    daemon, _ = filled([], handler=vary)
    for kind in ('a', 'b'):
        daemon.get('/v', headers=[('X-Kind', kind)])
    daemon.records(2)
    until('both, and their list', lambda: len(volume_rows(daemon)) == 3)
    rows = volume_rows(daemon, '--key', f'{KEY}/v')
    assert sorted('vary_index' in row['flags'].split() for row in rows) == [False, False, True]
    said = volume_tool(daemon, 'dump', '--body', '--key', f'{KEY}/v', code=1)
    variants = [row['generation'] for row in rows if 'variant' in row['flags'].split()]
    assert len(variants) == 2 and all(number in said for number in variants)
    assert {run_raw(daemon, 'volume', 'dump', 'vol', '--body', '--generation', number).stdout for number in variants} == {b'kind a', b'kind b'}


# ---- what is damaged ----

def test_check_finds_nothing_in_what_the_daemon_left(filled):
    daemon, _ = filled(TARGETS)
    ctl(daemon, 'purge', 'tag', 'nothing')
    for stop in (False, True):
        if stop:
            daemon.stop()
        found = volume_tool(daemon, 'check', json_out=True)
        assert found['ok'] and found['damage'] == [] and found['read_to_the_end']
        assert (found['objects'], found['bodies'], found['purge_rules']) == (60, 60, 1)
        assert found['body_bytes'] == sum(len(body_of(t)) for t in TARGETS)
    assert 'vol: whole: 60 objects' in volume_tool(daemon, 'check', '--rate', '100m')
    assert volume_tool(daemon, 'check', '--no-bodies', json_out=True)['bodies'] == 0


def test_check_finds_nothing_while_the_daemon_turns_the_volume_over(filled):
    """A small volume, one client that never stops asking for something new, and all the tools beside it. The check is slowed down
    until many blocks have been given to other objects while it reads."""
    daemon, _ = filled(['/first'], handler=lambda request, conn: conn.reply(headers=[MAX_AGE], body=request.target.encode() * 500),
                       volume_size='4m')
    stop = threading.Event()
    failed = []

    def churn():
        n = 0
        try:
            with Client(daemon.address) as client:
                while not stop.is_set():
                    n += 1
                    assert client.get(f'/{n:06d}').body == b'/%06d' % n * 500
        except Exception as e:                    # noqa: BLE001 (told by the story)
            failed.append(e)

    def evicted():
        return daemon.counters()['proxyd_volume_evicted_total']

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        until('the volume is full', evicted)
        rate, turned, gone = 8 << 20, 0, 0
        while turned < 200 or gone == 0:
            assert not failed and rate > 100_000, (failed, turned, gone)
            before = evicted()
            found = volume_tool(daemon, 'check', '--rate', rate, json_out=True)
            assert found['ok'] and found['objects'] > 256, found
            turned, gone, rate = evicted() - before, found['gone_meanwhile'], rate // 2
        for _ in range(5):
            volume_rows(daemon)
            stat = volume_tool(daemon, 'stat', json_out=True)
            assert stat['damaged'] == 0 and stat['pages_lost'] == 0
    finally:
        stop.set()
        thread.join()
    assert not failed
    assert daemon.counters()['proxyd_volume_damaged_total'] == 0 and daemon.counters()['proxyd_volume_failed'] == 0


def flip(daemon, name, mark, offset=0, count=1):
    """Flips a bit of the byte at `offset` behind each place where the file has the mark. Returns how many."""
    path = os.path.join(daemon.tmp, 'vol', name)
    with open(path, 'r+b') as f:
        data = f.read()
        found = [m.start() for m in re.finditer(re.escape(mark), data)]
        assert len(found) >= count, (name, mark)
        for at in found:
            f.seek(at + offset)
            f.write(bytes([data[at + offset] ^ 1]))
    return len(found)


MARKED = [f'/page-{n:02d}' for n in range(20)]


def marked(request, conn):
    conn.reply(headers=[MAX_AGE], body=b'body of %s.' % request.target.encode() * 500)


def test_a_damaged_body_is_named(filled):
    daemon, _ = filled(MARKED, handler=marked)
    daemon.stop()
    number = volume_rows(daemon, '--key', f'{KEY}/page-07')[0]['generation']
    flip(daemon, 'data', b'body of /page-07.' * 3)
    found = volume_tool(daemon, 'check', code=1, json_out=True)
    assert not found['ok'] and found['read_to_the_end'] and found['bodies'] == 19
    assert found['damage'] == [{'generation': int(number), 'key': f'{KEY}/page-07', 'what': 'the checksum of its body is wrong'}]
    said = volume_tool(daemon, 'check', code=1)
    assert f'damaged: generation {number} {KEY}/page-07: the checksum of its body is wrong' in said
    volume_tool(daemon, 'check', '--no-bodies')
    done = run_raw(daemon, 'volume', 'dump', 'vol', '--body', '--key', f'{KEY}/page-07')
    assert done.returncode == 1 and done.stdout == b'' and b'checksum of its body is wrong' in done.stderr
    assert run_raw(daemon, 'volume', 'dump', 'vol', '--body', '--key', f'{KEY}/page-08').stdout == b'body of /page-08.' * 500


def test_a_damaged_record_is_named(filled):
    daemon, _ = filled(MARKED, handler=marked)
    daemon.stop()
    flip(daemon, 'index', b'/page-11', offset=7)          # old pages have it, too
    found = volume_tool(daemon, 'check', code=1, json_out=True)
    assert [row['key'] for row in found['damage']] == [f'{KEY}/page-10'] and 'checksum is wrong' in found['damage'][0]['what']
    assert found['objects'] == 20 and found['bodies'] == 19
    said = volume_tool(daemon, 'dump', code=1)
    assert said.count('damaged: generation') == 1 and f'{KEY}/page-12,200,' in said
    assert 'damaged: generation' in volume_tool(daemon, 'stat', code=1)


def test_a_damaged_key_is_shown_in_letters(filled):
    daemon, _ = filled(MARKED, handler=marked)
    daemon.stop()
    path = os.path.join(daemon.tmp, 'vol', 'index')
    with open(path, 'rb') as f:
        index = f.read()
    with open(path, 'wb') as f:
        f.write(index.replace(b'/page-11', b'/\xff\xc3\x1bc-11'))
    said = volume_tool(daemon, 'check', code=1)
    assert f'{KEY}/\\xff\\xc3\\x1bc-11: the record cannot be read' in said
    assert [row['key'] for row in volume_tool(daemon, 'check', code=1, json_out=True)['damage']] == [f'{KEY}/\\xff\\xc3\\x1bc-11']


def test_a_short_data_file_is_named(filled):
    daemon, _ = filled(MARKED, handler=marked)
    daemon.stop()
    os.truncate(os.path.join(daemon.tmp, 'vol', 'data'), 8192)
    found = volume_tool(daemon, 'check', code=1, json_out=True)
    assert len(found['damage']) >= 17 and {row['what'] for row in found['damage']} == {'its body lies beyond the end of the data file'}


@pytest.mark.parametrize('damage', ['meta', 'pages', 'half', 'empty', 'gone'])
def test_a_damaged_index_is_an_answer_and_not_a_crash(filled, damage):
    daemon, _ = filled(MARKED, handler=marked)
    daemon.stop()
    path = os.path.join(daemon.tmp, 'vol', 'index')
    size = os.path.getsize(path)
    with open(path, 'r+b') as f:
        if damage == 'meta':
            f.write(b'\xff' * 8192)
        elif damage == 'pages':
            f.seek(8192)
            f.write(b'\xff' * (size - 8192))
        elif damage == 'half':
            f.truncate(12288)
        elif damage == 'empty':
            f.truncate(0)
    if damage == 'gone':
        os.unlink(path)
    for word in ('check', 'stat', 'dump', 'top'):
        said = volume_tool(daemon, word, code=1)
        assert 'damaged' in said and 'vol' in said, (word, said)


def harm(data, used, r):
    """One of the ways a disk harms a file: bits, bytes in a page's head, a page of rubbish, a page of another place."""
    page = r.randrange(0, used, 4096)
    kind = r.randrange(4)
    if kind == 0:
        for _ in range(r.choice([1, 3, 30])):
            data[r.randrange(used)] ^= 1 << r.randrange(8)
    elif kind == 1:
        for _ in range(4):
            data[page + r.randrange(200)] = r.choice([0, 1, 255])
    elif kind == 2:
        data[page:page + 4096] = r.randbytes(4096)
    else:
        other = r.randrange(0, used, 4096)
        data[page:page + 4096] = data[other:other + 4096]


def test_whatever_is_damaged_is_found_or_does_not_matter(filled):
    daemon, _ = filled(TARGETS)
    daemon.stop()
    whole = [{k: v for k, v in row.items() if k not in ('age_us', 'fresh')} for row in volume_rows(daemon)]
    path = os.path.join(daemon.tmp, 'vol', 'index')
    with open(path, 'rb') as f:
        index = f.read()
    used = max(at for at in range(0, len(index), 4096) if any(index[at:at + 4096])) + 4096
    found = 0
    for seed in range(60):
        data = bytearray(index)
        harm(data, used, random.Random(seed))
        with open(path, 'wb') as f:
            f.write(data)
        done = daemon.run('volume', 'check', 'vol')
        assert done.returncode in (0, 1) and 'Sanitizer' not in done.stderr, (seed, done)
        if done.returncode == 1:
            found += 1
            assert 'damaged' in done.stdout + done.stderr, (seed, done)
        else:
            assert [{k: v for k, v in row.items() if k not in ('age_us', 'fresh')} for row in volume_rows(daemon)] == whole, seed
    assert found >= 15


# ---- nothing changes ----

def test_no_byte_of_a_closed_volume_changes(filled):
    daemon, _ = filled(TARGETS)
    daemon.stop()
    before = fingerprint(daemon)
    for word in ('check', 'stat', 'dump', 'top'):
        volume_tool(daemon, word)
    run_raw(daemon, 'volume', 'dump', 'vol', '--body', '--key', KEY + TARGETS[3])
    assert fingerprint(daemon) == before
    daemon.start()
    daemon.get(TARGETS[0])
    assert daemon.records(61)[60]['cache'] == 'hit'


def test_another_user_may_read_it_while_it_is_written(proxy, origin):
    """Who may not write to LMDB's table of readers stands outside of it, and still sees nothing torn."""
    o = origin(headers=[MAX_AGE], body=b'shared' * 3000)
    folder = tempfile.mkdtemp(prefix='story')
    try:
        os.chmod(folder, 0o755)
        volume = os.path.join(folder, 'vol')
        daemon = proxy(args=['--listen', '127.0.0.1:0', '--origin', f'http://{o.address}', '--volume', f'{volume}:4m', '--access-log',
                             'access.csv', '--metrics', '127.0.0.1:0', '--workers', '1'], metrics=True)
        program = shutil.copy(daemon.program, folder)
        os.chmod(volume, 0o755)
        for name in os.listdir(volume):
            os.chmod(os.path.join(volume, name), 0o444)
        someone = {'user': 65534, 'group': 65534, 'extra_groups': []} if os.geteuid() == 0 else {}
        with Client(daemon.address) as client:
            for turn in range(10):
                for n in range(60):
                    client.get(f'/{turn}/{n}')
                done = subprocess.run([program, 'volume', 'check', '--json', volume], env=daemon.env, capture_output=True, timeout=30, check=False,
                                      **someone)
                assert done.returncode == 0, done
        assert json.loads(done.stdout)['objects'] > 100 and daemon.counters()['proxyd_volume_evicted_total'] > 100
        daemon.stop()
    finally:
        shutil.rmtree(folder)


# ---- what is no volume, and wrong use ----

def test_what_is_no_volume(filled, tmp_path):
    daemon, _ = filled(['/a'])
    daemon.stop()
    for word in ('check', 'stat', 'dump', 'top'):
        assert 'No such file or directory' in volume_tool(daemon, word, folder='nowhere', code=2)
        assert "is not a volume's" in volume_tool(daemon, word, folder='.', code=2)
    marker = os.path.join(daemon.tmp, 'vol', 'volume')
    with open(marker, 'r+b') as f:
        text = f.read()
        f.seek(0)
        f.write(re.sub(rb'format \d', b'format 9', text))
    assert 'format 9' in volume_tool(daemon, 'stat', code=2) or 'format version 9' in volume_tool(daemon, 'stat', code=2)
    with open(marker, 'wb') as f:
        f.write(b'something else\n')
    assert "not a volume's" in volume_tool(daemon, 'stat', code=2)


@pytest.mark.parametrize('words, says', [
    ((), 'proxyd volume WORD'), (('dance', 'vol'), "'dance' is no command"), (('check',), 'check takes one folder'),
    (('check', 'a', 'b'), 'one folder'), (('check', '--tag', 'x', 'vol'), '--tag is not for check'), (('dump', '--what', 'vol'), "'--what'"),
    (('dump', '--body', 'vol'), '--key or --generation'), (('check', '--rate', 'fast', 'vol'), "'fast' is not a size"),
    (('top', '--count', '0', 'vol'), 'from 1 to'), (('top', '--count', '-3', 'vol'), 'from 1 to'), (('dump', '--generation', 'x', 'vol'), "'x'"),
    (('top', '--by', 'beauty', 'vol'), 'no such order')])
def test_wrong_use(filled, words, says):
    daemon, _ = filled(['/a'])
    done = daemon.run('volume', *words)
    assert done.returncode == 2 and says in done.stderr, (done.returncode, done.stdout, done.stderr)


def test_help_names_every_option(filled):
    daemon, _ = filled(['/a'])
    done = daemon.run('volume', '--help')
    assert done.returncode == 0 and all(word in done.stdout for word in ('check', 'stat', 'dump', 'top', '--json', '--body', 'logaudit top'))
