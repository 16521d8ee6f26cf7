"""logaudit state and merge: parts of a real log, counted each for itself, are the whole."""
import itertools

import made_log
from harness import audit_json, findings, logaudit
from test_audit import MAX_AGE, drive, two_sites


def parts_of(log, tmp_path, count):
    """The log cut into files, each with the header line."""
    with open(log, 'rb') as f:
        header, *lines = f.read().splitlines(keepends=True)
    states = []
    for i in range(count):
        part, state = tmp_path / f'part{i}.csv', tmp_path / f'part{i}.state'
        part.write_bytes(header + b''.join(lines[len(lines) * i // count:len(lines) * (i + 1) // count]))
        logaudit('state', '-o', state, part, code=0)
        states.append(state)
    return states


def test_parts_in_any_order_and_grouping_are_the_whole(proxy, origin, tmp_path):
    o = origin(headers=MAX_AGE, body=b'x' * 2000)
    daemon = proxy(two_sites(o, ''))
    drive(daemon)
    daemon.stop()
    states = parts_of(daemon.log, tmp_path, 3)
    whole = audit_json('report', daemon.log, code=0)
    texts = {logaudit('merge', '--json', *order, code=0).stdout for order in itertools.permutations(states)}
    pair = tmp_path / 'pair.state'
    logaudit('merge', '-o', pair, states[2], states[0], code=0)
    texts.add(logaudit('merge', '--json', pair, states[1], code=0).stdout)
    assert len(texts) == 1
    merged = audit_json('merge', *states, code=0)
    for name in ('totals', 'hosts', 'volumes', 'lines_counted', 'lines_rejected'):
        assert merged[name] == whole[name], name
    # Each part found the site without a volume; it is one finding.
    (found,) = findings(merged, 'volume-unbound')
    assert found['subject'] == 'forgot.test' and found['count'] == sum(
        f['count'] for state in states for f in findings(audit_json('merge', state), 'volume-unbound'))
    assert 'volume-unbound' in logaudit('merge', '--findings', *states, code=1).stdout


def test_one_state_says_all_that_the_report_says(tmp_path):
    log, state = made_log.write(tmp_path / 'a.csv', made_log.ordinary()), tmp_path / 'a.state'
    logaudit('state', '-o', state, log, code=0)
    for form in ('--csv', '--json', '--color=never'):
        assert logaudit('merge', form, state, code=0).stdout == logaudit('report', form, log, code=0).stdout, form
    page = tmp_path / 'a.html'
    logaudit('merge', '--html', page, state, code=0)
    assert 'www.example' in page.read_text()


def test_counts_that_are_not_exact_any_more_stand_with_their_error(tmp_path):
    # 4,096 clients are told apart; one of them asks far more often than the others.
    states, busy = [], '198.51.100.1'
    for part in range(2):
        rows = [{'client': busy if i % 5 == 0 else f'10.{part}.{i >> 8}.{i & 255}'} for i in range(6000)]
        log, state = made_log.write(tmp_path / f'{part}.csv', rows, step_us=1000), tmp_path / f'{part}.state'
        logaudit('state', '-o', state, log, code=0)
        states.append(state)
    for order in (states, states[::-1]):
        merged = audit_json('merge', *order, code=0)
        first = merged['clients'][0]
        assert first['client'] == busy and merged['clients_error'] > 0
        assert first['requests'] - first['error'] <= 2400 <= first['requests']
        assert merged['totals']['requests'] == 12000
    assert 'There are more than the 4096 that are told apart' in logaudit('merge', *states, code=0).stdout


def test_what_is_no_state_is_a_sentence(tmp_path):
    log, state = tmp_path / 'a.csv', tmp_path / 'a.state'
    log.write_text('')
    logaudit('state', '-o', state, log, code=0)
    good = state.read_bytes()
    logaudit('merge', state, code=0)
    for bad, word in [(b'', 'no state'), (good[:-1], 'damaged'), (good[:40] + b'x' + good[41:], 'damaged'), (b'rec/1,t_us\n' * 50, 'no state')]:
        state.write_bytes(bad)
        done = logaudit('merge', state, code=2)
        assert word in done.stderr, done
    assert 'No such file' in logaudit('merge', tmp_path / 'none', code=2).stderr
    assert '--output' in logaudit('state', log, code=2).stderr
    assert 'no filter' in logaudit('merge', '--host', 'a', state, code=2).stderr
