"""Logs of other programs: what logaudit counts is what was sent. The logs in tests/foreign were written by the real programs before
one origin and the same traffic (record.py); the truth beside them is from the client and the origin, not from any log."""
import json, os, pathlib, re, subprocess

import pytest

from harness import LOGAUDIT

FOREIGN = pathlib.Path(__file__).parent.parent / 'foreign'
TRUTH = json.loads((FOREIGN / 'truth.json').read_text())
TRAFFICSERVER = 'trafficserver:%<cqtq> %<ttms> %<chi> %<crc> %<pssc> %<pscl> %<cqhm> %<cquc> "%<{User-Agent}cqh>" %<phr> %<shn>'
XCACHE = r'httpd:%V %h %l %u %{usec}t \"%r\" %>s %B \"%{Referer}i\" \"%{User-Agent}i\" %D \"%{X-Cache}o\"'

# file: what it is told to be (a beginning is enough), --format, what its verdicts say, whether sizes are those of bodies,
# lines that the recorder's probe of the port made.
LOGS = {
    'nginx_combined': ('combined', None, '', True, 0),
    'nginx_cache': ('nginx_cache', None, 'hits revalidated', True, 0),
    'nginx_extras': ('nginx:', None, 'hits revalidated', True, 0),
    'nginx_labels': ('nginx:', None, 'hits revalidated', True, 0),
    'nginx_json': ('nginx_json', None, 'hits revalidated', True, 0),
    'httpd_common': ('common', None, '', True, 0),
    'httpd_combined': ('combined', None, '', False, 0),
    'httpd_vhost': ('vhost_combined', None, '', False, 0),
    'httpd_vhost_us': ('vhost_combined_us', None, '', False, 0),
    'httpd_xcache': ('httpd:', XCACHE, 'hits revalidated', True, 0),
    'varnish_default': ('varnish', None, '', True, 0),
    'varnish_hitmiss': ('varnish_handling', None, 'hits', True, 0),
    'varnish_handling': ('varnish_handling', None, 'hits', True, 0),
    'varnish_times': ('varnish:', None, 'hits', True, 0),
    'haproxy': ('haproxy', None, 'hits', False, 1),
    'caddy': ('caddy', None, '', True, 0),
    'squid': ('squid', None, 'hits revalidated', False, 1),
    'trafficserver': ('trafficserver', None, 'hits revalidated', False, 0),
    'trafficserver_body': ('trafficserver:', TRAFFICSERVER, 'hits revalidated', True, 0),
}


def logaudit(*args, code=0):
    done = subprocess.run([LOGAUDIT, *map(str, args)], capture_output=True, timeout=30)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode()


def report(path, form=None):
    return json.loads(logaudit('report', '--json', *(['--format', form] if form else []), path))


def of(totals, *verdicts):
    return sum(totals['verdicts'].get(v, {}).get('requests', 0) for v in verdicts)


@pytest.mark.parametrize('name', LOGS)
def test_counts_are_what_was_sent(name, tmp_path):
    told, form, verdicts, bodies, probes = LOGS[name]
    truth, page = TRUTH[name], report(FOREIGN / f'{name}.log', form)
    totals = page['totals']
    assert page['formats'][0]['format'].startswith(told)
    # Whatever is no request is said to be such, and all others are counted.
    other = {r['reason']: r['count'] for r in page['rejected']}
    assert set(other) <= ({'other_line'} if name == 'caddy' else set()), other
    junk = 0 if name == 'caddy' else truth['junk']
    assert totals['requests'] == truth['requests'] + junk + probes
    if 'hits' in verdicts:
        assert of(totals, 'hit', 'collapsed') == truth['hits']
    if 'revalidated' in verdicts:
        assert of(totals, 'revalidated') == truth['revalidated']
    if not verdicts:
        assert totals['hit_ratio'] is None and 'the hit ratio: what the cache did' in page['formats'][0]['cannot']
    assert truth['begun'] - 1 <= totals['first_us'] / 1e6 <= totals['last_us'] / 1e6 <= truth['ended'] + 1
    # The bodies of what was answered whole: lines of the request that the client broke off, and of junk, are taken out.
    whole = tmp_path / 'whole.log'
    lines = (FOREIGN / f'{name}.log').read_bytes().splitlines(keepends=True)
    whole.write_bytes(b''.join(line for line in lines if b'/page' in line or b'/private' in line or b'/short' in line or b'/missing' in line or b'/broken' in line))
    totals = report(whole, form)['totals']
    assert totals['requests'] == truth['requests'] - truth['aborted']
    assert totals['bytes'] == truth['body_bytes'] if bodies else totals['bytes'] > truth['body_bytes']


