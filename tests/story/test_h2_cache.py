"""The cache over HTTP/2: every feature is that of HTTP/1, and so is the log. (The whole conformance table is played over both:
conformance/test_conformance.py.)"""
import pytest

from h2_help import H2
from harness import Client, audit_json, findings, until

MAX_AGE = [('Cache-Control', 'max-age=60')]
# What two requests cannot have in common: who asked when, how long it took, and how large it was on the wire.
OWN = {'t_us', 'seq', 'conn', 'conn_req', 'rid', 'proto', 'first_us', 'total_us', 'connect_us', 'origin_first_us', 'origin_in', 'origin_out',
       'origin_reused', 'req_bytes', 'head_out', 'target', 'age', 'key', 'variant', 'first_flush', 'high_water'}


def file_of(request, conn):
    """An origin with one file of 1,000 bytes that knows validators and ranges."""
    body = bytes(i % 251 for i in range(1000))
    headers = MAX_AGE + [('ETag', '"x"'), ('Content-Type', 'text/plain'), ('Vary', 'X-Kind')]
    if request.method == 'POST':
        conn.reply(headers=[('Location', request.target)], body=b'done\n')
    elif request.target.startswith('/none'):
        conn.reply(404, headers=MAX_AGE, body=b'none\n')
    elif request.target.startswith('/secret'):
        conn.reply(headers=[('Cache-Control', 'private'), ('Set-Cookie', 'a=b')], body=body)
    elif request.target.startswith('/moved'):
        conn.reply(301, headers=MAX_AGE + [('Location', '/a')])
    elif request.headers.get('if-none-match') == '"x"':
        conn.reply(304, headers=headers)
    else:
        conn.reply(headers=headers, body=b'' if request.method == 'HEAD' else body)


CONVERSATIONS = {
    'hit': [('GET', []), ('GET', [])],
    'head': [('GET', []), ('HEAD', [])],
    'head_alone': [('HEAD', []), ('HEAD', [])],
    'variants': [('GET', [('x-kind', 'a')]), ('GET', [('x-kind', 'b')]), ('GET', [('x-kind', 'a')])],
    'not_modified': [('GET', []), ('GET', [('if-none-match', '"x"')])],
    'modified': [('GET', []), ('GET', [('if-none-match', '"y"')])],
    'revalidated': [('GET', []), ('GET', [('cache-control', 'no-cache')])],
    'only_if_cached': [('GET', [('cache-control', 'only-if-cached')])],
    'range': [('GET', []), ('GET', [('range', 'bytes=10-19')])],
    'last_range': [('GET', []), ('GET', [('range', 'bytes=-5')])],
    'ranges': [('GET', []), ('GET', [('range', 'bytes=0-4,10-14')])],
    'range_beyond': [('GET', []), ('GET', [('range', 'bytes=5000-')])],
    'range_if_changed': [('GET', []), ('GET', [('range', 'bytes=0-4'), ('if-range', '"y"')])],
    'invalidated': [('GET', []), ('POST', []), ('GET', [])],
    'authorization': [('GET', [('authorization', 'Basic x')]), ('GET', [])],
    'coded': [('GET', [('accept-encoding', 'gzip')]), ('GET', [('accept-encoding', 'br')]), ('GET', []), ('HEAD', [('accept-encoding', 'gzip')])],
    'trace': [('TRACE', [])],
    'max_forwards': [('OPTIONS', [('max-forwards', '0')])],
    'expectation': [('GET', [('expect', 'tea')])],
    'loop': [('GET', [('cdn-loop', 'proxyd-not-us')])],
    'forwarded': [('GET', [('x-forwarded-for', '1.2.3.4'), ('via', '1.1 other')])],
    'purge': [('GET', []), ('PURGE', [('purge-token', '0123456789abcdef')]), ('GET', [])],
}


