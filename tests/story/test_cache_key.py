"""What the cache knows an answer by, by the site's rules; and nothing else reaches the origin that stores under it."""
import json
import shutil
import tempfile

import pytest

from harness import Client, site, until

MAX_AGE = [('Cache-Control', 'max-age=600')]
PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148'
OTHER_PHONE = 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36'
DESKTOP = 'Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0'


def echo(*fields, more=()):
    """The origin says what it was asked for, and these fields."""
    def handler(request, conn):
        body = '|'.join([request.target] + [', '.join(request.headers.all(f)) for f in fields])
        conn.reply(headers=[*MAX_AGE, *more], body=b'' if request.method == 'HEAD' else body)
    return handler


def bodies(daemon, requests):
    return [daemon.get(target, headers=headers).body.decode() for target, headers in requests]


# ---- the query ----

def test_ignored_parameters_are_neither_in_the_key_nor_at_the_origin(cached):
    daemon, o = cached(echo(), settings='cache_key_ignore utm_* fbclid;')
    asked = ['/?a=1', '/?a=1&utm_source=x', '/?utm_medium=y&a=1&fbclid=z', '/?utm%5Fid=1&a=1']
    assert bodies(daemon, [(t, []) for t in asked]) == ['/?a=1'] * 4
    assert o.paths() == ['/?a=1']
    assert [r['target'] for r in daemon.records(4)] == asked, 'the log has what was asked'


def test_a_query_of_ignored_parameters_alone_is_none(cached):
    daemon, o = cached(echo(), settings='cache_key_ignore utm_*;')
    assert bodies(daemon, [(t, []) for t in ('/?utm_a=1', '/', '/?', '/?&utm_b')]) == ['/'] * 4
    assert o.paths() == ['/']


def test_only_kept_parameters_are_in_the_key(cached):
    daemon, o = cached(echo(), settings='cache_key_keep page sort_*;')
    asked = ['/?page=1&x=1', '/?y=2&page=1', '/?page=2', '/?sort_up=1&page=1', '/?z']
    assert bodies(daemon, [(t, []) for t in asked]) == ['/?page=1', '/?page=1', '/?page=2', '/?sort_up=1&page=1', '/']
    assert len(o.requests) == 4


def test_sorted_parameters_are_one_object_in_any_order(cached):
    daemon, o = cached(echo(), settings='cache_key_sort on;')
    asked = ['/?b=1&a=2', '/?a=2&b=1', '/?a=2&&b=1', '/?b=1&a=1&a=2', '/?a=2&a=1&b=1']
    assert bodies(daemon, [(t, []) for t in asked]) == ['/?a=2&b=1'] * 3 + ['/?a=1&a=2&b=1', '/?a=2&a=1&b=1']
    assert len(o.requests) == 3


def test_an_inner_keep_takes_the_place_of_an_outer_ignore(proxy, origin):
    o = origin(echo())
    daemon = proxy(site(o, http='cache_key_ignore utm_*;', settings='cache_key_ignore x;',
                        more=f'location /all/ {{ proxy_pass http://{o.address}; proxy_cache main; cache_key_keep *; }}'))
    assert bodies(daemon, [('/?x&utm_a&b', []), ('/all/?x&utm_a&b', [])]) == ['/?b', '/all/?x&utm_a&b']


@pytest.mark.parametrize('how, kw', [('POST', {'method': 'POST', 'body': b'x'}), ('PUT', {'method': 'PUT', 'body': b'x'}),
                                     ('login', {'headers': [('Cookie', 'session=1; lang=de; x=y'), ('User-Agent', PHONE)]})])
def test_what_passes_the_cache_reaches_the_origin_whole(cached, how, kw):
    daemon, o = cached(echo(), settings='cache_key_ignore utm_*; cache_key_sort on; cache_key_cookies lang; cache_key_device on; login_cookie session;')
    kw.setdefault('headers', [('Cookie', 'lang=de; x=y'), ('User-Agent', PHONE), ('X-Device-Class', 'desktop')])
    daemon.get('/?b&utm_a=1&a', **kw)
    got = o.requests[0]
    assert got.target == '/?b&utm_a=1&a'
    assert got.headers.all('cookie') == [kw['headers'][0][1]] and got.headers.all('user-agent') == [PHONE]
    assert got.headers.all('x-device-class') == ['phone'], 'the class is told all the same, and is never the client\'s word'


