"""logaudit convert, top --by and rules RULE on the log of a real daemon."""
import csv
import io
import json
import re

from harness import audit_json, logaudit, site


def odd_log(origin, proxy):
    o = origin(headers=[('Cache-Control', 'max-age=60')], body=b'hello')
    daemon = proxy(site(o))
    with daemon.client() as client:
        client.get('/plain?a=1', headers=[('User-Agent', 'quote " back \\ slash'), ('Referer', 'http://r.test/,x')])
        client.get('/plain?a=1')
        client.get('/other', headers=[('User-Agent', 'caf\u00e9'.encode().decode('latin-1'))])
    daemon.records(3)
    return daemon


def test_combined_is_what_a_web_server_writes(origin, proxy):
    daemon = odd_log(origin, proxy)
    lines = logaudit('convert', '--to', 'combined', daemon.log, code=0).stdout.splitlines()
    assert len(lines) == 3
    pattern = r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET (\S+) HTTP/1\.1" 200 5 "([^"]*)" "([^"]*)"'
    found = [re.fullmatch(pattern, line).groups() for line in lines]
    assert found[0] == ('/plain?a=1', 'http://r.test/,x', r'quote \x22 back \x5C slash')
    assert found[1] == ('/plain?a=1', '-', '-') and found[2][2] == r'caf\xC3\xA9'


def test_json_has_all_columns_with_their_kinds(origin, proxy):
    daemon = odd_log(origin, proxy)
    rows = [json.loads(line) for line in logaudit('convert', '--to', 'json', daemon.log, code=0).stdout.splitlines()]
    requests = [row for row in rows if row['rec'] == 'req']
    assert len(requests) == 3 and requests[0]['agent'] == 'quote " back \\ slash' and requests[2]['agent'] == 'café'
    assert requests[0]['status'] == 200 and requests[0]['stored'] is True and requests[0]['cache'] == 'miss'
    assert requests[1]['connect_us'] is None and requests[1]['cache'] == 'hit'
    names = [field['name'] for field in audit_json_fields()]
    assert list(requests[0]) == names


def audit_json_fields():
    return json.loads(logaudit('fields', '--json', code=0).stdout)['fields']


def test_csv_is_read_by_any_reader(origin, proxy):
    daemon = odd_log(origin, proxy)
    rows = list(csv.DictReader(io.StringIO(logaudit('convert', '--to', 'csv', '--where', 'rec=req', daemon.log, code=0).stdout)))
    assert [row['target'] for row in rows] == ['/plain?a=1', '/plain?a=1', '/other']
    assert rows[0]['agent'] == 'quote " back \\ slash' and rows[0]['referer'] == 'http://r.test/,x'
    assert 'needs --to' in logaudit('convert', daemon.log, code=2).stderr
    assert 'needs --to' in logaudit('convert', '--to', 'xml', daemon.log, code=2).stderr


def test_top_counts_by_any_column(origin, proxy):
    daemon = odd_log(origin, proxy)
    answer = audit_json('top', '--by', 'target', daemon.log, code=0)
    assert [(row['value'], row['requests'], row['misses']) for row in answer['values']] == [('/plain?a=1', 2, 1), ('/other', 1, 1)]
    answer = audit_json('top', '--by', 'cache', '--order', 'bytes', daemon.log, code=0)
    assert [(row['value'], row['bytes']) for row in answer['values']] == [('miss', 10), ('hit', 5)]
    assert answer['all']['requests'] == 3
    assert '(all)' in logaudit('top', '--by', 'status', '--order', 'time', daemon.log, code=0).stdout
    for args in (['--by', 'nope'], ['--by', 'status', '--order', 'size'], ['--order', 'time'], ['--by', 'status', '--missed']):
        logaudit('top', *args, daemon.log, code=2)


def test_one_rule_is_explained_with_its_columns():
    text = logaudit('rules', 'stampede', code=0).stdout
    assert text.startswith('stampede (warning)') and 'collapse' in text and 'origin_tries' in text
    for row in json.loads(logaudit('rules', '--json', code=0).stdout)['rules']:
        assert row['rule'] in logaudit('rules', row['rule'], code=0).stdout
    assert 'no such rule' in logaudit('rules', 'nope', code=2).stderr
