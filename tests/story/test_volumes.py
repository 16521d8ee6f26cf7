"""Several volumes, each bound by name to its sites; what a change of size keeps; and which folders are refused, by the check
(-t), which changes nothing, and by the start."""
import os
import re
import subprocess

import pytest

from harness import until

MAX_AGE = [('Cache-Control', 'max-age=600')]


def two(o, a='path one; size 8m;', b='path two; size 16m;', more=''):
    return f'''\
workers 1;
access_log access.csv;
metrics 127.0.0.1:0;
volume small {{ {a} }}
volume large {{ {b} }}
server {{
    listen 127.0.0.1:0;
    server_name small.test;
    location / {{ proxy_pass http://{o.address}; proxy_cache small; }}
}}
server {{
    listen 127.0.0.1:0;
    server_name large.test;
    location / {{ proxy_pass http://{o.address}; proxy_cache large; }}
    location /small/ {{ proxy_pass http://{o.address}; proxy_cache small; }}
}}
{more}
'''


def gauges(daemon, name):
    return {m[1]: float(m[2]) for m in re.finditer(r'proxyd_volume_%s{volume="(\w+)"} (\S+)' % name, daemon.metrics())}


def disk_bytes(folder):
    return sum(os.stat(os.path.join(d, f)).st_blocks * 512 for d, _, fs in os.walk(folder) for f in fs)


def test_sites_use_the_volume_that_they_name(proxy, origin):
    o = origin(headers=MAX_AGE, body=b'x' * 10_000)
    daemon = proxy(two(o))
    for host, path in [('small.test', '/a'), ('large.test', '/a'), ('large.test', '/b'), ('large.test', '/small/c')]:
        assert daemon.get(path, host=host).status == 200
        assert daemon.get(path, host=host).status == 200
    records = daemon.records(8)
    assert [r['volume'] for r in records[::2]] == ['small', 'large', 'large', 'small']
    assert [r['cache'] for r in records] == ['miss', 'hit'] * 4
    until('all of it stored', lambda: gauges(daemon, 'stored_total') == {'small': 2, 'large': 2})
    assert gauges(daemon, 'size_bytes') == {'small': 8 << 20, 'large': 16 << 20}
    for folder, size in [('one', 8 << 20), ('two', 16 << 20)]:
        assert 0.9 * size < disk_bytes(os.path.join(daemon.tmp, folder)) <= size + 65536
    daemon.stop()
    daemon.start()
    for host, path in [('small.test', '/a'), ('large.test', '/a'), ('large.test', '/b'), ('large.test', '/small/c')]:
        daemon.get(path, host=host)
    assert {r['cache'] for r in daemon.records(12)[8:]} == {'hit'}


def filled(daemon, count):
    for i in range(count):
        daemon.get(f'/{i}', host='small.test')
    daemon.records(count)


def hits(daemon, count, seen):
    for i in range(count):
        assert daemon.get(f'/{i}', host='small.test').body == f'/{i}'.encode() * 10_000
    return [r['cache'] for r in daemon.records(seen + count)[seen:]].count('hit')


def test_a_new_size_keeps_the_content_that_fits(proxy, origin):
    o = origin(lambda request, conn: conn.reply(headers=MAX_AGE, body=request.target * 10_000))
    daemon = proxy(two(o))
    filled(daemon, 200)                          # 7.8 MB of bodies into 8 MB: some have left already
    before = gauges(daemon, 'objects')['small']
    daemon.stop()
    daemon.write_config(two(o, a='path one; size 24m;'))
    daemon.start()
    assert gauges(daemon, 'objects')['small'] == before
    assert disk_bytes(os.path.join(daemon.tmp, 'one')) > 22 << 20
    assert hits(daemon, 200, 200) == before
    until('everything stored', lambda: gauges(daemon, 'objects')['small'] == 200)
    daemon.stop()
    daemon.write_config(two(o, a='path one; size 6m;'))
    daemon.start()
    kept = gauges(daemon, 'objects')['small']
    assert 20 < kept < 200
    assert disk_bytes(os.path.join(daemon.tmp, 'one')) <= (6 << 20) + 65536
    seen = len(daemon.requests())
    present = [daemon.get(f'/{i}', host='small.test', headers=[('Cache-Control', 'only-if-cached')]) for i in range(200)]
    assert [p.status for p in present].count(200) == kept
    for i, answer in enumerate(present):
        assert answer.status == 504 or answer.body == f'/{i}'.encode() * 10_000
    daemon.records(seen + 200)