def test_nothing_outside_the_key_reaches_the_origin_by_a_set_field(cached):
    """$args, $request_uri and $http_... in proxy_set_header are other ways there."""
    fields = ['X-Args', 'X-Uri', 'X-Agent', 'X-Cookie']
    daemon, o = cached(echo(*fields), settings='cache_key_ignore utm_*; cache_key_cookies lang; cache_key_device on; proxy_set_header X-Args $args;'
                       'proxy_set_header X-Uri $request_uri; proxy_set_header X-Agent $http_user_agent; proxy_set_header X-Cookie $http_cookie;')
    evil = [('User-Agent', 'evil Mobile'), ('Cookie', 'evil=1'), ('User_Agent', 'evil'), ('X_Device_Class', 'evil'), ('X-Device-Class', 'evil')]
    for target in ('/?a&utm_evil', 'http://site.test/?a&utm_evil'):
        assert daemon.get(target, headers=evil).body.decode() == '/?a|a|/?a||'
    assert b'evil' not in o.bytes_seen()


@pytest.mark.parametrize('kw', [{'method': 'HEAD'}, {'headers': [('Range', 'bytes=0-1')]}])
def test_heads_and_ranges_are_asked_for_by_the_same_rules(cached, kw):
    daemon, o = cached(echo(), settings='cache_key_ignore utm_*;')
    daemon.get('/?utm_a&b', **kw)
    assert o.paths() == ['/?b']


def test_a_renewal_in_the_background_asks_by_the_same_rules(cached):
    def handler(request, conn):
        conn.reply(headers=[('Cache-Control', 'max-age=1, stale-while-revalidate=60'), ('Age', '10')], body='x')

    daemon, o = cached(handler, settings='cache_key_ignore utm_*; cache_key_cookies lang; cache_key_device on;')
    kw = {'headers': [('User-Agent', PHONE), ('Cookie', 'x=y; lang=de')]}
    daemon.get('/?b&utm_a', **kw)
    daemon.get('/?b&utm_c', **kw)
    first, second = o.wait_requests(2)
    assert first.target == second.target == '/?b'
    for field in ('cookie', 'user-agent', 'x-device-class'):
        assert first.headers.all(field) == second.headers.all(field)
    assert second.headers.all('cookie') == ['lang=de']
    until('both records', lambda: len([r for r in daemon.all_records() if r['rec'] in ('req', 'refresh')]) == 3)


def test_post_for_what_get_would_get_is_not_stored_under_rules(cached):
    """It went to the origin with all parameters."""
    def handler(request, conn):
        conn.reply(headers=[*MAX_AGE, ('Content-Location', request.target)], body=request.method)

    daemon, o = cached(handler, settings='cache_key_ignore utm_*;')
    daemon.get('/?utm_evil', method='POST', body=b'x')
    assert daemon.get('/').body == b'GET'


# ---- cookies ----

def test_cookies_of_the_key_select_by_value_and_absence(cached):
    daemon, o = cached(echo('Cookie'), settings='cache_key_cookies theme lang;')
    asked = ['lang=de', 'x=1; lang=de; sid=2', 'lang=en', 'theme=dark; lang=de', 'lang=de;theme=dark', 'sid=3', 'lang=']
    want = ['lang=de', 'lang=de', 'lang=en', 'lang=de; theme=dark', 'lang=de; theme=dark', '', 'lang=']
    for _ in range(2):
        assert bodies(daemon, [('/', [('Cookie', c)]) for c in asked]) == ['/|' + w for w in want]
    assert daemon.get('/').body == b'/|', 'no cookie of the key, or no cookie'
    assert len(o.requests) == 5
    assert not any(r.headers.has('cookie') for r in o.requests if r.headers.get('cookie') == '')


def test_vary_goes_on_top_of_the_rules(cached):
    daemon, o = cached(echo('Cookie', 'Accept-Language', more=[('Vary', 'Accept-Language, Cookie')]), settings='cache_key_cookies lang;')
    asked = [(c, a) for c in ('lang=de; u=1', 'lang=de; u=2', 'lang=en') for a in ('x', 'y')]
    for _ in range(2):
        got = bodies(daemon, [('/', [('Cookie', c), ('Accept-Language', a)]) for c, a in asked])
        assert got == ['/|%s|%s' % (c.split(';')[0], a) for c, a in asked]
    assert len(o.requests) == 4


