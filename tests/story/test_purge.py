"""Purging: over the admin socket by `proxyd ctl`, and over HTTP by the method PURGE. Soft is the default: what is stored is kept,
but not used without asking the origin. A purge holds from the moment it is acknowledged, for what is on its way, too."""
import json
import os
import socket
import threading

import pytest

from harness import Client, audit_json, findings, site, until

TOKEN = '0123456789abcdef'
FRESH = ('Cache-Control', 'max-age=600')


def versioned(request, conn):
    """Each answer says the how-manieth it is for its path; ?etag pages have a validator that never changes."""
    origin = conn.origin
    number = sum(r.target == request.target for r in origin.requests)
    path = request.target.split('?')[0]
    headers = [FRESH, ('Cache-Tag', f'{path}, all'), ('Surrogate-Key', f'key{path} site')]
    if 'etag' in request.target:
        headers.append(('ETag', '"same"'))
        if request.headers.get('if-none-match') == '"same"':
            conn.reply(304, headers=headers, length=False, reason='Not Modified')
            return
    if 'vary' in request.target:
        headers.append(('Vary', 'Accept-Language'))
    conn.reply(headers=headers, body=f'{path} {number}')


@pytest.fixture
def purged(admin, cached):
    """purged() -> (daemon, origin, ctl); ctl(words...) -> the JSON answer."""
    def make(handler=versioned, settings='', http='', **kw):
        daemon, o = cached(handler, settings=settings, http=f'admin unix:{admin};' + http, **kw)
        return daemon, o, lambda *words, code=0: ctl(daemon, *words, code=code)

    return make


def ctl(daemon, *words, code=0):
    done = daemon.run('-c', daemon.config_path, 'ctl', *words)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else done.stderr


def url(path):
    return f'http://site.test{path}'


def pages(daemon, *paths):
    """What each path is answered with now, and how the log says that it came."""
    return [daemon.get(path).body.decode() for path in paths]


def last(daemon, count):
    record = daemon.records(count)[-1]
    return record['cache'], record['purged']


# ---- what is purged ----

def test_a_purged_url_is_fetched_again_and_the_log_and_the_client_are_told(purged):
    daemon, o, order = purged()
    assert pages(daemon, '/a', '/b', '/a') == ['/a 1', '/b 1', '/a 1']
    answer = order('purge', 'url', url('/a'))
    assert (answer['ok'], answer['objects'], answer['mode'], answer['kind']) == (True, 1, 'soft', 'url')
    got = daemon.get('/a')
    assert got.body == b'/a 2'
    assert 'fwd=stale' in got.headers.get('cache-status') and 'detail=purged' in got.headers.get('cache-status')
    assert pages(daemon, '/a', '/b') == ['/a 2', '/b 1']
    assert [(r['cache'], r['purged']) for r in daemon.records(6)[3:]] == [('miss', '1'), ('hit', '0'), ('hit', '0')]
    note = next(r for r in daemon.all_records() if r['rec'] == 'purge')
    assert (note['target'], note['purge_objects']) == (f'url soft {url("/a")}', '1')


def test_the_next_line_says_purged_after_a_hard_purge_too(purged):
    daemon, o, order = purged()
    pages(daemon, '/a')
    assert order('purge', 'url', url('/a'), '--hard')['objects'] == 1
    got = daemon.get('/a')
    assert got.body == b'/a 2' and 'fwd=uri-miss' in got.headers.get('cache-status') and 'detail=purged' in got.headers.get('cache-status')
    daemon.get('/never')
    assert [(r['cache'], r['purged']) for r in daemon.records(3)] == [('miss', '0'), ('miss', '1'), ('miss', '0')]
    assert daemon.counters()['proxyd_volume_purged_total'] == 1


@pytest.mark.parametrize('mode', ['--soft', '--hard'])
def test_all_variants_of_a_url_go_and_are_counted(purged, mode):
    daemon, o, order = purged()
    ask = [[('Accept-Language', language)] for language in ('de', 'fr', 'en')]
    for headers in ask:
        daemon.get('/a?vary', headers=headers)
    daemon.get('/a')
    assert order('purge', 'url', url('/a?vary'), mode)['objects'] == 3
    assert [daemon.get('/a?vary', headers=headers).body for headers in ask] == [b'/a 4', b'/a 5', b'/a 6']
    assert [daemon.get('/a?vary', headers=headers).body for headers in ask] == [b'/a 4', b'/a 5', b'/a 6']
    assert daemon.get('/a').body == b'/a 1'


