"""One record, one line, no lies (design section 5): every request makes exactly one line, lines have numbers without gaps,
what is lost is counted, and the metrics are the sums of the log."""
import os
import signal
import subprocess

import pytest

from harness import Client, LOGAUDIT, logaudit, site, until


def numbers(records, worker):
    return [int(r['seq']) for r in records if r['worker'] == worker]


def test_every_request_makes_exactly_one_line(cached):
    """The good, the refused, the broken and those that got no answer."""
    def handler(request, conn):
        if request.target == '/dead':
            conn.close()
        elif request.target == '/stuck':
            conn.origin.pass_gate()
        else:
            conn.reply(headers=[('Cache-Control', 'max-age=60')])

    daemon, o = cached(handler)
    daemon.get('/good')
    daemon.get('/good')
    daemon.raw(b'NONSENSE\r\n\r\n')
    daemon.raw(b'GET /half HTTP/1.1\r\nHost: si')
    daemon.get('/dead', method='POST', body=b'x')
    stuck = daemon.client()
    stuck.request('/stuck')
    o.wait_requests(3)
    stuck.reset()
    daemon.get('/good')              # behind it on the same worker: the reset was seen
    o.open_gate()
    records = daemon.records(7)
    assert sorted((r['target'], r['status']) for r in records if r['target'] in ('/good', '/dead', '/stuck')) == [
        ('/dead', '502'), ('/good', '200'), ('/good', '200'), ('/good', '200'), ('/stuck', '0')]
    assert numbers(records, '0') == list(range(1, 8))


def test_the_header_line_names_the_columns(cached):
    daemon, _ = cached()
    daemon.get('/')
    daemon.record()
    columns = daemon.lines()[0].decode().split(',')
    assert columns[0] == 'rec/1'
    shown = logaudit('fields', code=0).stdout
    for column in ['rec', *columns[1:]]:
        assert column in shown, f'logaudit fields does not know {column!r}'


def test_a_line_says_what_happened(cached):
    daemon, o = cached(headers=[('Cache-Control', 'max-age=60'), ('Content-Type', 'text/html'), ('Vary', 'Accept')])
    daemon.get('/page?x=1', host='Site.Test:8080', headers=[('Referer', 'http://ref.test/'), ('User-Agent', 'agent "1", with comma'), ('Cookie', 'a=b')])
    r = daemon.record()
    expected = {'rec': 'req', 'node': 'story', 'worker': '0', 'peer': '127.0.0.1', 'client': '127.0.0.1', 'proto': 'HTTP/1.1', 'scheme': 'http',
                'status': '200', 'cache': 'miss', 'tier': 'origin', 'volume': 'main', 'req_cookie': '1', 'req_auth': '0', 'req_login': '0',
                'resp_setcookie': '0', 'origin': o.address, 'origin_status': '200', 'origin_tries': '1', 'body_out': '6', 'end': 'complete',
                'refusal': '', 'method': 'GET', 'target': '/page?x=1', 'resp_type': 'text/html', 'resp_cc': 'max-age=60', 'resp_vary': 'Accept',
                'referer': 'http://ref.test/', 'agent': 'agent "1", with comma', 'config': '1'}
    assert {k: r[k] for k in expected} == expected
    assert r['host'].startswith('site.test')
    import time
    assert abs(int(r['t_us']) / 1e6 - time.time()) < 60
    assert 0 < int(r['first_us']) <= int(r['total_us']) < 10_000_000
    assert int(r['connect_us']) >= 0 and int(r['origin_first_us']) > 0
    assert int(r['req_bytes']) > 50 and int(r['head_out']) > 50


@pytest.mark.parametrize('data', [
    b'GET /%0a%0drec,1,2,3 HTTP/1.1\r\nHost: site.test\r\nUser-Agent: a"b""c,d\\n\\x00\r\nConnection: close\r\n\r\n',
    b'GET /\r\nreq,1,2 HTTP/1.1\r\nHost: site.test\r\n\r\n',
    b'GET /"a,b HTTP/1.1\r\nHost: site.test\r\n\r\n',
    b'G\0T /\x01\x02\n\r\xff HTTP/1.1\r\nHost: site.test\r\n\r\n',
    b'\n\n\n\n\n\n\n\n"',
    b'GET / HTTP/1.1\r\nHost: site.test\r\nUser-Agent: ' + b'x"' * 4000 + b'\r\nConnection: close\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: site.test\r\nReferer: \xff\xfe\xe4"\r\nConnection: close\r\n\r\n',
])
def test_no_client_can_forge_or_break_a_line(cached, data):
    daemon, _ = cached()
    daemon.raw(data)
    record = daemon.record()
    assert record['rec'] == 'req'
    for line in daemon.lines():
        assert not set(line) & set(range(32)), 'control bytes in a line'
        assert len(line) < 64 * 1024
    out = logaudit('report', '--json', daemon.log, code=0).stdout
    assert '"lines_rejected": 0' in out or '"lines_rejected":0' in out


