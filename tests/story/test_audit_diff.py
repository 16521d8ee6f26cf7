"""logaudit diff: the gate of a rolling change. What a reload broke is worse; what it left alone is the same."""
from harness import audit_json, logaudit
from test_audit import MAX_AGE, two_sites


def ask(daemon, count, before):
    with daemon.client() as client:
        for i in range(count):
            assert client.get(f'/page/{i % 10}', host=['good.test', 'forgot.test'][i % 2]).status == 200
    daemon.records(before + count)


def reloaded(daemon, config=None):
    since = daemon.reload(config)
    daemon.wait_said('configuration [0-9]+ is in use', since)


def verdicts(answer):
    """How fast the machine is today is not the story's."""
    return {row['name']: row['verdict'] for row in answer['shares'] if not row['name'].startswith('slow_')}


def test_a_generation_that_forgot_its_volume_is_worse(proxy, origin):
    o = origin(headers=MAX_AGE, body=b'x' * 500)
    daemon = proxy(two_sites(o, 'proxy_cache main;'))
    ask(daemon, 300, 0)
    reloaded(daemon, two_sites(o, 'proxy_cache off;'))
    ask(daemon, 300, 300)
    answer = audit_json('diff', '--by', 'config', daemon.log, code=1)
    assert answer['before'] == '1' and answer['now'] == '2'
    assert verdicts(answer)['hit_ratio'] == 'worse' and verdicts(answer)['errors'] == 'same'
    hosts = {row['host']: verdicts(row)['hit_ratio'] for row in answer['hosts']}
    assert hosts == {'good.test': 'same', 'forgot.test': 'worse'}
    text = logaudit('diff', '--by', 'config', daemon.log, code=1).stdout
    assert 'worse' in text and 'Host forgot.test' in text and 'two-proportion z-test' in text
    # The other way round it is better.
    answer = audit_json('diff', '--by', 'config', '--sides', '2,1', daemon.log)
    assert verdicts(answer)['hit_ratio'] == 'better'


def test_a_reload_that_changed_nothing_is_the_same(proxy, origin, tmp_path):
    o = origin(headers=MAX_AGE, body=b'x' * 500)
    daemon = proxy(two_sites(o, 'proxy_cache main;'))
    ask(daemon, 300, 0)
    saved = tmp_path / 'side.json'
    saved.write_text(logaudit('diff', '--json', daemon.log, code=0).stdout)
    reloaded(daemon)
    ask(daemon, 300, 300)
    answer = audit_json('diff', '--by', 'config', daemon.log)
    # The first misses of each page are no loss of the second generation.
    assert set(verdicts(answer).values()) <= {'same', 'better', 'too few'}
    answer = audit_json('diff', '--baseline', saved, '--where', 'config=2', daemon.log)
    assert answer['before'] == 'baseline' and verdicts(answer)['errors'] == 'same'


def test_what_cannot_be_compared_is_a_sentence(proxy, origin, tmp_path):
    o = origin(headers=MAX_AGE)
    daemon = proxy(two_sites(o, ''))
    ask(daemon, 10, 0)
    for args, word in [(['--by', 'node'], 'two sides'), (['--by', 'nope'], 'nope'), (['--at', 'noon'], 'noon'), (['--sides', 'a,b'], 'one of'),
                       (['--by', 'node', '--at', 'now'], 'one of'), (['--by', 'node', '--sides', 'story,other'], 'no such two')]:
        assert word in logaudit('diff', *args, daemon.log, code=2).stderr
    bad = tmp_path / 'side.json'
    for text in ['', '{}', '{"side": {}}', '{"side": {"requests": -1}}']:
        bad.write_text(text)
        assert 'baseline' in logaudit('diff', '--baseline', bad, daemon.log, code=2).stderr