@pytest.mark.parametrize('mode', ['--soft', '--hard'])
def test_a_prefix_takes_what_begins_with_it(purged, mode):
    daemon, o, order = purged()
    names = ['/items', '/items/1', '/items2', '/item', '/other']
    pages(daemon, *names)
    assert order('purge', 'prefix', url('/items'), mode)['objects'] == 3
    assert pages(daemon, *names) == ['/items 2', '/items/1 2', '/items2 2', '/item 1', '/other 1']
    assert order('purge', 'prefix', url('/items/'), mode)['objects'] == 1
    assert order('purge', 'prefix', 'http://site.test', mode)['objects'] == (6 - 1 if mode == '--soft' else 4)
    assert order('purge', 'prefix', 'http://site.tes', mode)['objects'] == 0       # a host is whole


@pytest.mark.parametrize('mode', ['--soft', '--hard'])
def test_a_tag_is_exact(purged, mode):
    daemon, o, order = purged()
    names = ['/items', '/items2', '/items/1']
    pages(daemon, *names)
    assert order('purge', 'tag', '/items', mode)['objects'] == 1
    assert pages(daemon, *names) == ['/items 2', '/items2 1', '/items/1 1']
    assert order('purge', 'tag', 'key/items2', mode)['objects'] == 1
    assert pages(daemon, *names) == ['/items 2', '/items2 2', '/items/1 1']
    assert order('purge', 'tag', '/ITEMS', mode)['objects'] == 0
    assert order('purge', 'tag', 'all', mode)['objects'] == 3
    assert order('purge', 'tag', 'site', mode)['objects'] in (0, 3)
    assert pages(daemon, *names) == ['/items 3', '/items2 3', '/items/1 2']


def test_everything_can_be_purged_and_stays_purged_when_it_is_asked_for_once(purged):
    daemon, o, order = purged()
    names = [f'/{i}' for i in range(20)]
    pages(daemon, *names)
    assert order('purge', 'all')['objects'] == 20
    assert pages(daemon, *names) == [f'/{i} 2' for i in range(20)]
    assert pages(daemon, *names) == [f'/{i} 2' for i in range(20)]
    assert order('purge', 'all', '--hard')['objects'] == 20
    until('an empty volume', lambda: daemon.counters()['proxyd_volume_objects'] == 0)
    assert pages(daemon, *names) == [f'/{i} 3' for i in range(20)]
    assert all(r['purged'] == '1' for r in daemon.records(80)[60:])


# ---- soft and hard ----

def test_a_soft_purge_asks_with_the_validator_and_a_304_makes_it_fresh(purged):
    daemon, o, order = purged()
    pages(daemon, '/a?etag')
    order('purge', 'tag', '/a')
    assert pages(daemon, '/a?etag', '/a?etag') == ['/a 1', '/a 1']
    assert o.requests[1].headers.get('if-none-match') == '"same"' and len(o.requests) == 2
    assert [(r['cache'], r['purged']) for r in daemon.records(3)] == [('miss', '0'), ('revalidated', '1'), ('hit', '0')]
    assert order('purge', 'tag', '/a')['objects'] == 1   # the 304 kept its tags


def test_a_hard_purge_leaves_nothing_to_validate(purged):
    daemon, o, order = purged()
    pages(daemon, '/a?etag')
    order('purge', 'tag', '/a', '--hard')
    assert pages(daemon, '/a?etag') == ['/a 2']
    assert o.requests[1].headers.get('if-none-match') is None


@pytest.mark.parametrize('mode, status, body', [('--soft', 200, b'page'), ('--hard', 502, None)])
def test_what_was_purged_softly_is_there_when_the_origin_fails(purged, mode, status, body):
    def handler(request, conn):
        if len(conn.origin.requests) > 1:
            conn.close()
        else:
            conn.reply(headers=[FRESH], body='page')

    daemon, o, order = purged(handler)
    daemon.get('/')
    order('purge', 'all', mode)
    answer = daemon.get('/')
    assert answer.status == status and (body is None or answer.body == body)
    assert daemon.records(2)[1]['cache'] == ('hit_stale' if body else 'error')


@pytest.mark.parametrize('cache_control', ['max-age=600, must-revalidate', 'no-cache, max-age=600'])
def test_but_not_against_must_revalidate(purged, cache_control):
    def handler(request, conn):
        if len(conn.origin.requests) > 1:
            conn.close()
        else:
            conn.reply(headers=[('Cache-Control', cache_control), ('ETag', '"x"')], body='page')

    daemon, o, order = purged(handler)
    daemon.get('/')
    order('purge', 'all')
    assert daemon.get('/').status == 502


