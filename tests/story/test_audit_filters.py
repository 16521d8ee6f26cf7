"""Filters of logaudit: what is asked for is counted, what is left out is told, and rules that cannot tell say so."""
import json
import re

import made_log
from harness import audit_json, findings, logaudit
from test_audit import MAX_AGE, drive, two_sites


def both(proxy, origin):
    o = origin(headers=MAX_AGE, body=b'x' * 2000)
    daemon = proxy(two_sites(o, ''))
    drive(daemon)
    return daemon


def blind(answer):
    return {row['rule'] for row in answer['cannot_tell'] if row['filtered']}


def test_a_host_is_the_sum_of_its_lines(proxy, origin):
    daemon = both(proxy, origin)
    whole = audit_json('report', daemon.log)
    assert whole['filter'] is None and whole['lines_left_out'] == 0
    parts = [audit_json('report', '--host', host, daemon.log, code=0) for host in ('good.test', 'forgot.test')]
    assert sum(part['totals']['requests'] for part in parts) == whole['totals']['requests'] == 600
    for part in parts:
        assert part['lines_read'] == part['lines_counted'] + part['lines_left_out'] + part['lines_rejected'] == whole['lines_read']
        assert len(part['hosts']) == 1 and part['totals']['requests'] == part['hosts'][0]['requests']
    hosts = {row['host']: row['requests'] for row in whole['hosts']}
    assert hosts['good.test'] == parts[0]['totals']['requests']
    # A pattern of the whole name.
    assert audit_json('report', '--host', '*.test', daemon.log)['totals']['requests'] == 600
    assert audit_json('report', '--host', '*.tes', daemon.log)['totals']['requests'] == 0


def test_a_filtered_result_says_so_and_names_who_cannot_tell(proxy, origin):
    daemon = both(proxy, origin)
    text = logaudit('check', '--host', 'good.test', daemon.log, code=0).stdout
    assert 'only lines with host=good.test' in text.splitlines()[0]
    assert 'log-gap: cannot tell' in text and 'left out' in text
    answer = audit_json('check', '--host', 'good.test', daemon.log, code=0)
    assert blind(answer) == {'log-gap', 'volume-unbound'}
    assert 'volume-no-hits' in blind(audit_json('check', '--where', 'cache=miss', daemon.log, code=0))
    # Only misses of a volume: that is no volume without hits, it was asked for so.
    assert findings(audit_json('check', '--where', 'cache=miss', daemon.log), 'volume-no-hits') == []


def test_times_are_of_the_first_byte(proxy, origin):
    daemon = both(proxy, origin)
    times = sorted(int(record['t_us']) for record in daemon.records(600))
    middle = times[300]
    since = audit_json('report', '--where', f't_us>{middle - 1}', daemon.log)['totals']['requests']
    until = audit_json('report', '--where', f't_us<{middle}', daemon.log)['totals']['requests']
    assert since + until == 600 and until == sum(t < middle for t in times)
    assert audit_json('report', '--since', '-1d', daemon.log)['totals']['requests'] == 600
    assert audit_json('report', '--until', '-1d', daemon.log)['totals']['requests'] == 0
    assert audit_json('report', '--since', '2000-01-01', '--until', '2100-01-01T00:00:00Z', daemon.log)['totals']['requests'] == 600


def test_every_command_that_reads_files_filters(proxy, origin):
    daemon = both(proxy, origin)
    top = audit_json('top', '--host', 'forgot.test', daemon.log, code=0)
    assert top['urls'] and all('forgot.test' in row['url'] for row in top['urls'])
    why = audit_json('why', '--where', 'cache=off', '/page/1', daemon.log)
    assert set(why['verdicts']) == {'off'}
    assert logaudit('metrics', '--scrape', '/dev/null', '--where', 'status=200', daemon.log, code=2).stderr.count('no filter')


def test_what_is_no_filter_is_a_sentence(tmp_path):
    log = tmp_path / 'a.csv'
    log.write_text('')
    for args, word in [(['--where', 'nope=1'], 'nope'), (['--where', 'cache=hti'], 'hti'), (['--since', 'yesterday'], 'yesterday'),
                       (['--where', 'host~('], 'regular expression'), (['--where', 'cache>hit'], 'numbers'), (['--status', 'ok'], 'ok')]:
        done = logaudit('check', *args, log, code=2)
        assert word in done.stderr and not done.stdout, done
        assert re.search('try: logaudit help', done.stderr)


def test_filters_say_the_same_by_any_number_of_threads(tmp_path):
    log = made_log.write(tmp_path / 'a.csv', made_log.ordinary(6000))            # many chunks
    log.write_bytes(log.read_bytes() + b'req,1\n')
    for given in (['--host', 'img.example'], ['--where', 'status=502'], ['--where', 'target~/page/3'], ['--since', '2026-11-24T07:00:00Z']):
        one, many = (logaudit('report', '--json', '--threads', n, *given, log, code=0).stdout for n in (1, 4))
        assert one == many, given
        numbers = json.loads(one)
        assert numbers['lines_read'] == 6001 == numbers['lines_counted'] + numbers['lines_left_out'] + 1
        assert 0 < numbers['lines_counted'] == numbers['totals']['requests'] < 6000, given
    assert '--threads' in logaudit('report', '--threads', 0, log, code=2).stderr
