"""Drives the demo: about 5,000 requests as a small site gets them, the same at every run. Browsers that keep what they may
and ask conditionally, with and without a login; a crawler; readers of a stream; a burst of visitors for one cold page; a
POST, a HEAD, ranges, redirects, what is not there, and clients that break the rules.
usage: traffic.py PORT          prints how many requests of each kind were sent, the total last"""
import collections
import http.client
import random
import socket
import sys
import threading

HOST, PICTURES_HOST = 'harbour.test', 'pictures.harbour.test'
ARTICLES, PICTURES, ARCHIVE = 80, 40, 20
sent = collections.Counter()
port = int(sys.argv[1])


def zipf(rng, count):
    """0 often, count - 1 rarely."""
    return min(int(rng.paretovariate(0.9)) - 1, count - 1)


class Browser:
    def __init__(self, rng, agent, language):
        self.rng, self.agent, self.language = rng, agent, language
        self.cookies, self.kept = {}, {}
        self.open()

    def open(self):
        self.connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)

    def ask(self, path, method='GET', host=HOST, body=None, kind='page', **headers):
        fields = {'Host': host, 'User-Agent': self.agent, 'Accept-Language': self.language, 'Accept-Encoding': 'gzip, deflate, br'}
        if self.cookies:
            fields['Cookie'] = '; '.join(f'{n}={v}' for n, v in self.cookies.items())
        etag = self.kept.get((host, path))
        if etag and method == 'GET':
            fields['If-None-Match'] = etag
        fields.update({n.replace('_', '-'): v for n, v in headers.items()})
        sent[kind] += 1
        self.connection.request(method, path, body=body, headers=fields)
        answer = self.connection.getresponse()
        answer.read()
        cookie = answer.getheader('Set-Cookie')
        if cookie:
            name, _, value = cookie.split(';')[0].partition('=')
            self.cookies[name] = value
        if answer.status == 200 and method == 'GET' and answer.getheader('ETag'):
            self.kept[host, path] = answer.getheader('ETag')
        return answer

    def embed(self, path, host=HOST, kind='asset'):
        """What belongs to a page: from the browser's own cache, but for a reload now and then."""
        if (host, path) not in self.kept or self.rng.random() < 0.08:
            self.ask(path, host=host, kind=kind)

    def visit(self):
        """One page with what belongs to it."""
        rng = self.rng
        choice = rng.random()
        if choice < 0.70:
            self.ask(f'/articles/{zipf(rng, ARTICLES)}.html')
            self.embed(f'/assets/picture-{rng.randrange(10)}.7e.png')
        elif choice < 0.80:
            self.ask('/')
        elif choice < 0.85:
            self.ask(f'/archive/{1900 + zipf(rng, ARCHIVE)}.html', kind='archive')
        elif choice < 0.88:
            self.ask(f'/old/{rng.randrange(ARTICLES)}.html', kind='redirect')
        elif choice < 0.90:
            self.ask(f'/missing/{rng.randrange(5)}', kind='missing')
        elif choice < 0.92:
            first = rng.randrange(200_000)
            self.ask('/files/catalogue.pdf', kind='range', Range=f'bytes={first}-{first + 9999}')
        elif choice < 0.94:
            self.ask('/account/', kind='account')
        else:
            self.ask(f'/{zipf(rng, PICTURES)}.png', host=PICTURES_HOST, kind='picture')
        for path in ('/assets/site.3f2a.css', '/assets/site.9c1b.js', '/assets/logo.11aa.svg'):
            self.embed(path)
        if rng.random() < 0.4:
            self.embed(f'/{zipf(rng, PICTURES)}.png', PICTURES_HOST, 'picture')


def browse(seed, visits):
    rng = random.Random(seed)
    agents = ('Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0', 'Mozilla/5.0 (iPhone) Safari/604.1', 'Mozilla/5.0 "quoted", and, commas')
    browsers = [Browser(random.Random(rng.random()), rng.choice(agents), rng.choice(('en', 'de, en;q=0.5'))) for _ in range(120)]
    browsers[0].ask('/login', method='POST', body='user=tom&password=secret', kind='login', Content_Type='application/x-www-form-urlencoded')
    browsers[1].ask('/account/', kind='account')
    for _ in range(visits):
        browser = rng.choice(browsers)
        browser.visit()
        if rng.random() < 0.02:      # a new tab: another connection
            browser.connection.close()
            browser.open()
    for _ in range(30):
        browsers[2].ask('/app/orders', kind='app', Authorization='Basic dG9tOnNlY3JldA==')
        browsers[3].ask('/app/orders', kind='app', Authorization='Basic YW5uOnNlY3JldA==')
    browsers[4].ask('/about.html', method='HEAD', kind='head')


def crawl():
    crawler = Browser(random.Random(7), 'HarbourBot/1.0 (+http://bot.test/)', 'en')
    crawler.kept = collections.defaultdict(lambda: None)
    crawler.ask('/robots.txt', kind='crawler')
    crawler.ask('/feed.xml', kind='crawler')
    for i in range(ARTICLES):
        crawler.ask(f'/articles/{i}.html', kind='crawler', Accept_Encoding='gzip')
    for i in range(PICTURES):
        crawler.ask(f'/{i}.png', host=PICTURES_HOST, kind='crawler')


def listen():
    """Reads three events of the stream, each as it comes, and leaves."""
    with socket.create_connection(('127.0.0.1', port), timeout=10) as s:
        sent['stream'] += 1
        s.sendall(b'GET /events HTTP/1.1\r\nHost: harbour.test\r\nAccept: text/event-stream\r\n\r\n')
        got = b''
        while got.count(b'data: ') < 3:
            data = s.recv(4096)
            assert data, 'the stream ended early'
            got += data


def rush(path, count):
    """Visitors that all come at once for a page nobody has asked for yet: one request reaches the origin."""
    sockets = [socket.create_connection(('127.0.0.1', port), timeout=10) for _ in range(count)]
    for s in sockets:
        sent['rush'] += 1
        s.sendall(f'GET {path} HTTP/1.1\r\nHost: harbour.test\r\nConnection: close\r\n\r\n'.encode())
    for s in sockets:
        while s.recv(65536):
            pass
        s.close()


def misbehave():
    for data in (b'GET / HTTP/1.1\r\nHost: harbour.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
                 b'GET / HTTP/1.1\r\nHost : harbour.test\r\n\r\n', b'nonsense\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
                 b'GET / HTTP/1.1\r\nHost: harbour.test\r\nHost: other.test\r\n\r\n', b'GET /half HTTP/1.1\r\nHos'):
        with socket.create_connection(('127.0.0.1', port), timeout=10) as s:
            sent['broken'] += 1
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass


def main():
    rush('/files/catalogue.pdf', 50)
    listener = threading.Thread(target=listen)
    listener.start()
    browse(1, 2600)
    crawl()
    misbehave()
    listener.join()
    for kind, count in sorted(sent.items(), key=lambda row: -row[1]):
        print(f'{count:6} {kind}')
    print(f'{sum(sent.values()):6} requests')


main()