def test_stale_while_revalidate_does_not_serve_what_was_purged(purged):
    def handler(request, conn):
        conn.reply(headers=[('Cache-Control', 'max-age=10, stale-while-revalidate=600'), ('Age', '20')], body=str(len(conn.origin.requests)))

    daemon, o, order = purged(handler)
    daemon.get('/')
    order('purge', 'all')
    assert daemon.get('/').body == b'2'


# ---- what is on its way ----

@pytest.mark.parametrize('headed', [False, True], ids=['before-the-head', 'within-the-body'])
@pytest.mark.parametrize('mode', ['--soft', '--hard'])
def test_a_fetch_that_is_under_way_does_not_survive_the_purge_as_fresh(purged, mode, headed):
    def handler(request, conn):
        first = len(conn.origin.requests) == 1
        if not first:
            conn.reply(headers=[FRESH], body='new')
            return
        if headed:
            conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 3\r\n\r\no')
            conn.origin.pass_gate()
            conn.send(b'ld')
        else:
            conn.origin.pass_gate()
            conn.reply(headers=[FRESH], body='old')

    daemon, o, order = purged(handler)
    before = daemon.client()
    before.request('/')
    o.wait_requests(1)
    if headed:
        before.fill()
    order('purge', 'url', url('/'), mode)
    after = [daemon.client() for _ in range(5)]
    for client in after:
        client.request('/')
    if headed:
        o.wait_requests(2)           # whoever comes now waits for a fetch of his own
    else:
        until('waiters', lambda: True)
    o.open_gate()
    assert before.response().body == b'old'          # asked before the purge
    assert [client.response().body for client in after] == [b'new'] * 5
    assert daemon.get('/').body == b'new'
    assert len(o.requests) == 2
    first = next(r for r in daemon.records(7) if r['cache'] == 'miss' and r['purged'] == '0')
    assert (first['stored'], first['nostore']) == ('0', 'purged')


def test_a_304_that_was_asked_for_before_the_purge_renews_nothing(purged):
    def handler(request, conn):
        if len(conn.origin.requests) == 2:
            conn.origin.pass_gate()
            conn.reply(304, headers=[('Cache-Control', 'max-age=600'), ('ETag', '"v1"')], length=False, reason='Not Modified')
        else:
            number = len(conn.origin.requests)
            conn.reply(headers=[('Cache-Control', 'max-age=600' if number > 2 else 'max-age=0'), ('ETag', '"v1"')], body=str(number))

    daemon, o, order = purged(handler)
    daemon.get('/')
    client = daemon.client()
    client.request('/')
    o.wait_requests(2)
    order('purge', 'url', url('/'))
    o.open_gate()
    assert client.response().body == b'1'
    assert daemon.get('/').body == b'3'


# ---- it lasts ----

@pytest.mark.parametrize('words', [('url', '/a'), ('prefix', '/'), ('tag', 'all'), ('all',)], ids=lambda w: w[0])
@pytest.mark.parametrize('mode', ['--soft', '--hard'])
def test_a_purge_survives_kill_9(purged, words, mode):
    daemon, o, order = purged()
    pages(daemon, '/a')
    words = [url(w) if w.startswith('/') else w for w in words]
    assert order('purge', *words, mode)['objects'] == 1
    daemon.kill()
    daemon.start()
    assert daemon.get('/a').body == b'/a 2'
    assert daemon.get('/a').body == b'/a 2'


def test_what_was_stored_before_a_kill_9_can_be_purged_after_it(purged):
    daemon, o, order = purged()
    pages(daemon, '/a', '/b')
    until('both on disk', lambda: daemon.counters()['proxyd_volume_stored_total'] == 2)
    daemon.kill()
    daemon.start()
    assert order('purge', 'tag', '/a')['objects'] == 1
    assert pages(daemon, '/a', '/b') == ['/a 2', '/b 1']


# ---- tags are not for clients ----

@pytest.mark.parametrize('settings, shown', [('', False), ('cache_tags_visible on;', True)])
def test_tags_are_kept_from_clients(purged, settings, shown):
    daemon, o, order = purged(settings=settings)
    for _ in range(2):
        answer = daemon.get('/a')
        assert (answer.headers.has('cache-tag'), answer.headers.has('surrogate-key')) == (shown, shown)
    answer = daemon.get('/a', method='POST', body=b'x')
    assert answer.headers.has('cache-tag') is shown
    assert order('purge', 'tag', 'key/a')['objects'] in (0, 1)