def test_origins_times_and_ends_of_haproxy():
    page = report(FOREIGN / 'haproxy.log')
    # The client left in the middle of a body; the probe of the port sent nothing; junk was refused.
    assert page['totals']['end'] == {'complete': 132, 'client_left': 2, 'refused': 2}
    assert page['totals']['origin_tries'] == TRUTH['haproxy']['origin'] + 1


@pytest.mark.parametrize('name', ['nginx_extras', 'nginx_json', 'squid', 'haproxy'])
def test_asked_origins_are_counted(name):
    assert report(FOREIGN / f'{name}.log')['totals']['origin_tries'] == TRUTH[name]['origin'] + TRUTH[name]['aborted']


@pytest.mark.parametrize('name', LOGS)
def test_a_damaged_log_never_ends_the_audit(name, tmp_path):
    told, form, *_ = LOGS[name]
    whole = (FOREIGN / f'{name}.log').read_bytes()
    damaged, lines = tmp_path / 'damaged.log', whole.count(b'\n')
    junk = b'\x16\x03\x01\x02\x00\n' + b'\0' * 400 + b'\n' + b'"' * 300 + b'\n' + b'z' * 70000 + b'\n\n'
    middle = whole.index(b'\n', len(whole) // 2) + 1
    damaged.write_bytes(whole[:middle] + junk + whole[middle:] + b'127.0.0.1 - - [24/Nov')
    page, before = report(damaged, form), report(FOREIGN / f'{name}.log', form)
    assert page['lines_counted'] == before['lines_counted']
    assert page['lines_read'] == lines + 6
    reasons = {r['reason']: [e['line'] for e in r['evidence']] for r in page['rejected']}
    first = whole[:middle].count(b'\n') + 1
    assert first + 3 in reasons['too_long'] and lines + 6 in reasons['no_newline']
    assert first + 1 in reasons['control_byte']
    assert page['totals'] == before['totals']


@pytest.mark.parametrize('name', LOGS)
def test_any_number_of_threads_says_the_same(name, tmp_path):
    form, whole, log = LOGS[name][1], (FOREIGN / f'{name}.log').read_bytes(), tmp_path / 'large.log'
    # Several pieces of 64 KiB; lines that are none, and one that is longer than a piece, between them.
    junk, times = b'\x16\x03\x01\x02\x00\n' + b'"' * 300 + b'\n', 500_000 // len(whole) + 1
    log.write_bytes((whole + junk) * times + b'z' * 150_000 + b'\n' + (whole + junk) * times + whole + whole[:30])
    named = ['--format', form] if form else []
    for command in (['report'], ['top', '--missed', '--why'], ['check']):
        one, two, four = ({p.stdout for p in [subprocess.run([LOGAUDIT, *command, '--json', *named, '--threads', str(n), log],
                          capture_output=True, timeout=60)] if p.returncode < 2} for n in (1, 2, 4))
        assert len(one) == 1 and one == two == four, command
    page, before = report(log, form), report(FOREIGN / f'{name}.log', form)
    assert page['lines_counted'] == before['lines_counted'] * (2 * times + 1)
    assert page['formats'][0]['format'] == before['formats'][0]['format']


def test_a_folder_of_rotated_logs_is_one_log_in_the_order_of_time(tmp_path):
    lines = (FOREIGN / 'trafficserver.log').read_bytes().splitlines(keepends=True)
    (tmp_path / 'access.log').write_bytes(b''.join(lines[90:]))
    (tmp_path / 'access.log.1').write_bytes(b''.join(lines[:90]))
    (tmp_path / 'error.log').write_text('2026/11/24 17:07:02 [error] 7#7: *1 connect() failed\n')
    page = report(tmp_path)
    assert [pathlib.Path(f['file']).name for f in page['formats']] == ['access.log.1', 'access.log']
    assert page['totals'] == report(FOREIGN / 'trafficserver.log')['totals'] and not page['errors'] and page['notes']
    assert 'no format' in subprocess.run([LOGAUDIT, 'report', '--format', 'nosuch', tmp_path], capture_output=True, text=True).stderr


def test_rules_that_lack_columns_cannot_tell():
    page = json.loads(logaudit('check', '--json', FOREIGN / 'nginx_combined.log'))
    blind = {row['rule'] for row in page['cannot_tell']}
    assert {'volume-no-hits', 'key-collision', 'log-gap', 'origin-failing'} <= blind
    assert 'rate-limit-would-refuse' not in blind
    assert page['findings'] == []
    text = logaudit('check', FOREIGN / 'nginx_combined.log')
    assert 'cannot tell: the hit ratio' in text and re.search(r'origin-failing: cannot tell: column \w+ is missing \(format of', text)


def test_no_ratio_counts_what_does_not_say_what_the_cache_did():
    page = json.loads(logaudit('report', '--json', FOREIGN / 'nginx_combined.log', FOREIGN / 'nginx_cache.log'))
    alone = report(FOREIGN / 'nginx_cache.log')
    assert page['totals']['requests'] == 2 * alone['totals']['requests']
    assert page['totals']['hit_ratio'] == alone['totals']['hit_ratio']


def test_a_line_is_explained_value_by_value():
    text = logaudit('--explain-line', 5, FOREIGN / 'squid.log')
    assert re.search(r'%Ss +TCP_\w+ +-> cache', text) and 'As columns of ours' in text
    text = logaudit('--explain-line', 1, FOREIGN / 'caddy.log')
    assert 'Rejected: other_line' in text
    logaudit('--explain-line', 100000, FOREIGN / 'caddy.log', code=2)


def test_a_format_that_is_none_is_said(tmp_path):
    for form in ('nosuch', 'nginx:no values', 'caddy:x', 'httpd:%'):
        logaudit('report', '--format', form, FOREIGN / 'nginx_cache.log', code=2)
    assert 'trafficserver' in logaudit('formats')


def test_columns_that_change_within_a_file_end_it(tmp_path):
    line = '2026-11-24\t17:07:02\tFRA56-P1\t{}\t192.0.2.1\tGET\td1.cloudfront.net\t/a\t200\t-\tMozilla%2F5.0%20x\tq=1\t-\t{}\trid\twww.example.com\thttps\t200\t0.010\t-\tTLSv1.3\tX\t{}\tHTTP/2.0\n'
    head = '#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) ' \
        'cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ' \
        'ssl-cipher x-edge-response-result-type cs-protocol-version\n'
    log = tmp_path / 'cf.log'
    words = ['Hit', 'Hit', 'RefreshHit', 'Miss', 'Error', 'LimitExceeded', 'Redirect']
    log.write_text(head + ''.join(line.format(1000, w, w) for w in words) + head + line.format(5, 'Hit', 'Hit'))
    page = report(log)
    totals = page['totals']
    assert page['formats'][0]['format'] == 'cloudfront' and page['lines_header'] == 4 and not page['rejected']
    assert {v: r['requests'] for v, r in totals['verdicts'].items()} == dict(hit=3, revalidated=1, miss=1, error=1, refused=1, synth=1)
    assert [h['host'] for h in page['hosts']] == ['www.example.com'] and totals['bytes'] == 7005
    log.write_text(head + line.format(1, 'Hit', 'Hit') + '#Fields: date time\n' + line.format(1, 'Hit', 'Hit'))
    done = subprocess.run([LOGAUDIT, 'report', '--json', log], capture_output=True)
    page = json.loads(done.stdout)
    assert done.returncode == 2 and page['lines_counted'] == 1 and page['rejected'][0]['reason'] == 'other_columns'
    # In a later piece, while others were parsed ahead of it.
    log.write_text(head + line.format(1, 'Hit', 'Hit') * 2000 + '#Fields: date time\n' + line.format(1, 'Hit', 'Hit') * 2000)
    pages = [subprocess.run([LOGAUDIT, 'report', '--json', '--threads', n, log], capture_output=True).stdout for n in '124']
    assert pages[0] == pages[1] == pages[2]
    page = json.loads(pages[0])
    assert page['lines_counted'] == 2000 and page['rejected'][0]['evidence'][0]['line'] == 2003 and ':2003:' in page['errors'][0]