def test_a_new_size_by_reload_waits_for_the_start_and_says_so(proxy, origin):
    o = origin(headers=MAX_AGE)
    daemon = proxy(two(o))
    daemon.get('/a', host='small.test')
    since = len(daemon.said())
    daemon.reload(two(o, a='path one; size 24m; ram 1m;'))
    daemon.wait_said(r"proxyd.conf:4:8: volume 'small': the new size takes effect at the next start; until then it is 8388608", since)
    daemon.wait_said(r"proxyd.conf:4:8: volume 'small': the new ram takes effect at the next start", since)
    assert disk_bytes(os.path.join(daemon.tmp, 'one')) <= (8 << 20) + 65536
    daemon.get('/a', host='small.test')
    daemon.stop()
    daemon.start()
    daemon.get('/a', host='small.test')
    assert [r['cache'] for r in daemon.records(3)] == ['miss', 'hit', 'hit']
    assert disk_bytes(os.path.join(daemon.tmp, 'one')) > 22 << 20


def test_another_name_of_the_folder_is_the_same_volume_at_reload(proxy, origin):
    o = origin(headers=MAX_AGE)
    daemon = proxy(two(o))
    daemon.get('/a', host='small.test')
    os.symlink('one', os.path.join(daemon.tmp, 'link'))
    daemon.reload(two(o, a='path link; size 8m;'))
    daemon.get('/a', host='small.test')
    assert [r['cache'] for r in daemon.records(2)] == ['miss', 'hit']


# ---- what is refused: by the check and by the start, with the place ----

def refused_by_both(daemon, *words):
    for args in (['-t', '-c', daemon.config_path], ['-c', daemon.config_path]):
        done = daemon.run(*args, timeout=15)
        assert done.returncode != 0, args
        for word in words:
            assert re.search(word, done.stderr), (args, word, done.stderr)
        assert 'ready:' not in done.stderr


@pytest.mark.parametrize('make, path', [
    (lambda tmp: os.symlink('one', tmp / 'link'), 'link'),
    (lambda tmp: os.mkdir(tmp / 'sub'), 'sub/../one'),
    (lambda tmp: os.symlink('.', tmp / 'here'), 'here/one'),
])
@pytest.mark.parametrize('exists', [True, False])
def test_one_folder_under_two_names_is_refused(proxy, origin, tmp_path, make, path, exists):
    if exists:
        os.mkdir(tmp_path / 'one')
    make(tmp_path)
    if not exists and path == 'link':
        pytest.skip('a link to nothing is no folder')
    daemon = proxy(two(origin(), b=f'path {path}; size 16m;'), start=False)
    refused_by_both(daemon, r"proxyd.conf:5:8: volume 'large': its folder '\S+' is that of volume 'small' \(line 4 of \S+\)")
    assert os.path.isdir(tmp_path / 'one') == exists


def test_a_bind_mount_of_the_folder_is_refused(proxy, origin, tmp_path):
    os.mkdir(tmp_path / 'one')
    os.mkdir(tmp_path / 'two')
    daemon = proxy(two(origin()), start=False)
    script = 'mount --bind one two && exec "$0" "$@"'
    for option in ('-t', '-T'):
        done = subprocess.run(['unshare', '-rm', 'sh', '-c', script, daemon.program, option, '-c', daemon.config_path], cwd=tmp_path,
                              capture_output=True, text=True, timeout=30, check=False)
        if 'unshare:' in done.stderr or 'mount:' in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 1 and "is that of volume 'small'" in done.stderr