def test_an_answer_with_more_tags_than_are_kept_is_not_stored(purged):
    tags = ','.join(f'tag-{i:05}' for i in range(1700))
    daemon, o, order = purged(lambda request, conn: conn.reply(headers=[FRESH, ('Cache-Tag', tags)], body='x'))
    assert daemon.get('/').body == b'x'
    assert daemon.record()['nostore'] == 'too_many_tags'


# ---- over HTTP ----

def purge(daemon, target, *headers, host='site.test', **kw):
    return daemon.get(target, method='PURGE', headers=[('Purge-Token', TOKEN), *headers], host=host, **kw)


@pytest.fixture
def open_site(purged):
    return lambda settings=f'purge_token {TOKEN};', **kw: purged(settings=settings, **kw)


def test_purge_is_off_by_default_and_is_not_passed_on(purged):
    daemon, o, _ = purged()
    answer = purge(daemon, '/')
    assert answer.status == 405 and o.requests == []
    assert daemon.record()['refusal'] == 'method_not_allowed'


def test_purge_by_url_prefix_and_tag_over_http(open_site):
    daemon, o, _ = open_site()
    pages(daemon, '/a', '/a/1', '/b')
    answer = purge(daemon, '/a')
    assert answer.status == 200 and answer.headers.get('content-type') == 'application/json'
    assert json.loads(answer.body) == {'ok': True, 'kind': 'url', 'mode': 'soft', 'volume': 'main', 'objects': 1}
    assert pages(daemon, '/a', '/a/1') == ['/a 2', '/a/1 1']
    assert json.loads(purge(daemon, '/a', ('Purge-Prefix', '1'), ('Purge-Mode', 'hard')).body) \
        == {'ok': True, 'kind': 'prefix', 'mode': 'hard', 'volume': 'main', 'objects': 2}
    assert pages(daemon, '/a', '/a/1', '/b') == ['/a 3', '/a/1 2', '/b 1']
    assert json.loads(purge(daemon, '/', ('Surrogate-Key', 'key/a key/b')).body)['objects'] == 2
    assert json.loads(purge(daemon, '/', ('Cache-Tag', 'nobody, has these')).body)['objects'] == 0
    assert pages(daemon, '/a', '/a/1', '/b') == ['/a 4', '/a/1 2', '/b 2']
    records = [r for r in daemon.records(15) if r['method'] == 'PURGE']
    assert [(r['cache'], r['status'], r['purge_objects']) for r in records] == [('purge', '200', n) for n in ('1', '2', '2', '0')]
    assert daemon.counters()['proxyd_purges_total'] == 4


@pytest.mark.parametrize('headers', [[], [('Purge-Token', TOKEN + 'x')], [('Purge-Token', TOKEN[:-1])], [('Purge-Token', TOKEN[:-1] + 'g')],
                                     [('Purge-Token', '')], [('Authorization', 'Basic ' + TOKEN)], [('Authorization', 'Bearer')],
                                     [('Purge-Token', TOKEN * 2)]])
def test_a_wrong_token_purges_nothing(open_site, headers):
    daemon, o, _ = open_site()
    pages(daemon, '/a')
    answer = daemon.get('/a', method='PURGE', headers=headers)
    assert answer.status == 401 and answer.headers.get('www-authenticate') == 'Bearer'
    assert pages(daemon, '/a') == ['/a 1']
    assert daemon.records(3)[1]['refusal'] == 'purge_token'


def test_the_token_may_come_as_a_bearer(open_site):
    daemon, o, _ = open_site()
    assert daemon.get('/a', method='PURGE', headers=[('Authorization', 'Bearer ' + TOKEN)]).status == 200


@pytest.mark.parametrize('allow, found, status', [
    ('127.0.0.0/8', None, 200), ('10.0.0.0/8 ::1', None, 403), ('10.0.0.0/8', '10.1.2.3', 200), ('127.0.0.1', '10.1.2.3', 403),
    ('fd00::/8', 'fd00::1', 200)])
def test_only_listed_addresses_may_purge(purged, allow, found, status):
    daemon, o, _ = purged(settings=f'purge_allow {allow};', http='trusted_proxy 127.0.0.1;')
    headers = [('X-Forwarded-For', found)] if found else []
    assert daemon.get('/a', method='PURGE', headers=headers).status == status
    assert daemon.record()['refusal'] == ('' if status == 200 else 'purge_address')


