"""Compression and what is stored in other ways: parts, slices, purges, quotas; streams of a real server; why an answer is sent plain."""
import http.server
import pathlib
import runpy
import threading
import zlib

import brotli
import pytest

import harness
from codings import HEADERS, ON, TEXT, ask, decoded, made, unzstd_begin, varies
from files import FRESH, STRONG, File
from harness import until
from test_policy import MAX_AGE, ctl, owners
from test_purge import purged, url     # noqa: F401: one of them a fixture

DATED = [('Cache-Control', 'max-age=600'), ('Content-Type', 'text/html'), ('Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT')]
LONG = TEXT * 4
THING = ON + 'compress_types application/x-thing;'       # of files.File


@pytest.fixture
def reasons(cached):
    """Asks once, and says what the column `uncoded` has."""
    def make(headers=HEADERS, body=TEXT, settings=ON, accept='gzip', more=(), **kw):
        daemon, _ = cached(lambda request, conn: conn.reply(headers=headers, body=body if request.method != 'HEAD' else b''), settings=settings)
        answer = ask(daemon, accept, *more, **kw)
        record = daemon.record()
        assert (record['coding'] != '') == answer.headers.has('content-encoding') or record['uncoded'] == 'encoded'
        return record['uncoded']
    return make


# ---- why an answer is sent as it is ----

HTML = ('Content-Type', 'text/html')
WHY = {
    '': {},
    'request': {'accept': 'deflate'},
    'type': {'headers': [('Content-Type', 'image/png')]},
    'tiny': {'body': b'x' * 1023},
    'encoded': {'headers': [HTML, ('Content-Encoding', 'x-thing')]},
    'no_transform': {'headers': [HTML, ('Cache-Control', 'no-transform')]},
    'private': {'headers': [HTML, ('Cache-Control', 'no-store')], 'more': [('Cookie', 'id=1')]},
    'off': {'settings': ''},
}


@pytest.mark.parametrize('why', WHY)
def test_the_log_says_why(reasons, why):
    assert reasons(**WHY[why]) == why


@pytest.mark.parametrize('case', [
    {'accept': None}, {'version': 'HTTP/1.0'}, {'more': [('Cache-Control', 'no-transform')]}, {'more': [('Range', 'bytes=0-9')]},
    {'accept': 'gzip;q=0', 'settings': ''}, {'headers': [HTML, ('Cache-Control', 'no-store')], 'more': [('Cookie', 'id=1')], 'accept': None}])
def test_a_request_that_cannot_have_a_coding(reasons, case):
    assert reasons(**case) == 'request'


@pytest.mark.parametrize('settings, why', [('gzip on;', 'off'), ('gzip on; brotli on;', ''), (ON + 'brotli off;', 'off'), (ON + 'brotli_types text/css;', ''),
                                           (ON + 'brotli_min_length 1m;', 'request'), (ON + 'compress_min_length 1m;', 'tiny')])
def test_each_coding_has_words_of_its_own(reasons, settings, why):
    """The client takes br alone; text/html always is among the types."""
    assert reasons(settings=settings, accept='br') == why


def test_types_of_each_coding(cached):
    daemon, _ = cached(headers=[('Content-Type', 'text/x-mine'), *MAX_AGE], body=TEXT, settings=ON + 'brotli_types text/css;')
    assert ask(daemon, 'br, gzip').headers.get('content-encoding') == 'gzip'
    assert not ask(daemon, 'br').headers.has('content-encoding')


def test_what_has_no_body_has_no_reason(cached):
    daemon, _ = cached(headers=HEADERS, body=TEXT, settings='')
    ask(daemon, 'gzip')
    assert ask(daemon, 'gzip', ('If-None-Match', '"abc"')).status == 304
    assert [r['uncoded'] for r in daemon.records(2)] == ['off', '']


def test_an_inner_level_switches_one_coding_off(proxy, origin):
    o = origin(headers=HEADERS, body=TEXT)
    daemon = proxy(harness.site(o, settings=ON, more=f'compress on; location /in/ {{ proxy_pass http://{o.address}; compress off; }} '
                                f'location /off/ {{ proxy_pass http://{o.address}; brotli off; compress_min_length 2k; }}'))
    assert [ask(daemon, 'br, gzip', target=t).headers.get('content-encoding') for t in ('/', '/in/', '/off/')] == ['br', None, 'gzip']


def test_an_origin_that_is_not_asked_for_a_coding_is_asked_once(cached):
    """What it says of Accept-Encoding in Vary selects nothing: it got none."""
    daemon, o = cached(headers=HEADERS + [('Vary', 'Accept-Encoding')], body=TEXT, settings=ON + 'proxy_set_header Accept-Encoding "";')
    for accept, coding in (('gzip', 'gzip'), ('gzip, br', 'br'), ('zstd', 'zstd'), (None, None), ('gzip;q=0.5', 'gzip')):
        answer = ask(daemon, accept)
        assert (answer.headers.get('content-encoding'), varies(answer)) == (coding, 1) and decoded(answer) == TEXT
    assert [r.headers.has('accept-encoding') for r in o.requests] == [False]


