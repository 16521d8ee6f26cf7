"""The auditor tells the truth about a real daemon's log, the founding story first: a cache that is quietly not bound,
everything served well, metrics plausible, and the audit says so (design section 6)."""
import random

from harness import audit_json, findings, logaudit, site, until

MAX_AGE = [('Cache-Control', 'max-age=600')]


def two_sites(o, second):
    return f'''
        workers 1; node story; access_log access.csv; metrics 127.0.0.1:0;
        volume main {{ path vol; size 8m; }}
        server {{ listen 127.0.0.1:0; server_name good.test; location / {{ proxy_pass http://{o.address}; proxy_cache main; }} }}
        server {{ listen 127.0.0.1:0; server_name forgot.test; location / {{ proxy_pass http://{o.address}; {second} }} }}'''


def drive(daemon, count=600):
    """Ordinary traffic for both sites, the same for every run."""
    rng = random.Random(1)
    with daemon.client() as client:
        for _ in range(count):
            answer = client.get(f'/page/{int(rng.paretovariate(1.1)) % 50}', host=rng.choice(['good.test', 'forgot.test']))
            assert answer.status == 200
    daemon.records(count)


def test_the_founding_story_is_found(proxy, origin):
    o = origin(headers=MAX_AGE, body=b'x' * 2000)
    daemon = proxy(two_sites(o, ''))
    drive(daemon)
    # What everybody looked at: nothing is wrong here.
    counters = daemon.counters()
    assert counters['proxyd_requests_total'] == 600 and counters['proxyd_status_5xx_total'] == 0 and counters['proxyd_hits_total'] > 200
    # What the log knows.
    found = findings(audit_json('check', daemon.log, code=1), 'volume-unbound')
    assert len(found) == 1, found
    assert 'forgot.test' in found[0]['subject']
    assert found[0]['count'] >= 200 and found[0]['evidence'] and found[0]['cause'] and found[0]['cure']
    evidence = found[0]['evidence'][0]
    line = daemon.lines()[int(evidence['line']) - 1].decode()
    assert 'forgot.test' in line, 'the evidence is a line of the log'
    text = logaudit('check', daemon.log, code=1).stdout
    assert 'volume-unbound' in text and 'forgot.test' in text


def test_the_same_traffic_with_both_bound_is_silent(proxy, origin):
    o = origin(headers=MAX_AGE, body=b'x' * 2000)
    daemon = proxy(two_sites(o, 'proxy_cache main;'))
    drive(daemon)
    assert findings(audit_json('check', daemon.log, code=0)) == []


def test_a_site_that_says_off_is_worth_a_note_at_most(proxy, origin):
    """`proxy_cache off` is a decision, not an oversight."""
    o = origin(headers=MAX_AGE, body=b'x' * 2000)
    daemon = proxy(two_sites(o, 'proxy_cache off;'))
    drive(daemon)
    assert [f for f in findings(audit_json('check', daemon.log)) if f['severity'] != 'info'] == []


def test_a_volume_nobody_is_bound_to_is_found(proxy, origin):
    o = origin(headers=MAX_AGE)
    daemon = proxy(f'''
        workers 1; node story; access_log access.csv;
        volume main {{ path vol; size 8m; }}
        server {{ listen 127.0.0.1:0; server_name site.test; location / {{ proxy_pass http://{o.address}; }} }}''', start=False)
    check = daemon.run('-t', '-c', daemon.config_path)
    if check.returncode != 0:        # an error at check: better still (design section 3)
        assert 'main' in check.stderr
        return
    daemon.start()
    with daemon.client() as client:
        for i in range(300):
            client.get(f'/{i % 20}')
    daemon.records(300)
    assert findings(audit_json('check', daemon.log, code=1), 'volume-unbound')


def test_a_volume_without_hits_is_found(proxy, origin):
    """Bound, asked again and again, and never a hit: a framework sets a cookie with every page."""
    o = origin(headers=MAX_AGE + [('Set-Cookie', 'visited=1')])
    daemon = proxy(site(o))
    with daemon.client() as client:
        for i in range(300):
            client.get(f'/page/{i % 10}')
    daemon.records(300)
    found = findings(audit_json('check', daemon.log, code=1), 'volume-no-hits')
    assert found and 'main' in found[0]['subject'] and 'set_cookie' in found[0]['cause']


def test_pages_that_are_asked_for_once_are_no_finding(proxy, origin):
    o = origin(headers=MAX_AGE)
    daemon = proxy(site(o))
    with daemon.client() as client:
        for i in range(300):
            client.get(f'/page/{i}')
    daemon.records(300)
    assert findings(audit_json('check', daemon.log, code=0)) == []