def test_with_both_address_and_token_both_must_fit(purged):
    daemon, o, _ = purged(settings=f'purge_allow 10.0.0.0/8; purge_token {TOKEN};')
    assert purge(daemon, '/a').status == 403


@pytest.mark.parametrize('headers', [[('Purge-Mode', 'gently')], [('Cache-Tag', ' , ')], [('Surrogate-Key', '')]])
def test_a_purge_that_cannot_be_understood_is_refused(open_site, headers):
    daemon, o, _ = open_site()
    assert purge(daemon, '/a', *headers).status == 400
    assert daemon.record()['refusal'] == 'purge_fields'


def test_a_purge_where_nothing_is_cached(proxy, origin):
    daemon = proxy(site(origin(), cache=False, settings=f'purge_token {TOKEN};'))
    assert purge(daemon, '/a').status == 404


def test_a_client_that_leaves_does_not_stop_its_purge(open_site):
    daemon, o, _ = open_site()
    pages(daemon, '/a')
    with Client(daemon.address) as client:
        client.request('/a', method='PURGE', headers=[('Purge-Token', TOKEN)])
    until('its record', lambda: len(daemon.requests()) == 2)
    assert pages(daemon, '/a') == ['/a 2']


def test_two_sites_of_one_volume_purge_their_own_urls_only(purged):
    daemon, o, _ = purged(settings=f'purge_token {TOKEN};', more='server_name *.other.test;')
    daemon.get('/a', host='x.other.test')
    daemon.get('/a')
    assert json.loads(purge(daemon, '/', ('Purge-Prefix', '1')).body)['objects'] == 1
    daemon.get('/a', host='x.other.test')
    assert daemon.records(4)[3]['cache'] == 'hit'


# ---- ctl ----

def test_status_and_volumes(purged):
    daemon, o, order = purged()
    pages(daemon, '/a', '/a')
    status = order('status')
    assert status['ok'] and status['pid'] == daemon.process.pid and status['node'] == 'story' and status['counters']['hits'] == 1
    order('purge', 'tag', 'x')
    volumes = order('volumes')['volumes']
    assert [(v['name'], v['objects'], v['purge_rules'], v['purges_total']) for v in volumes] == [('main', 1, 1, 1)]
    assert volumes[0]['purge_rules_max'] > 100


@pytest.mark.parametrize('words, code, says', [
    ((), 2, 'ctl takes'), (('dance',), 2, "'dance' is no command"), (('purge',), 2, 'a kind'), (('purge', 'url'), 2, 'one URL or tag'),
    (('purge', 'all', 'x'), 2, 'nothing more'), (('purge', 'url', 'a', 'b'), 2, 'one URL or tag'), (('purge', 'tag', 'a\nb'), 2, 'line end'),
    (('purge', '--gently', 'all'), 2, '--hard'), (('status', 'x'), 2, 'nothing more'),
    (('purge', 'page', 'x'), 1, "'page' is not url, prefix, tag or all"), (('purge', 'url', '/a'), 1, 'begins with http'),
    (('purge', 'url', 'http://a b/'), 1, 'http://a b/'), (('purge', 'all', '--volume', 'nowhere'), 1, "there is no volume 'nowhere'"),
    (('purge', 'url', 'http://site.test/%'), 0, '')])
def test_ctl_says_what_is_wrong(purged, words, code, says):
    daemon, o, _ = purged()
    done = daemon.run('-c', daemon.config_path, 'ctl', *words)
    assert done.returncode == code and says in done.stderr, (done.returncode, done.stdout, done.stderr)
    if code == 1:
        assert json.loads(done.stdout)['ok'] is False


def test_ctl_without_a_daemon_or_a_socket(purged, admin, proxy):
    daemon, o, order = purged()
    daemon.stop()
    assert not os.path.exists(admin)
    assert 'no daemon answers' in order('status', code=3)
    other = proxy(site(o), start=False, folder='other')
    done = other.run('-c', other.config_path, 'ctl', 'status')
    assert done.returncode == 2 and 'admin unix:' in done.stderr


@pytest.mark.parametrize('given, mode', [('', 0o600), (' 0660', 0o660), (' 600', 0o600)])
def test_the_socket_has_the_mode_it_was_given(cached, admin, given, mode):
    cached(http=f'admin unix:{admin}{given};')
    assert os.stat(admin).st_mode & 0o777 == mode


