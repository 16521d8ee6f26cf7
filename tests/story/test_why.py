"""`logaudit why URL`: what a real daemon's log says of one URL."""
import os

from harness import audit_json, logaudit, site

MAX_AGE = [('Cache-Control', 'max-age=600')]


def reasons(answer):
    return {r['reason']: r for r in answer['reasons']}


def line_at(daemon, place):
    return dict(zip(daemon.lines()[0].decode().split(','), daemon.lines()[place['line'] - 1].decode().split(',')))


def test_each_reason_has_its_sentence_its_count_and_a_line(proxy, origin):
    def handler(request, conn):
        cookie = request.target.startswith('/shop')
        conn.reply(200, MAX_AGE + ([('Set-Cookie', 'basket=1')] if cookie else []), b'hello\n')
    daemon = proxy(site(origin(handler), settings='login_cookie session;'))
    with daemon.client() as client:
        for _ in range(3):
            client.get('/shop')
        for _ in range(4):
            client.get('/page')
        client.get('/page', headers=[('Cookie', 'session=1')])
    daemon.records(8)
    shop = audit_json('why', 'http://site.test/shop', daemon.log, code=0)
    assert shop['requests']['count'] == 3 and shop['stored']['count'] == 0
    found = reasons(shop)
    assert set(found) == {'set_cookie'} and found['set_cookie']['count'] == 3
    assert 'store_cookies' in found['set_cookie']['doc'] and found['set_cookie']['advice']
    assert line_at(daemon, found['set_cookie']['first'])['nostore'] == 'set_cookie'
    page = audit_json('why', 'site.test/page', daemon.log, code=0)
    assert page['verdicts'] == {'miss': 1, 'hit': 3, 'pass': 1}
    assert [run['cache'] for run in page['timeline']] == ['miss', 'hit', 'pass']
    assert set(reasons(page)) == {'first', 'login_cookie'}
    assert page['stored'] == {**page['stored'], 'count': 1, 'by': '127.0.0.1'}
    assert page['lifetimes'] == [{'seconds': '600', 'requests': 5}]
    text = logaudit('why', '/shop', daemon.log, code=0).stdout
    assert 'set_cookie: 3 of 3 requests' in text and f'access.csv:{found["set_cookie"]["first"]["line"]}' in text


def test_variants_are_counted_and_told_apart(cached):
    daemon, _ = cached(headers=MAX_AGE + [('Vary', 'X-Kind')])
    with daemon.client() as client:
        for kind in 'abcab':
            client.get('/', headers=[('X-Kind', kind)])
    daemon.records(5)
    answer = audit_json('why', '/', daemon.log, code=0)
    assert answer['variants'] == 3
    assert [v['value'] for v in answer['vary']] == ['X-Kind']
    found = reasons(answer)
    assert (found['first']['count'], found['variant']['count']) == (1, 2)


def test_a_post_in_between_is_named_as_the_cause(cached):
    daemon, _ = cached(headers=MAX_AGE)
    with daemon.client() as client:
        client.get('/')
        client.request('/', method='POST', body=b'x')
        client.response('POST')
        client.get('/')
    daemon.records(3)
    found = reasons(audit_json('why', '/', daemon.log, code=0))
    assert set(found) == {'first', 'method', 'invalidated'}, found


def test_a_refresh_in_the_background_is_told(cached):
    daemon, o = cached(headers=[('Cache-Control', 'max-age=1, stale-while-revalidate=600'), ('Age', '1')])
    with daemon.client() as client:
        client.get('/')
        client.get('/')
    o.wait_requests(2)
    daemon.records(2)
    daemon.stop()
    answer = audit_json('why', '/', daemon.log, code=0)
    assert answer['verdicts'] == {'miss': 1, 'hit_stale': 1}
    assert answer['refreshed']['count'] == 1


def test_a_purge_is_told_and_so_is_what_it_cost(cached):
    daemon, _ = cached(headers=MAX_AGE, settings='purge_allow 127.0.0.1;')
    with daemon.client() as client:
        client.get('/')
        client.request('/', method='PURGE', headers=[('Purge-Mode', 'hard')])
        assert client.response('PURGE').status == 200
        client.get('/')
    daemon.records(3)
    answer = audit_json('why', '/', daemon.log, code=0)
    assert (answer['purged']['count'], answer['requests']['count']) == (1, 2)
    assert set(reasons(answer)) == {'first', 'purged'}
    assert [run['cache'] for run in answer['timeline']] == ['miss', 'purge', 'miss']
    text = logaudit('why', '/', daemon.log, code=0).stdout
    assert 'Purged    1 time' in text