def test_variants_by_rule_are_bounded(cached):
    daemon, o = cached(echo('Cookie'), settings='cache_key_cookies n; variants_max 3;')
    for n in range(6):
        daemon.get('/', headers=[('Cookie', f'n={n}')])
    daemon.records(6)
    for n in (5, 4, 3):
        daemon.get('/', headers=[('Cookie', f'n={n}')])
    assert [r['cache'] for r in daemon.records(9)[6:]] == ['hit'] * 3
    daemon.get('/', headers=[('Cookie', 'n=0')])
    assert daemon.records(10)[9]['cache'] == 'miss'


def test_a_cookie_too_long_for_a_key_is_not_stored(cached):
    daemon, o = cached(echo(), settings='cache_key_cookies n;')
    for _ in range(2):
        daemon.get('/', headers=[('Cookie', 'n=' + 'x' * 8000)])
    assert [r['nostore'] for r in daemon.records(2)] == ['vary_too_many'] * 2
    daemon.get('/', headers=[('Cookie', 'n=1')])
    assert daemon.records(3)[2]['stored'] == '1'


@pytest.mark.parametrize('method', ['POST', 'DELETE'])
def test_an_unsafe_request_voids_the_url_for_all_cookies_and_devices(cached, method):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE if request.method == 'GET' else [], body=str(len(conn.origin.requests))),
                       settings='cache_key_cookies lang; cache_key_device on; cache_key_ignore utm_*;')
    who = [[('Cookie', 'lang=de'), ('User-Agent', PHONE)], [('Cookie', 'lang=en')], []]
    before = bodies(daemon, [('/?a', h) for h in who])
    assert bodies(daemon, [('/?a', h) for h in who]) == before
    daemon.get('/?utm_x&a', method=method, body=b'x')
    assert not set(bodies(daemon, [('/?a', h) for h in who])) & set(before)


def test_a_purge_by_url_takes_all_cookies_and_devices_and_goes_by_the_rules(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=MAX_AGE, body=str(len(conn.origin.requests))),
                       settings='cache_key_cookies lang; cache_key_device on; cache_key_ignore utm_*; cache_key_sort on; purge_allow 127.0.0.1;')
    who = [[('Cookie', 'lang=de'), ('User-Agent', PHONE)], [('Cookie', 'lang=en')], []]
    before = bodies(daemon, [('/?a&b', h) for h in who])
    said = daemon.get('/?b&utm_x&a', method='PURGE', headers=[('Purge-Mode', 'hard')])
    assert b'"objects": 3' in said.body
    assert not set(bodies(daemon, [('/?a&b', h) for h in who])) & set(before)


def test_a_purge_by_the_admin_socket_goes_by_the_rules(cached):
    """The object is found as a request for the URL would find it, however the person wrote the URL."""
    folder = tempfile.mkdtemp(prefix='story')
    try:
        daemon, o = cached(echo(), http=f'admin unix:{folder}/admin;', settings='cache_key_ignore utm_*; cache_key_sort on;')
        bodies(daemon, [('/?a&b', []), ('/?a&c', [])])
        for url, objects in [('/?b&utm_x&a', 1), ('/?utm_y=1&c&a', 1), ('/?a', 0)]:
            done = daemon.run('-c', daemon.config_path, 'ctl', 'purge', 'url', 'http://Site.Test:80' + url, '--hard')
            assert (done.returncode, json.loads(done.stdout)['objects']) == (0, objects), (url, done.stdout, done.stderr)
        bodies(daemon, [('/?a&b', []), ('/?a&c', [])])
        assert o.paths() == ['/?a&b', '/?a&c'] * 2
    finally:
        daemon.stop()
        shutil.rmtree(folder)


