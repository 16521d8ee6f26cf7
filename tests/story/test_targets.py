"""What the origin is asked for, what the cache knows it by, and daemons behind daemons (issue: the main job, parts 2 and 3)."""
import pytest


def config(more, names='node story;'):
    return f'workers 1; {names} access_log access.csv; server {{ listen 127.0.0.1:0; server_name site.test; {more} }}'


@pytest.mark.parametrize('asked, sent', [
    ('/api/x', '/v1/x'),
    ('/api/', '/v1/'),
    ('/api/x?q=/../', '/v1/x?q=/../'),
    ('/api/a%20b', '/v1/a%20b'),
    ('/api/%C3%A4', '/v1/%C3%A4'),
    ('/api/../api/x', '/v1/x'),
    ('/x/../api/y', '/v1/y'),
    ('/%61pi/z', '/v1/z'),
    ('/api//y', '/v1/y'),
    ('/api/a;b=c/d', '/v1/a;b=c/d'),
])
def test_a_path_in_proxy_pass_replaces_what_the_location_matched(proxy, origin, asked, sent):
    """However it is written: a request of the location never reaches what lies outside the origin's path."""
    o = origin()
    daemon = proxy(config(f'location /api/ {{ proxy_pass http://{o.address}/v1/; }} location / {{ return 404; }}'))
    assert daemon.get(asked).status == 200
    assert o.paths() == [sent]


@pytest.mark.parametrize('asked', ['/a', '/a/../b', '//x', '/a%2Fb', '/%7euser?x=%zz', '/a?', '/;', '/a/./b'])
def test_without_one_the_target_goes_out_as_received(proxy, origin, asked):
    o = origin()
    daemon = proxy(config(f'location / {{ proxy_pass http://{o.address}; }}'))
    assert daemon.get(asked).status == 200
    assert o.paths() == [asked]


def test_targets_that_an_origin_may_tell_apart_are_stored_apart(cached):
    daemon, o = cached(lambda request, conn: conn.reply(headers=[('Cache-Control', 'max-age=60')], body=request.target))
    targets = ['/a', '/a?', '/A', '/a/', '/a/.', '/%61', '/a;x', '/a?x', '/a?x=']
    for _ in range(2):
        assert [daemon.get(t).body.decode() for t in targets] == targets
    assert o.paths() == targets


def test_explain_says_what_the_daemon_does(proxy, origin):
    o = origin()
    daemon = proxy(config(f'location /api/ {{ proxy_pass http://{o.address}/v1/; }} location / {{ return 404; }}'))
    assert daemon.get('/x/../api/y?z').status == 200
    said = daemon.run('-c', daemon.config_path, 'explain', 'http://site.test/x/../api/y?z').stdout
    assert f'asks      http://{o.address}{o.paths()[0]}\n' in said


def test_two_daemons_that_nobody_named_are_not_a_loop(proxy, origin):
    o = origin()
    inner = proxy(config(f'location / {{ proxy_pass http://{o.address}; }}', names=''), folder='inner')
    outer = proxy(config('location / { proxy_pass http://%s:%d; }' % inner.address, names=''), folder='outer')
    assert outer.get('/').status == 200
    via = o.requests[0].headers.all('via')
    hops = [hop.strip() for line in via for hop in line.split(',')]
    assert len(hops) == 2 and hops[0] != hops[1]


def test_a_daemon_in_front_of_itself_is_a_loop(proxy, origin):
    """Found at run time: an address that only leads back through somebody else cannot be seen in the configuration."""
    def handler(request, conn):
        with daemon.client() as client:
            passed = [(n, v) for n, v in request.headers if n.lower() in ('via', 'cdn-loop')]
            conn.reply(status=client.get('/', headers=passed).status)

    o = origin(handler)
    daemon = proxy(config(f'location / {{ proxy_pass http://{o.address}; }}', names=''))
    assert daemon.get('/').status == 508
    assert [r['refusal'] for r in daemon.records(2)] == ['proxy_loop', '']


@pytest.mark.parametrize('asked', ['/x?y', 'http://site.test/x?y'])
def test_a_redirect_by_rule_names_path_and_query_in_every_form(proxy, asked):
    daemon = proxy(config('return 301 https://$host$request_uri;'))
    assert daemon.get(asked).headers.get('location') == 'https://site.test/x?y'


@pytest.mark.parametrize('host', ['site.test:80', 'site.test:', 'site.test.', 'SITE.test'])
def test_hosts_that_an_origin_may_tell_apart_are_stored_apart(cached, host):
    """Else one request with an odd notation makes everybody's redirect lead there."""
    def handler(request, conn):
        conn.reply(301, headers=[('Cache-Control', 'max-age=60'), ('Location', 'https://%s/x' % request.headers.get('host'))])

    daemon, _ = cached(handler)
    assert daemon.get('/', host=host).headers.get('location') == f'https://{host}/x'
    assert daemon.get('/').headers.get('location') == 'https://site.test/x'
