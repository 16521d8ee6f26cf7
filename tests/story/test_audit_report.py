"""What the report says and how: the first screen, the width, colours, CSV."""
import csv
import io
import os
import re
import subprocess

from harness import LOGAUDIT, audit_json, logaudit
from made_log import MISS, UNBOUND, ordinary, write

GOLDEN = os.path.join(os.path.dirname(__file__), '..', 'golden', 'audit')


def run(*args, **env):
    return subprocess.run([LOGAUDIT, *map(str, args)], capture_output=True, timeout=60, check=True, env={**os.environ, **env}).stdout.decode()


def test_the_first_screen_says_whether_the_cache_works(tmp_path):
    """24 lines: the verdict, the ratio with its two numbers, the first finding and what to do."""
    text = run('report', write(tmp_path / 'a.csv', ordinary()))
    screen = text.splitlines()[:24]
    assert screen[0] == 'The cache answered 75.00 % of the requests, and 1 finding should be looked at'
    shown = '\n'.join(screen)
    assert '75.00 % = 450 of 600 requests' in shown
    assert 'warning volume-unbound: shop.example (60)' in shown and '  do        write `proxy_cache NAME`' in shown


def test_the_text_is_as_it_was(tmp_path):
    """The whole text, to the byte. After a change that is meant: logaudit report a.csv in the folder of the log, and look at it."""
    write(tmp_path / 'a.csv', ordinary())
    got = subprocess.run([LOGAUDIT, 'report', 'a.csv'], capture_output=True, timeout=60, check=True, cwd=tmp_path,
                         env={**os.environ, 'COLUMNS': '80'}).stdout
    with open(f'{GOLDEN}/report.txt', 'rb') as file:
        assert got == file.read()


def test_no_line_is_wider_than_asked(tmp_path):
    rows = ordinary() + [dict(host='a-very-long-name.' * 12 + 'example', target='/' + 'x' * 900, body_out=str(2**50), route='r' * 300)] * 3
    log = write(tmp_path / ('a-long-name-of-a-file-' * 8 + '.csv'), rows)
    for width in (60, 80, 100, 132):
        assert [line for line in run('report', log, COLUMNS=str(width)).splitlines() if len(line) > width] == []
    assert [line for line in logaudit('check', log, code=1).stdout.splitlines() if len(line) > 80] == []
    narrow, broad = run('report', log, COLUMNS='60'), run('report', log, COLUMNS='132')
    assert 'hit bytes' not in narrow and 'hit bytes' in broad, 'where there is room, there are more columns'


def test_colours_are_for_terminals_and_for_who_asks(tmp_path):
    log = write(tmp_path / 'a.csv', ordinary())
    plain = run('report', log)
    assert '\x1b' not in plain
    coloured = run('report', '--color', 'always', log, NO_COLOR='1')
    assert '\x1b[1;33m' in coloured and re.sub(r'\x1b\[[0-9;]*m', '', coloured) == plain
    assert '\x1b' not in run('report', '--color', 'never', log)
    logaudit('report', '--color', 'sometimes', log, code=2)


def test_csv_is_one_table_of_four_columns(tmp_path):
    log = write(tmp_path / 'a.csv', ordinary() + [dict(host='x".example', route=b'\xff\xfe,"')] * 2)
    raw = subprocess.run([LOGAUDIT, 'report', '--csv', str(log)], capture_output=True, timeout=60, check=True).stdout
    assert raw.count(b'\r\n') == raw.count(b'\n'), 'lines end as RFC 4180 has it'
    rows = list(csv.reader(io.StringIO(raw.decode(), newline=''), strict=True))
    assert rows[0] == ['section', 'name', 'measure', 'value'] and all(len(row) == 4 for row in rows)
    values = {tuple(row[:3]): row[3] for row in rows[1:]}
    assert len(values) == len(rows) - 1, 'nothing is said twice'
    totals = audit_json('report', log, code=0)['totals']
    for name in ('requests', 'hits', 'bytes', 'hit_bytes', 'errors', 'origin_tries', 'first_us', 'last_us', 'stored'):
        assert values['total', '', name] == str(totals[name]), name
    assert values['verdict', '', 'verdict'] == 'look'
    assert values['host', 'shop.example', 'requests.off'] == '60'
    assert values['finding', 'volume-unbound: shop.example', 'count'] == '60'
    assert values['host', 'x".example', 'requests'] == '2'
    assert values['route', '\\xff\\xfe,"', 'requests'] == '2'
    assert sum(int(v) for (section, _, measure), v in values.items() if section == 'series' and measure == 'requests') == 602


def test_each_question_has_its_figures(tmp_path):
    report = audit_json('report', write(tmp_path / 'a.csv', ordinary()), code=0)
    for table in ('hosts', 'volumes', 'routes', 'statuses', 'types', 'tiers', 'hours', 'nodes'):
        assert sum(row['requests'] for row in report[table]) == 600, table
        assert sum(row['hits'] for row in report[table]) == report['totals']['hits'], table
    assert {row['status']: row['requests'] for row in report['statuses']} == {'200': 582, '502': 18}
    assert report['verdict']['verdict'] == 'look' and report['verdict']['incomplete'] is False
    assert [row['origin'] for row in report['origins']] == ['10.0.0.1:80']
    assert report['saved']['requests'] == report['totals']['hits'] and report['saved']['wait_us'] > 0
    assert sum(row['requests'] for row in report['clients']) == 600 and report['clients_error'] == 0
    goods = {row['url']: row for row in report['missed'] if 'goods' in row['url']}
    assert sum(row['missed'] for row in goods.values()) == 60
    assert all(row['reasons'] == {'no_volume': row['missed']} for row in goods.values())
    assert sum(b['requests'] for b in report['series']['buckets']) == 600


def test_more_clients_than_are_told_apart_have_an_error(tmp_path):
    """5,000 clients ask once, one asks 500 times: it is the first, and each count says how far it may be wrong."""
    rows = [dict(client=f'10.{i // 250 % 250}.{i % 250}.1') for i in range(5000)]
    for i in range(500):
        rows.insert(i * 9, dict(client='198.51.100.7', **MISS) if i % 2 else dict(client='198.51.100.7', **UNBOUND))
    report = audit_json('report', write(tmp_path / 'a.csv', rows, step_us=1000), code=0)
    first = report['clients'][0]
    assert first['client'] == '198.51.100.7' and first['requests'] - first['error'] <= 500 <= first['requests']
    assert report['clients_error'] >= 1
    assert all(row['error'] <= report['clients_error'] for row in report['clients'])