def test_public_behind_a_login_is_found(cached):
    daemon, _ = cached(headers=[('Cache-Control', 'public, max-age=60')])
    with daemon.client() as client:
        for i in range(50):
            client.get(f'/app/{i}', headers=[('Authorization', f'Basic {i}')])
    daemon.records(50)
    assert findings(audit_json('check', daemon.log, code=1), 'public-on-authenticated')


def test_public_for_everybody_is_no_finding(cached):
    daemon, _ = cached(headers=[('Cache-Control', 'public, max-age=60')])
    with daemon.client() as client:
        for i in range(50):
            client.get(f'/{i % 5}')
    daemon.records(50)
    assert findings(audit_json('check', daemon.log, code=0)) == []


def test_a_replayed_cookie_is_found(cached):
    daemon, _ = cached(headers=MAX_AGE + [('Set-Cookie', 'session=1')], settings='store_cookies on;', more='trusted_proxy 127.0.0.1;')
    with daemon.client() as client:
        for i in range(50):
            client.get('/', headers=[('X-Forwarded-For', f'203.0.113.{i % 5}')])
    daemon.records(50)
    assert findings(audit_json('check', daemon.log, code=1), 'set-cookie-replayed')


def test_the_report_tells_the_true_ratio(cached):
    daemon, o = cached(headers=MAX_AGE, body=b'x' * 1000)
    with daemon.client() as client:
        for i in range(100):
            client.get(f'/{i % 10}')
    records = daemon.records(100)
    report = audit_json('report', daemon.log, code=0)
    hits = len([r for r in records if r['cache'] == 'hit'])
    assert hits == 100 - len(o.requests) == 90
    assert (report['totals']['requests'], report['totals']['hits']) == (100, hits)
    assert report['lines_read'] == report['lines_counted'] + report['lines_rejected']
    assert report['lines_rejected'] == 0
    text = logaudit('report', daemon.log, code=0).stdout
    assert '90' in text and '100' in text and 'main' in text and 'site.test' in text


def test_a_broken_line_is_rejected_counted_and_costs_no_other(cached, tmp_path):
    daemon, _ = cached(headers=MAX_AGE)
    with daemon.client() as client:
        for i in range(100):
            client.get(f'/{i % 10}')
    daemon.records(100)
    lines = daemon.lines()
    requests = [i for i, line in enumerate(lines) if line.startswith(b'req,')]
    lines[requests[50]] = lines[requests[50]].replace(b',', b',"', 1)        # one stray quote
    lines.insert(requests[60], b'garbage \xff\xfe without columns')
    broken = tmp_path / 'broken.csv'
    broken.write_bytes(b'\n'.join(lines) + b'\n')
    report = audit_json('report', broken, code=0)
    assert report['lines_rejected'] == 2
    assert report['totals']['requests'] == 99


def test_a_kill_is_found_and_a_stop_is_not(cached):
    """What a killed daemon had not written yet has no number: only the missing stop tells of it."""
    daemon, _ = cached()
    for end, found in ((daemon.stop, 0), (daemon.kill, 0), (daemon.stop, 1)):
        daemon.get('/')
        end()
        assert len(findings(audit_json('check', daemon.log, code=found), 'log-gap')) == found
        daemon.start()
    daemon.stop()


def test_a_missing_file_is_exit_code_2(tmp_path):
    done = logaudit('check', tmp_path / 'none.csv', code=2)
    assert 'none.csv' in done.stderr


def test_rotated_files_are_read_as_one(cached):
    import os
    import signal
    daemon, _ = cached(headers=MAX_AGE)
    for i in range(10):
        daemon.get('/')
    daemon.records(10)
    old = daemon.log + '.1'
    os.rename(daemon.log, old)
    daemon.send_signal(signal.SIGUSR1)
    until('a new file', lambda: daemon.lines())
    for i in range(10):
        daemon.get('/')
    daemon.records(10)
    report = audit_json('report', old, daemon.log, code=0)
    assert (report['totals']['requests'], report['totals']['hits']) == (20, 19)
    assert findings(audit_json('check', old, daemon.log, code=0)) == []


def test_a_cut_piece_in_the_middle_is_a_gap(cached, tmp_path):
    daemon, _ = cached()
    with daemon.client() as client:
        for i in range(100):
            client.get(f'/{i}')
    daemon.records(100)
    lines = [line for i, line in enumerate(daemon.lines()) if not 40 <= i < 50]
    holed = tmp_path / 'holed.csv'
    holed.write_bytes(b'\n'.join(lines) + b'\n')
    found = findings(audit_json('check', holed, code=1), 'log-gap')
    assert found and found[0]['count'] == 10