@pytest.mark.parametrize('path', ['/a', '/none', '/secret', '/moved'])
@pytest.mark.parametrize('name', CONVERSATIONS)
def test_answers_and_log_are_those_of_http_1(run, name, path):
    """The same conversation over both; answers, and lines of the log, are the same but for what belongs to the carrier."""
    daemon, origin = run(file_of, settings='purge_token 0123456789abcdef; compress on;')
    seen = {}
    for make in (Client, H2):
        target = f'{path}/{make.__name__}'
        with make(daemon.address) as client:
            for method, headers in CONVERSATIONS[name]:
                body = b'x' if method == 'POST' else None
                client.request(target, method=method, headers=headers, body=body)
                a = client.response(method)
                said = sorted((n.lower(), v.replace(target, path)) for n, v in a.headers
                              if n.lower() not in ('date', 'age', 'connection', 'transfer-encoding', 'keep-alive'))
                multipart = (a.headers.get('content-type') or '').startswith('multipart/')
                seen.setdefault(make, []).append((a.status, len(a.body) if multipart else a.body.replace(target.encode(), b''),
                                                  [n for n, _ in said] if multipart else said))
    assert seen[H2] == seen[Client]
    count = len(CONVERSATIONS[name])
    records = daemon.records(2 * count)
    lines = [{n: v for n, v in r.items() if n not in OWN} for r in records]
    lines = [{n: v.replace('/Client', '').replace('/H2', '') for n, v in line.items()} for line in lines]
    for old, new in zip(lines[:count], lines[count:]):
        assert {n: (v, new[n]) for n, v in old.items() if v != new[n]} == {}
    assert {r['proto'] for r in records[count:]} == {'HTTP/2.0'}
    sent = [[(q.method, sorted((n.lower(), v) for n, v in q.headers if n.lower() not in ('via', 'x-request-id', 'content-length', 'transfer-encoding')))
             for q in origin.requests if q.target.endswith(end)] for end in ('/Client', '/H2')]
    assert sent[0] == sent[1], 'the origin is asked the same'


def test_what_one_stores_the_other_gets(run):
    daemon, origin = run()
    with H2(daemon.address) as client, Client(daemon.address) as old:
        client.get('/a')
        assert old.get('/a').body == b'hello\n'
        old.get('/b')
        assert client.get('/b').body == b'hello\n'
    assert len(origin.requests) == 2
    assert [r['cache'] for r in daemon.records(4)] == ['miss', 'hit', 'miss', 'hit']


def test_many_streams_collapse_to_one_fetch(run):
    def handler(request, conn):
        origin.pass_gate()
        conn.reply(headers=MAX_AGE, body=b'one\n')
    daemon, origin = run(handler)
    origin.gate()
    with H2(daemon.address) as client:
        streams = [client.request('/same') for _ in range(20)]
        client.ping()
        origin.wait_requests(1)
        origin.open_gate()
        assert all(client.answer(s).body == b'one\n' for s in streams)
    assert len(origin.requests) == 1
    assert sorted(r['cache'] for r in daemon.records(20)) == ['collapsed'] * 19 + ['miss']


def test_fetch_outlives_a_reset_stream(run):
    """As over HTTP/1: what will be stored is fetched to its end."""
    def handler(request, conn):
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nla')
        origin.pass_gate()
        conn.send(b'te\n')
    daemon, origin = run(handler)
    origin.gate()
    with H2(daemon.address) as client:
        s = client.request('/a')
        client.until_head(s)
        client.reset_stream(s)
        client.ping()
        origin.open_gate()
        assert daemon.record()['end'] == 'client_left'
        assert until('a hit', lambda: client.get('/a').status == 200 and daemon.requests()[-1]['cache'] == 'hit')
    assert len(origin.requests) == 1


def test_log_and_metrics_agree(run):
    """The audit of a log with both carriers, and what was refused, finds nothing wrong."""
    daemon, _ = run(file_of)
    with H2(daemon.address) as client, Client(daemon.address) as old:
        for i in range(20):
            client.get(f'/{i % 5}')
            old.get(f'/{i % 5}')
        client.get('/x', headers=[('connection', 'close')])
    daemon.records(41)
    counters = daemon.counters()
    assert (counters['proxyd_h2_requests_total'], counters['proxyd_requests_total'], counters['proxyd_status_none_total']) == (21, 41, 1)
    daemon.stop()
    audit = audit_json('check', daemon.log, code=None)
    assert audit['lines_rejected'] == 0
    assert not [f for rule in ('log-gap', 'metrics-disagree', 'verdict-contradicted') for f in findings(audit, rule)]