def test_long_fields_are_cut_with_a_mark_and_the_line_is_not(cached):
    daemon, _ = cached()
    daemon.get('/' + 'a' * 5000, headers=[('User-Agent', 'b' * 5000)])
    record = daemon.record()
    assert record['target'].endswith('\\~5001') and record['agent'].endswith('\\~5000')
    assert len(record['target']) < 1100


def test_start_volume_and_stop_are_stated(cached):
    daemon, _ = cached()
    daemon.get('/')
    daemon.record()
    daemon.stop()
    records = daemon.all_records()
    assert [r['rec'] for r in records if r['rec'] != 'req'] == ['start', 'volume', 'stop']
    volume = [r for r in records if r['rec'] == 'volume'][0]
    assert (volume['volume'], volume['object_bytes'], volume['host']) == ('main', str(8 << 20), '1')
    assert volume['target'].endswith('vol')


def test_sigusr1_reopens_and_no_line_is_lost(cached):
    daemon, _ = cached(headers=[('Cache-Control', 'max-age=60')], workers=2)
    old = daemon.log + '.1'
    with daemon.client() as client:
        for i in range(300):
            client.get(f'/{i % 10}')
            if i == 150:
                os.rename(daemon.log, old)
                daemon.send_signal(signal.SIGUSR1)
                until('a new file with its header', lambda: daemon.lines())
    until('300 records in both files', lambda: len(daemon.requests()) + len(daemon.requests(old)) >= 300)
    records = daemon.requests(old) + daemon.requests()
    assert len(records) == 300
    assert daemon.lines()[0] == daemon.lines(old)[0], 'every file begins with the header line'
    assert [r for r in daemon.all_records() if r['rec'] == 'volume'], 'volumes are stated at rotation'
    for worker in {r['worker'] for r in records}:
        assert numbers(records, worker) == list(range(1, len(numbers(records, worker)) + 1))


def test_lines_are_numbered_without_gaps_over_workers(cached):
    daemon, _ = cached(workers=2)
    for i in range(40):
        daemon.get(f'/{i}')
    records = daemon.records(40)
    for worker in {r['worker'] for r in records}:
        got = numbers(records, worker)
        assert got == list(range(1, len(got) + 1))


def test_a_full_disk_loses_lines_but_no_request_and_not_silently(proxy, origin):
    o = origin(headers=[('Cache-Control', 'max-age=60')])
    daemon = proxy(site(o, log='/dev/full'))
    for i in range(20):
        assert daemon.get(f'/{i}').status == 200
    # An answer leaves before its record is made, and the record before the log's thread finds out.
    until('20 requests, and lines that were lost', lambda: daemon.counters()['proxyd_requests_total'] == 20 and lost_lines(daemon))
    counters = daemon.counters()
    lost = [v for k, v in counters.items() if 'lost' in k]
    assert lost and max(lost) >= 1, f'no counter of lost lines in the metrics: {sorted(counters)}'


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with room for 64 KB. Torn down after the daemons are: name it before `proxy`."""
    if os.geteuid() != 0:
        pytest.skip('needs root to mount a small tmpfs')
    small = tmp_path / 'small'
    small.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', str(small)], capture_output=True, check=False).returncode != 0:
        pytest.skip('cannot mount a tmpfs here')
    yield small
    subprocess.run(['umount', '-l', str(small)], check=True)


def fill_disk(path):
    with open(path, 'wb', buffering=0) as f:
        try:
            while f.write(b'x' * 4096):
                pass
        except OSError:
            pass


def lost_lines(daemon):
    return max([v for k, v in daemon.counters().items() if 'lost' in k] or [0])


def test_a_gap_record_counts_what_a_full_disk_lost(small_disk, proxy, origin):
    """The log's disk fills up, then has room again: a gap record says how many lines are missing."""
    o = origin(headers=[('Cache-Control', 'max-age=60')])
    daemon = proxy(site(o, log=f'{small_disk}/access.csv'))
    daemon.log = str(small_disk / 'access.csv')
    sent = 0

    def ask(target):
        nonlocal sent
        sent += 1
        assert daemon.get(target).status == 200, 'a full disk of the log is no failed request'

    ask('/first')
    daemon.records(1)
    fill_disk(small_disk / 'filler')
    until('a lost line', lambda: ask('/lost') or lost_lines(daemon))
    daemon.wait_said(r'error: access log .*access\.csv.* cannot be written: No space left on device')
    os.remove(small_disk / 'filler')
    until('a gap record', lambda: ask('/after') or [r for r in daemon.all_records() if r['rec'] == 'gap'])
    daemon.wait_said(r'access log .* is written again; [0-9]+ lines were lost')
    assert daemon.said().count('cannot be written') == 1, 'told once, not at each try'
    daemon.stop()
    records = daemon.all_records()
    lost = sum(int(r['lost']) for r in records if r['rec'] == 'gap')
    assert lost >= 1
    assert len([r for r in records if r['rec'] == 'req']) + lost == sent
    assert 'log-gap' in logaudit('check', daemon.log, code=1).stdout