def test_another_format_version_is_refused_with_both_numbers(proxy, origin):
    daemon = proxy(two(origin(headers=MAX_AGE)))
    daemon.get('/a', host='small.test')
    daemon.records(1)
    daemon.stop()
    marker = os.path.join(daemon.tmp, 'one', 'volume')
    with open(marker) as f:
        text = f.read()
    number = int(re.search(r'format (\d+)', text)[1])
    with open(marker, 'w') as f:
        f.write(text.replace(f'format {number}', 'format 99'))
    kept = {name: os.path.getsize(os.path.join(daemon.tmp, 'one', name)) for name in os.listdir(os.path.join(daemon.tmp, 'one'))}
    refused_by_both(daemon, rf"proxyd.conf:4:8: volume 'small' cannot be opened: \S*one: the folder holds a volume of format version 99, "
                            rf'this program reads and writes version {number}: give the volume another folder, or remove this one')
    assert kept == {name: os.path.getsize(os.path.join(daemon.tmp, 'one', name)) for name in os.listdir(os.path.join(daemon.tmp, 'one'))}
    with open(marker, 'w') as f:
        f.write(text)
    daemon.start()
    daemon.get('/a', host='small.test')
    assert daemon.records(2)[1]['cache'] == 'hit'


def test_a_folder_with_files_of_others_is_refused(proxy, origin, tmp_path):
    os.mkdir(tmp_path / 'one')
    (tmp_path / 'one' / 'thesis.tex').write_text('precious')
    daemon = proxy(two(origin()), start=False)
    refused_by_both(daemon, r"proxyd.conf:4:8: volume 'small' cannot be opened: \S*one: the folder is not empty and not a volume's")
    assert os.listdir(tmp_path / 'one') == ['thesis.tex']


def test_a_file_where_the_folder_should_be_is_refused(proxy, origin, tmp_path):
    (tmp_path / 'one').write_text('')
    refused_by_both(proxy(two(origin()), start=False), r"proxyd.conf:4:8: volume 'small' cannot be opened: \S*one: Not a directory")


def test_a_folder_whose_parent_is_missing_is_refused(proxy, origin):
    refused_by_both(proxy(two(origin(), a='path no/such/one; size 8m;'), start=False), r"volume 'small' cannot be opened: \S*one: No such file")


def test_a_volume_that_the_disk_has_no_room_for_is_refused(proxy, origin):
    refused_by_both(proxy(two(origin(), a='path one; size 900000g;'), start=False), r"volume 'small' cannot be opened: \S*: no room on the disk")


def test_a_disk_that_may_not_be_written_is_refused(proxy, origin, tmp_path):
    os.mkdir(tmp_path / 'one')
    daemon = proxy(two(origin()), start=False)
    script = 'mount -t tmpfs -o ro none one && exec "$0" "$@"'
    for option in (['-t'], []):
        done = subprocess.run(['unshare', '-rm', 'sh', '-c', script, daemon.program, *option, '-c', daemon.config_path], cwd=tmp_path,
                              capture_output=True, text=True, timeout=30, check=False)
        if 'unshare:' in done.stderr or 'mount:' in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 1 and re.search(r"proxyd.conf:4:8: volume 'small' cannot be opened: \S*one: Read-only file system", done.stderr), done.stderr


def test_the_check_changes_nothing(proxy, origin, tmp_path):
    daemon = proxy(two(origin()), start=False)
    before = sorted(os.listdir(tmp_path))
    for option in ('-t', '-T'):
        done = daemon.run(option, '-c', daemon.config_path)
        assert done.returncode == 0, done.stderr
        assert sorted(os.listdir(tmp_path)) == before


def test_the_check_leaves_a_running_daemon_alone(proxy, origin):
    daemon = proxy(two(origin(headers=MAX_AGE)))
    daemon.get('/a', host='small.test')
    assert daemon.run('-t', '-c', daemon.config_path).returncode == 0
    daemon.get('/a', host='small.test')
    assert [r['cache'] for r in daemon.records(2)] == ['miss', 'hit']
