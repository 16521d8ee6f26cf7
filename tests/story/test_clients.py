"""Ordinary clients of other makers find nothing odd: curl and httpx."""
import subprocess

import httpx

URL = 'http://%s:%d'


def curl(*args):
    return subprocess.run(['curl', '-sS', '--noproxy', '*', '-m', '10', *args], capture_output=True, text=True, check=True).stdout


def test_curl_gets_heads_posts_and_expects(cached):
    def handler(request, conn):
        conn.reply(headers=[('Cache-Control', 'no-store')], body=b'' if request.method == 'HEAD' else request.method.encode() + b':' + request.body)

    daemon, _ = cached(handler)
    url = URL % daemon.address
    assert curl(url) == 'GET:'
    assert curl('-d', 'a=b', url) == 'POST:a=b'
    assert curl('-H', 'Expect: 100-continue', '-d', 'x' * 2000, url) == 'POST:' + 'x' * 2000
    assert curl('-H', 'Transfer-Encoding: chunked', '-d', 'chunks', url) == 'POST:chunks'
    assert 'HTTP/1.1 200 OK' in curl('-I', url)
    assert curl('--http1.0', url) == 'GET:'
    assert curl(url + '/[1-5]') == 'GET:' * 5


def test_curl_makes_conditional_requests(cached):
    daemon, o = cached(headers=[('Cache-Control', 'max-age=60'), ('ETag', '"1"')])
    url = URL % daemon.address
    curl(url)
    assert curl('-H', 'If-None-Match: "1"', '-o', '/dev/null', '-w', '%{http_code}', url) == '304'
    assert len(o.requests) == 1


def test_httpx_follows_redirects_and_keeps_cookies(cached):
    def handler(request, conn):
        if request.target == '/login':
            conn.reply(302, headers=[('Location', '/home'), ('Set-Cookie', 'session=1; Path=/')])
        else:
            conn.reply(headers=[('Cache-Control', 'private')], body=request.headers.get('cookie') or 'nobody')

    daemon, _ = cached(handler, settings='login_cookie session;')
    with httpx.Client(base_url=URL % daemon.address, follow_redirects=True, trust_env=False) as client:
        assert client.get('/home').text == 'nobody'
        assert client.post('/login', data={'user': 'tom'}).text == 'session=1'
        assert client.get('/home').text == 'session=1'
    assert [r['cache'] for r in daemon.records(4)][-2:] == ['pass', 'pass']


def test_httpx_streams_an_upload_and_a_download(cached):
    daemon, _ = cached(lambda request, conn: conn.reply(headers=[('Cache-Control', 'no-store')], body=request.body))

    def chunks():
        for i in range(100):
            yield b'%05d' % i * 1000

    with httpx.Client(base_url=URL % daemon.address, trust_env=False) as client:
        assert client.post('/', content=chunks()).content == b''.join(b'%05d' % i * 1000 for i in range(100))