def test_the_metrics_are_the_sums_of_the_log(cached, tmp_path):
    def handler(request, conn):
        if request.target == '/dead':
            conn.close()
        elif request.target == '/private':
            conn.reply(headers=[('Cache-Control', 'private')])
        else:
            conn.reply(headers=[('Cache-Control', 'max-age=60')], body=b'x' * 1000)

    daemon, _ = cached(handler, workers=2)
    for target in ['/a', '/a', '/b', '/a', '/dead', '/private', '/private']:
        daemon.get(target, method='POST' if target == '/dead' else 'GET')
    daemon.raw(b'NONSENSE\r\n\r\n')
    daemon.get('/a', method='HEAD')
    records = daemon.records(9)
    counters = daemon.counters()
    assert counters['proxyd_requests_total'] == 9
    for name, verdict in (('hits', 'hit'), ('misses', 'miss'), ('passes', 'pass'), ('refused', 'refused'), ('errors', 'error')):
        assert counters[f'proxyd_{name}_total'] == len([r for r in records if r['cache'] == verdict]), name
    assert counters['proxyd_body_bytes_out_total'] == sum(int(r['body_out']) for r in records)
    scrape = tmp_path / 'scrape.txt'
    scrape.write_text(daemon.metrics())
    logaudit('metrics', '--scrape', scrape, daemon.log, code=0)


def test_metrics_have_help_and_type(cached):
    daemon, _ = cached()
    text = daemon.metrics()
    assert '# HELP proxyd_requests_total ' in text and '# TYPE proxyd_requests_total counter' in text
    assert '# HELP proxyd_hits_total Requests answered from the store with a fresh object.' in text


def test_metrics_that_lie_are_found(cached, tmp_path):
    daemon, _ = cached(headers=[('Cache-Control', 'max-age=60')])
    for _ in range(10):
        daemon.get('/')
    daemon.records(10)
    scrape = tmp_path / 'scrape.txt'
    lines = [line if not line.startswith('proxyd_hits_total') else line.rsplit(' ', 1)[0] + ' 4711' for line in daemon.metrics().splitlines()]
    scrape.write_text('\n'.join(lines) + '\n')
    out = logaudit('metrics', '--scrape', scrape, daemon.log, code=1).stdout
    assert 'hits' in out and '4,711' in out, out


def test_awk_counts_right(cached):
    """The columns that are never quoted come first: awk -F, may count on them."""
    daemon, _ = cached(headers=[('Cache-Control', 'max-age=60')])
    for _ in range(5):
        daemon.get('/a,"b"'.replace('"', '%22'), headers=[('User-Agent', 'x,"y",z')])
    daemon.records(5)
    awk = '''NR == 1 { for (i = 1; i <= NF; i++) if ($i == "cache") c = i; next } $1 == "req" { n++; h += $c == "hit" } END { print n, h }'''
    out = subprocess.run(['awk', '-F,', awk, daemon.log], capture_output=True, text=True, check=True).stdout
    assert out == '5 4\n'


def test_logaudit_exists():
    assert os.access(LOGAUDIT, os.X_OK)


def test_keepalive_requests_count_on_their_connection(cached):
    daemon, _ = cached()
    with Client(daemon.address) as client:
        client.get('/1')
        client.get('/2')
    with Client(daemon.address) as client:
        client.get('/3')
    assert [(r['conn'], r['conn_req']) for r in daemon.records(3)] == [('1', '1'), ('1', '2'), ('2', '1')]