def test_without_a_host_all_hosts_are_listed(proxy, origin):
    o = origin(headers=MAX_AGE)
    daemon = proxy(site(o))
    with daemon.client() as client:
        for host in ('site.test', 'site.test', 'other.test'):
            client.get('/page', host=host)
    daemon.records(3)
    answer = audit_json('why', '/page', daemon.log, code=0)
    assert {h['host']: (h['requests'], h['hits']) for h in answer['hosts']} == {'site.test': (2, 1), 'other.test': (1, 0)}
    assert audit_json('why', 'other.test/page', daemon.log, code=0)['requests']['count'] == 1


def test_other_notations_of_a_url_are_the_same_url(cached):
    daemon, _ = cached(headers=MAX_AGE)
    with daemon.client() as client:
        client.get('/%7Euser/')
        client.get('/~user/')
    daemon.records(2)
    assert audit_json('why', '/~user/#top', daemon.log, code=0)['requests']['count'] == 2


def test_nothing_found_is_a_clear_sentence_with_the_nearest(cached):
    daemon, _ = cached(headers=MAX_AGE)
    with daemon.client() as client:
        client.get('/articles/1.html')
        client.get('/about')
    daemon.records(2)
    done = logaudit('why', 'site.test/article/1.html', daemon.log, code=1)
    assert 'No request for site.test/article/1.html' in done.stdout
    assert 'Nearest: http://site.test/articles/1.html' in done.stdout


def test_files_in_any_order_tell_the_same(cached, tmp_path):
    daemon, _ = cached(headers=MAX_AGE)
    with daemon.client() as client:
        for i in range(20):
            client.get('/page', headers=[('Authorization', 'x')] if i % 5 == 0 else [])
    daemon.records(20)
    lines = daemon.lines()
    parts = []
    for i in range(2):
        parts.append(os.path.join(tmp_path, f'part{i}.csv'))
        with open(parts[i], 'wb') as f:
            f.write(b'\n'.join([lines[0]] + lines[1 + i * 10:11 + i * 10 if i == 0 else None]) + b'\n')
    answers = [audit_json('why', '/page', *order, code=0) for order in (parts, parts[::-1])]
    for answer in answers:
        for part in answer['reasons'] + answer['timeline'] + [answer['requests'], answer['stored']]:
            part['first'] = {**part['first'], 'file': os.path.basename(part['first']['file'])}
    assert answers[0]['timeline'] == answers[1]['timeline'] and answers[0]['reasons'] == answers[1]['reasons']


def test_what_is_no_url_is_exit_code_2(tmp_path):
    assert 'no URL' in logaudit('why', 'ftp://a/', tmp_path / 'x.csv', code=2).stderr
    assert 'URL and the files' in logaudit('why', '/a', code=2).stderr
    assert 'none.csv' in logaudit('why', '/a', tmp_path / 'none.csv', code=2).stderr


def test_the_most_missed_urls_are_named_with_their_reasons(proxy, origin):
    def handler(request, conn):
        cookie = [('Set-Cookie', 'basket=1')] if request.target == '/shop' else []
        conn.reply(200, MAX_AGE + cookie, b'hello\n')
    daemon = proxy(site(origin(handler)))
    with daemon.client() as client:
        for target, times in (('/shop', 5), ('/page', 9), ('/rare', 1)):
            for _ in range(times):
                client.get(target)
    daemon.records(15)
    top = audit_json('top', '--missed', '--why', daemon.log, code=0)
    assert [(u['url'], u['missed'], u['requests']) for u in top['urls']] == [
        ('http://site.test/shop', 5, 5), ('http://site.test/page', 1, 9), ('http://site.test/rare', 1, 1)]
    assert [(r['reason'], r['count']) for r in top['urls'][0]['reasons']] == [('set_cookie', 5)]
    assert top['others'] is None and top['all']['missed'] == 7
    text = logaudit('top', '--missed', '--why', daemon.log, code=0).stdout
    assert 'store_cookies' in text and text.index('/shop') < text.index('/page')
    assert [u['url'] for u in audit_json('top', '--limit', 1, daemon.log, code=0)['urls']] == ['http://site.test/page']