# ---- parts, slices, ranges ----

def test_a_file_in_slices_is_sent_as_it_is(cached):
    """Every slice is fetched when its bytes are asked for; that other ways of storing it would code it is said all the same."""
    file = File(LONG, (*FRESH, *STRONG))
    daemon, file.origin = cached(file, settings=THING + 'slice 4k;')
    for accept in ('gzip', 'gzip', None):
        answer = ask(daemon, accept)
        assert (answer.body, varies(answer), answer.headers.get('etag')) == (LONG, 1, STRONG[0][1]) and not answer.headers.has('content-encoding')
    part = ask(daemon, 'br', ('Range', 'bytes=5000-5009'))
    assert (part.status, part.body, varies(part)) == (206, LONG[5000:5010], 1)
    assert [r['uncoded'] for r in daemon.records(4)] == ['slices', 'slices', 'request', 'request']


@pytest.mark.parametrize('cache', [True, False])
def test_a_part_says_what_varies(cached, cache):
    """RFC 9110 section 15.3.7: what the whole would have."""
    file = File(LONG, (*FRESH, *STRONG))
    daemon, file.origin = cached(file, settings=THING, cache=cache)
    for _ in range(2):
        part = ask(daemon, 'gzip', ('Range', 'bytes=5-14'))
        assert (part.status, part.body, varies(part), part.headers.get('etag')) == (206, LONG[5:15], 1, STRONG[0][1])
    whole = ask(daemon, 'gzip')
    assert whole.status == 200 and decoded(whole) == LONG and varies(whole) == 1


def test_a_part_of_what_is_no_text_varies_by_nothing(cached):
    file = File(LONG, (*FRESH, *STRONG))
    daemon, file.origin = cached(file, settings=ON)
    assert varies(ask(daemon, 'gzip', ('Range', 'bytes=5-14'))) == 0


def test_a_date_is_no_condition_for_a_range_of_one_of_several_forms(cached):
    """Without a tag the date is all a client has, and it is the same for all forms: bytes of two must not be joined."""
    daemon, o = cached(headers=DATED, body=TEXT, settings=ON)
    coded = ask(daemon, 'gzip')
    assert coded.headers.get('content-encoding') == 'gzip'
    made(daemon)
    condition = ('If-Range', DATED[2][1])
    for accept in ('gzip', 'gzip, br'):
        whole = ask(daemon, accept, ('Range', 'bytes=9-'), condition)
        assert whole.status == 200 and decoded(whole) == TEXT
    for accept in (None, 'identity', 'gzip;q=0'):        # who takes no coding has only one form
        part = ask(daemon, accept, ('Range', 'bytes=9-'), condition)
        assert (part.status, part.body) == (206, TEXT[9:])
    assert ask(daemon, 'gzip', ('Range', 'bytes=9-18')).status == 206
    assert len(o.requests) == 1


def test_an_origin_that_confirms_says_what_varies(cached):
    """RFC 9110 section 15.4.5; the origin's 304 does not say the type."""
    daemon, _ = cached(lambda request, conn: conn.reply(304, [('ETag', '"abc"')]), settings=ON, cache=False)
    answer = ask(daemon, None, ('If-None-Match', '"abc"'))
    assert (answer.status, answer.headers.get('etag'), varies(answer)) == (304, '"abc"', 1)


# ---- purges and quotas ----

@pytest.mark.parametrize('what', ['url', 'prefix', 'tag'])
def test_a_purge_takes_the_coded_forms_out(purged, what):     # noqa: F811
    daemon, o, order = purged(lambda request, conn: conn.reply(headers=HEADERS + [('Cache-Tag', 'page')], body=TEXT), settings=ON)

    def objects():
        return sum(v['objects'] for v in order('volumes')['volumes'])
    for count, coding in enumerate(('gzip', 'br', 'zstd')):
        ask(daemon, coding, target='/a')
        made(daemon, count + 1)
    until('all are on disk', lambda: objects() == 4)
    assert order('purge', what, {'url': url('/a'), 'prefix': url('/'), 'tag': 'page'}[what], '--hard')['objects'] == 1
    until('nothing is left', lambda: objects() == 0)
    assert decoded(ask(daemon, 'gzip', target='/a')) == TEXT and len(o.requests) == 2