def test_a_purge_by_prefix_never_takes_more_than_it_names(cached):
    """A parameter that is cut in the middle is none of those that are kept."""
    daemon, o = cached(echo(), settings='cache_key_keep page; purge_allow 127.0.0.1;')
    bodies(daemon, [('/?page=1', []), ('/?page=2', []), ('/x', [])])
    assert b'"objects": 2' in daemon.get('/?pa', method='PURGE', headers=[('Purge-Prefix', '1'), ('Purge-Mode', 'hard')]).body
    assert b'"objects": 0' in daemon.get('/?utm_a', method='PURGE', headers=[('Purge-Prefix', '1'), ('Purge-Mode', 'hard')]).body
    daemon.get('/x')
    assert len(o.requests) == 3


# ---- devices ----

def test_each_class_of_device_has_its_object(cached):
    daemon, o = cached(echo('X-Device-Class', 'User-Agent'), settings='cache_key_device on;')
    agents = [PHONE, OTHER_PHONE, DESKTOP, 'Mozilla/5.0 (iPad; CPU OS 16_6)', 'Googlebot/2.1']
    got = bodies(daemon, [('/', [('User-Agent', a)]) for a in agents])
    assert [g.split('|')[1] for g in got] == ['phone', 'phone', 'desktop', 'tablet', 'bot']
    assert daemon.get('/').body.decode() == got[2], 'who says nothing gets what desktops get'
    assert len(o.requests) == 4
    assert not any(a in g for a in agents for g in got), 'the origin never sees more than the class'
    assert len(set(g.split('|')[2] for g in got)) == 4


def test_a_class_cannot_be_claimed(cached):
    daemon, o = cached(echo('X-Device-Class', 'X_Device_Class', more=[('Vary', 'X-Device-Class')]), settings='cache_key_device on;')
    for field in ('X-Device-Class', 'x_device_class', 'X-Device_Class'):
        assert daemon.get('/', headers=[('User-Agent', DESKTOP), (field, 'phone')]).body == b'/|desktop|'
    assert daemon.get('/', headers=[('User-Agent', DESKTOP)]).body == b'/|desktop|'
    assert len(o.requests) == 1


def test_phones_do_not_wait_for_desktops(cached):
    def handler(request, conn):
        conn.origin.pass_gate(request.headers.get('x-device-class'))
        conn.reply(headers=MAX_AGE, body=request.headers.get('x-device-class'))

    daemon, o = cached(handler, settings='cache_key_device on;')
    o.open_gate('phone')
    with Client(daemon.address) as slow:
        slow.request('/', headers=[('User-Agent', DESKTOP)])
        o.wait_requests(1)
        assert daemon.get('/', headers=[('User-Agent', PHONE)]).body == b'phone'
        o.open_gate('desktop')
        assert slow.response().body == b'desktop'


def test_without_the_rule_the_client_may_say_what_it_is(cached):
    daemon, o = cached(echo('X-Device-Class', 'User-Agent'))
    assert daemon.get('/', headers=[('X-Device-Class', 'mine'), ('User-Agent', 'me')]).body == b'/|mine|me'


# ---- changes, and what is said of it ----

def test_what_was_stored_by_other_rules_is_not_served(proxy, origin):
    o = origin(echo('Cookie'))
    daemon = proxy(site(o))
    rules, generation = site(o, settings='cache_key_cookies lang;'), 1
    assert daemon.get('/', headers=[('Cookie', 'lang=de')]).body == b'/|lang=de'
    for config, cookie, want in ((rules, 'lang=en', b'/|lang=en'), (rules, 'lang=de', b'/|lang=de'), (site(o), 'lang=fr', b'/|lang=fr'),
                                 (rules, 'lang=en', b'/|lang=en')):
        daemon.reload(config)
        generation += 1
        until('the reload in the log', lambda: [r for r in daemon.all_records() if r['rec'] == 'reload' and r['config'] == str(generation)])
        assert daemon.get('/', headers=[('Cookie', cookie)]).body == want


def test_explain_has_the_rules(cached):
    daemon, o = cached(echo(), settings='cache_key_ignore utm_*; cache_key_sort on; cache_key_cookies lang; cache_key_device on;')
    daemon.get('/?c&utm_a&b')
    said = daemon.run('-c', daemon.config_path, 'explain', 'http://site.test/?c&utm_a&b').stdout
    assert f'(hash {daemon.record()["key"]})' in said
    assert f'http://{o.address}{o.requests[0].target}\n' in said and o.requests[0].target == '/?b&c'
    assert 'key       http://site.test/?b&c (' in said
    assert 'variants  cookie lang; device class;\n' in said