def test_a_socket_that_a_killed_daemon_left_is_no_hindrance(purged):
    daemon, o, order = purged()
    daemon.kill()
    daemon.start()
    assert order('status')['ok']


def test_the_socket_takes_several_lines_and_odd_ones(purged, admin):
    purged()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(admin)
        s.sendall(b'status\r\n\nnonsense \xff\x00\npurge\npurge soft * tag two words\nvol')
        s.sendall(b'umes\n')
        with s.makefile() as answers:
            lines = [answers.readline() for _ in range(6)]
    assert [json.loads(line)['ok'] for line in lines] == [True, False, False, False, True, True]


def test_purges_go_on_while_requests_do(purged):
    """Nothing that is served is older than a purge that was answered before it was asked for."""
    daemon, o, order = purged(lambda request, conn: conn.reply(headers=[FRESH, ('Cache-Tag', 't')], body=str(len(conn.origin.requests))), workers=2)
    stop = threading.Event()
    wrong = []
    floor = [0]

    def ask():
        with Client(daemon.address) as client:
            while not stop.is_set():
                least = floor[0]
                number = int(client.get('/page').body)
                if number < least:
                    wrong.append((number, least))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round in range(10):
        seen = len(o.requests)
        order('purge', *[('url', url('/page')), ('tag', 't'), ('prefix', url('/')), ('all',)][round % 4], *(['--hard'] if round % 3 else []))
        floor[0] = seen + 1 if seen else 0
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize('words', [('url', '/a'), ('prefix', '/'), ('tag', '/a')], ids=lambda w: w[0])
def test_odd_notations_of_the_host_are_purged_with_the_plain_one(purged, words):
    daemon, o, order = purged()
    hosts = ['site.test', 'SITE.test', 'site.test:80', 'site.test.']
    for host in hosts:
        daemon.get('/a', host=host)
    order('purge', words[0], url(words[1]) if words[0] != 'tag' else words[1])
    for host in hosts:
        daemon.get('/a', host=host)
    assert [r['purged'] for r in daemon.records(8)] == ['0'] * 4 + ['1'] * 4


def test_a_purge_in_an_odd_notation_takes_the_plain_one(purged):
    daemon, o, order = purged()
    daemon.get('/a')
    assert order('purge', 'url', 'http://Site.TEST:80/a')['objects'] == 1
    daemon.get('/a', host='site.test:8080')
    assert order('purge', 'url', 'http://site.test:8080/a')['objects'] == 1


def test_purges_are_in_the_audit_s_report_and_make_no_finding(open_site):
    daemon, o, order = open_site()
    pages(daemon, '/a', '/a')
    purge(daemon, '/a')
    order('purge', 'tag', 'all')
    pages(daemon, '/a')
    daemon.records(4)
    daemon.stop()
    report = audit_json('report', daemon.log)
    assert (report['lines_rejected'], report['totals']['requests']) == (0, 4)
    assert findings(audit_json('check', daemon.log)) == []


def test_content_of_a_purge_is_no_next_request(open_site):
    daemon, o, _ = open_site()
    client = daemon.client()
    client.request('/a', method='PURGE', headers=[('Purge-Token', TOKEN)], body=b'GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n')
    client.request('/b')
    assert client.response().status == 200
    assert client.response().body == b'/b 1'
    assert o.paths() == ['/b']


def test_purge_in_a_site_with_two_volumes_goes_where_it_is_sent(proxy, origin, admin):
    o = origin(versioned)
    daemon = proxy(f'''workers 1; node story; access_log access.csv; admin unix:{admin};
volume one {{ path one; size 8m; }} volume two {{ path two; size 8m; }}
server {{ listen 127.0.0.1:0; server_name site.test;
    location / {{ proxy_pass http://{o.address}; proxy_cache one; }}
    location /two/ {{ proxy_pass http://{o.address}; proxy_cache two; }} }}''')
    pages(daemon, '/a', '/two/a')
    assert ctl(daemon, 'purge', 'tag', 'all', '--volume', 'two')['objects'] == 1
    assert pages(daemon, '/a', '/two/a') == ['/a 1', '/two/a 2']
    answer = ctl(daemon, 'purge', 'all')
    assert (answer['objects'], answer['volumes']) == (2, 2)
    assert pages(daemon, '/a', '/two/a') == ['/a 2', '/two/a 3']
