"""logaudit check in scripts: exit codes, the severity that fails, and a baseline of what is known already."""
import json

from harness import audit_json, findings, logaudit, site
from test_audit import MAX_AGE, drive, two_sites


def test_the_severity_that_fails_is_chosen(proxy, origin):
    o = origin(headers=MAX_AGE, body=b'x' * 2000)
    daemon = proxy(two_sites(o, ''))          # volume-unbound: a warning
    drive(daemon)
    assert {f['severity'] for f in findings(audit_json('check', daemon.log, code=1))} == {'warning'}
    logaudit('check', '--fail-on', 'warning', daemon.log, code=1)
    logaudit('check', '--fail-on', 'info', daemon.log, code=1)
    logaudit('check', '--fail-on', 'error', daemon.log, code=0)
    assert 'fatal' in logaudit('check', '--fail-on', 'fatal', daemon.log, code=2).stderr
    # A file that cannot be read is 2, whatever was found.
    logaudit('check', '--fail-on', 'error', daemon.log, daemon.log + '.missing', code=2)


def test_what_was_known_does_not_fail_what_is_new_does(proxy, origin, tmp_path):
    o = origin(headers=[('Cache-Control', 'public, max-age=600')], body=b'x' * 2000)
    daemon = proxy(two_sites(o, ''))
    drive(daemon)
    saved = tmp_path / 'baseline.json'
    saved.write_text(logaudit('check', '--json', daemon.log, code=1).stdout)
    # The same log, and the log of another day with the same fault: nothing new.
    text = logaudit('check', '--baseline', saved, daemon.log, code=0).stdout
    assert 'known' in text and 'Findings  none' in text
    with daemon.client() as client:
        for i in range(600):
            client.get(f'/page/{i % 10}', host=['good.test', 'forgot.test'][i % 2])
    daemon.records(1200)
    answer = audit_json('check', '--baseline', saved, daemon.log, code=0)
    assert [row['standing'] for row in answer['baseline']['standings']] == ['known'] and answer['baseline']['gone'] == []
    # Another fault fails, and is shown alone.
    with daemon.client() as client:
        for i in range(40):
            client.get(f'/mine/{i % 10}', host='good.test', headers=[('Authorization', 'Basic x')])
    daemon.records(1240)
    answer = audit_json('check', '--baseline', saved, daemon.log, code=1)
    assert {row['rule']: row['standing'] for row in answer['baseline']['standings']} == {
        'volume-unbound': 'known', 'public-on-authenticated': 'new'}
    text = logaudit('check', '--baseline', saved, daemon.log, code=1).stdout
    assert 'Findings  1:' in text and 'warning public-on-authenticated' in text


def test_what_went_away_is_named(proxy, origin, tmp_path):
    o = origin(headers=MAX_AGE, body=b'x' * 2000)
    bad = proxy(two_sites(o, ''))
    drive(bad)
    saved = tmp_path / 'baseline.json'
    saved.write_text(logaudit('check', '--json', bad.log, code=1).stdout)
    good = proxy(two_sites(o, 'proxy_cache main;').replace('path vol', 'path vol2').replace('access.csv', 'good.csv'))
    good.log = good.log.replace('access.csv', 'good.csv')
    drive(good)
    text = logaudit('check', '--baseline', saved, good.log, code=0).stdout
    assert 'gone    warning volume-unbound: forgot.test' in text
    answer = audit_json('check', '--baseline', saved, good.log, code=0)
    assert answer['baseline']['gone'] == [{'rule': 'volume-unbound', 'subject': 'forgot.test', 'cannot_tell': False}]
    # With a filter that blinds the rule it may be there yet.
    answer = audit_json('check', '--baseline', saved, '--host', 'good.test', good.log, code=0)
    assert answer['baseline']['gone'][0]['cannot_tell'] is True


def test_an_empty_baseline_makes_everything_new(proxy, origin, tmp_path):
    o = origin(headers=MAX_AGE + [('Set-Cookie', 'visited=1')])
    daemon = proxy(site(o))
    with daemon.client() as client:
        for i in range(300):
            client.get(f'/page/{i % 10}')
    daemon.records(300)
    saved = tmp_path / 'baseline.json'
    saved.write_text(json.dumps({'lines_counted': 0, 'findings': []}))
    answer = audit_json('check', '--baseline', saved, daemon.log, code=1)
    assert {row['standing'] for row in answer['baseline']['standings']} == {'new'}
    saved.write_text('{')
    assert 'baseline' in logaudit('check', '--baseline', saved, daemon.log, code=2).stderr