def test_a_soft_purge_keeps_the_form_of_a_body_that_is_confirmed(purged):     # noqa: F811
    def handler(request, conn):
        if request.headers.get('if-none-match') == '"abc"':
            conn.reply(304, HEADERS)
        else:
            conn.reply(headers=HEADERS, body=TEXT)
    daemon, o, order = purged(handler, settings=ON)
    ask(daemon, 'gzip', target='/a')
    made(daemon)
    order('purge', 'url', url('/a'), '--soft')
    for _ in range(2):
        assert decoded(ask(daemon, 'gzip', target='/a')) == TEXT
    assert [r['compressed'] for r in daemon.records(3)] == ['1', '0', '0'] and len(o.requests) == 2


def test_a_coded_form_counts_in_its_owners_quota(proxy, origin, admin):
    o = origin(headers=HEADERS, body=TEXT)
    daemon = proxy(harness.site(o, http=f'admin unix:{admin};', more=f'location /bulk/ {{ proxy_pass http://{o.address}; proxy_cache main quota=1m; {ON} }}'))
    ask(daemon, None, target='/bulk/')
    until('it is on disk', lambda: owners(daemon)['site.test /bulk/'][0] > 0)
    plain = owners(daemon)['site.test /bulk/'][0]
    ask(daemon, 'gzip', target='/bulk/')
    made(daemon)
    until('the form counts, too', lambda: owners(daemon)['site.test /bulk/'][0] > plain)
    assert ctl(daemon, 'volumes')['owners'] and len(o.requests) == 1


# ---- BREACH ----

def test_a_client_with_a_certificate_is_not_anybody(proxy, origin, tmp_path):
    tls_help = pytest.importorskip('tls_help')
    ca = tls_help.Cert(ca=True, common='the authority')
    tls_help.Cert('site.test').write(tmp_path)
    ca.write(tmp_path, 'ca')
    client = tls_help.Cert(common='alice', issuer=ca).write(tmp_path, 'alice', parts=('pem',))
    o = origin(headers=[HTML, ('Cache-Control', 'no-store')], body=TEXT)
    daemon = proxy(tls_help.site(settings='ssl_client_certificate ca.crt; ssl_verify_client optional;' + ON, body=f'proxy_pass http://{o.address};'))
    for certificate, coding in ((None, 'gzip'), (client, None)):
        with tls_help.TlsClient(daemon.address, 'site.test', tls_help.context(client=certificate)) as c:
            assert c.get('/', headers=[('Accept-Encoding', 'gzip')]).headers.get('content-encoding') == coding
    assert [r['uncoded'] for r in daemon.records(2)] == ['', 'private']


@pytest.mark.parametrize('headers', [[HTML, ('Cache-Control', 'no-store')], [HTML, ('Cache-Control', 'no-store'), ('Set-Cookie', 'csrf=1')]])
def test_reflected_input_beside_a_secret_has_one_length(cached, headers):
    """The attack: a guess in the request that is right makes the compressed answer shorter. Whoever has a cookie gets it plain."""
    def handler(request, conn):
        secret = request.headers.get('cookie', 'none')
        conn.reply(headers=headers, body=f'<p>you looked for {request.target}</p>'.encode() + TEXT + f'<input value="{secret}">'.encode())
    daemon, _ = cached(handler, settings=ON)
    lengths = {len(ask(daemon, 'gzip', ('Cookie', 'token=7f3a91c0'), target=f'/?q={guess}').body) for guess in ('token=7f3a91c0', 'token=ffffffff', 'token=00000000')}
    assert len(lengths) == 1 and [r['uncoded'] for r in daemon.records(3)] == ['private'] * 3


# ---- a real server of events ----

@pytest.mark.parametrize('coding', ['gzip', 'br', 'zstd', None])
def test_events_of_a_real_server_come_as_they_are_made(proxy, coding):
    """The demo's origin: an event every 50 ms for a minute. The third is here long before the end of the stream would be."""
    events = runpy.run_path(str(pathlib.Path(__file__).parents[1] / 'demo' / 'events.py'))['Events']
    stream = {'gzip': lambda: zlib.decompressobj(31).decompress, 'br': lambda: brotli.Decompressor().process, 'zstd': lambda: None, None: lambda: bytes}[coding]()
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), events) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        daemon = proxy(harness.site(f'127.0.0.1:{server.server_address[1]}', settings=ON))
        with daemon.client() as client:
            client.request('/events', headers=[('Accept', 'text/event-stream')] + ([('Accept-Encoding', coding)] if coding else []))
            assert client.head().headers.get('content-encoding') == coding
            raw, text = b'', b''
            while text.count(b'data: ship') < 3:
                piece = client.take(int(client.take_until(b'\r\n'), 16) + 2)[:-2]
                raw += piece
                text = text + stream(piece) if stream else unzstd_begin(raw)
            assert text.startswith(b'id: 0\ndata: ship 0 passed\n\nid: 1\n')
        record = daemon.record()
        assert (record['end'], record['coding'], record['stored']) == ('client_left', coding or '', '0')
        server.shutdown()
        thread.join()
