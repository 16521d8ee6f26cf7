"""The auditor's rules on a real daemon's log: the fault is made, its rule finds it and its evidence is a line that shows it; a
near miss made the same way stays silent."""
import threading

from harness import audit_json, findings, site

MAX_AGE = [('Cache-Control', 'max-age=600')]


def audited(daemon, rule):
    """The rule's findings, each with a line of the log that a person can look at."""
    found = findings(audit_json('check', daemon.log), rule)
    for one in found:
        assert one['cause'] and one['cure'] and one['evidence']
        assert daemon.lines()[int(one['evidence'][0]['line']) - 1].startswith(b'req,')
    return found


def loud(daemon):
    return [f for f in findings(audit_json('check', daemon.log)) if f['severity'] != 'info']


def asked(daemon, targets, **kw):
    with daemon.client() as client:
        for target in targets:
            client.get(target, **kw)
    return daemon.records(len(targets))


def by_field(name):
    """The content follows a field of the request that Vary does not name."""
    def handler(request, conn):
        conn.reply(headers=[('Cache-Control', 'max-age=5')], body=f'made for {request.headers.get(name)}')
    return handler


def test_content_by_a_field_outside_the_key_is_told(cached, clock):
    daemon, _ = cached(by_field('x-theme'), clock=clock)
    for i in range(8):
        daemon.get('/', headers=[('X-Theme', 'ab'[i % 2])])
        clock.passes(10)
    daemon.records(8)
    assert [(f['subject'], f['severity']) for f in audited(daemon, 'key-collision')] == [('site.test /', 'info')]


def test_content_that_changes_with_time_is_no_collision(cached, clock):
    daemon, _ = cached(by_field('x-theme'), clock=clock)
    for i in range(8):
        daemon.get('/', headers=[('X-Theme', str(i))])
        clock.passes(10)
    daemon.records(8)
    assert findings(audit_json('check', daemon.log)) == []


def test_a_page_of_many_variants_is_found(cached):
    daemon, _ = cached(headers=MAX_AGE + [('Vary', 'User-Agent')])
    with daemon.client() as client:
        for i in range(120):
            client.get('/', headers=[('User-Agent', f'browser/{i}')])
    daemon.records(120)
    found = audited(daemon, 'variant-explosion')
    assert [f['subject'] for f in found] == ['site.test /']


def test_a_page_of_some_variants_is_not(cached):
    daemon, _ = cached(headers=MAX_AGE + [('Vary', 'Accept-Language')])
    with daemon.client() as client:
        for i in range(120):
            client.get('/', headers=[('Accept-Language', f'l{i % 12}')])
    daemon.records(120)
    assert loud(daemon) == []


def test_a_redirect_to_itself_is_found(cached):
    daemon, _ = cached(lambda request, conn: conn.reply(302, headers=[('Location', request.target), ('Cache-Control', 'no-store')]))
    asked(daemon, ['/a'] * 12)
    assert [f['subject'] for f in audited(daemon, 'redirect-loop')] == ['site.test /a']


def test_a_redirect_to_another_page_is_not(cached):
    def handler(request, conn):
        if request.target == '/old':
            conn.reply(302, headers=[('Location', '/new'), ('Cache-Control', 'no-store')])
        else:
            conn.reply(headers=MAX_AGE)

    daemon, _ = cached(handler)
    asked(daemon, ['/old', '/new'] * 12)
    assert loud(daemon) == []


def test_a_proxy_whose_origin_points_back_is_found(cached):
    def point_back(request, conn):
        with started.client() as client:
            client.send(request.raw)
            answer = client.response()
        conn.reply(answer.status, body=answer.body, headers=[('Cache-Control', 'no-store')])

    started, _ = cached(point_back)
    with started.client() as client:
        for _ in range(6):
            assert client.get('/').status == 508
    started.records(12)
    found = audited(started, 'proxy-loop')
    assert [f['subject'] for f in found] == ['site.test'] and found[0]['count'] == 6 and 'up to 1 proxies' in found[0]['cause']


def herd(proxy, origin, collapse):
    """Twelve clients ask for one page while the origin is held; it answers when all who will ask it have asked."""
    def held(request, conn):
        o.pass_gate()
        conn.reply(headers=MAX_AGE, body='x')

    o = origin(held)
    daemon = proxy(site(o, settings=f'collapse {collapse};'))
    threads = [threading.Thread(target=daemon.get, args=('/',)) for _ in range(12)]
    for thread in threads:
        thread.start()
    o.wait_requests(12 if collapse == 'off' else 1)
    o.open_gate()
    for thread in threads:
        thread.join()
    daemon.records(12)
    return daemon


def test_a_herd_is_found(proxy, origin):
    assert [f['subject'] for f in audited(herd(proxy, origin, 'off'), 'stampede')] == ['site.test /']


def test_a_herd_that_was_collapsed_is_not(proxy, origin):
    assert loud(herd(proxy, origin, 'on')) == []


def test_an_origin_that_fails_for_minutes_is_found(cached, clock):
    daemon, _ = cached(lambda request, conn: conn.reply(503, headers=[('Cache-Control', 'no-store')]), clock=clock)
    for minute in range(4):
        for i in range(8):
            daemon.get(f'/{minute}/{i}')
        clock.passes(60)
    daemon.records(32)
    assert len(audited(daemon, 'origin-failing')) == 1


def test_an_origin_that_fails_for_a_moment_is_not(cached):
    daemon, _ = cached(lambda request, conn: conn.reply(503, headers=[('Cache-Control', 'no-store')]))
    asked(daemon, [f'/{i}' for i in range(32)])
    assert audited(daemon, 'origin-failing') == []


def cut_off(request, conn):
    conn.send(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nCache-Control: max-age=60\r\n\r\nshort')
    conn.close()


def test_bodies_that_break_off_for_minutes_are_found(cached, clock):
    daemon, _ = cached(cut_off, clock=clock)
    for i in range(4):
        with daemon.client() as client:
            client.request(f'/{i}')
            client.response(cut=True)
        daemon.records(i + 1)
        clock.passes(60)
    assert [f['severity'] for f in audited(daemon, 'short-body')] == ['warning']


def test_a_change_that_makes_it_worse_is_found(cached):
    state = {'status': 200}
    daemon, _ = cached(lambda request, conn: conn.reply(state['status'], headers=[('Cache-Control', 'no-store')]))
    asked(daemon, [f'/{i}' for i in range(500)])
    daemon.reload()
    assert loud(daemon) == [], 'a reload alone is no change for the worse'
    state['status'] = 500
    with daemon.client() as client:
        for i in range(500):
            client.get(f'/{i}/')
    daemon.records(1000)
    found = audited(daemon, 'regression')
    assert [f['subject'] for f in found] == ['story site.test'] and 'generation 1' in found[0]['cause'] and 'under 2' in found[0]['cause']


def test_forwarding_fields_are_sent_and_strangers_are_only_told(cached):
    daemon, _ = cached(headers=MAX_AGE)
    asked(daemon, [f'/{i}' for i in range(50)], headers=[('X-Forwarded-For', '203.0.113.9')])
    assert [f['severity'] for f in audited(daemon, 'forwarding-spoofed')] == ['info']
    assert loud(daemon) == []


def test_the_report_tells_what_a_header_costs(cached):
    def handler(request, conn):
        private = request.target.startswith('/private')
        conn.reply(headers=[('Cache-Control', 'private' if private else 'max-age=600')])

    daemon, o = cached(handler)
    asked(daemon, ['/private/a', '/b'] * 10)
    report = audit_json('report', daemon.log, code=0)
    assert [(c['nostore'], c['requests']) for c in report['costs']] == [('private', 9)]
    assert report['potential_hits'] == 9 + 9 and report['totals']['hits'] == 9
    assert report['first_byte']['hit']['count'] == 9 and report['first_byte']['miss']['count'] == 11
    assert [one['origin'] for one in report['first_byte']['origins']] == [o.address]


PAGE = [('Content-Type', 'text/html'), ('Cache-Control', 'max-age=600')]
TAKES = [('Accept-Encoding', 'gzip, br')]


def test_text_sent_plain_to_clients_that_take_a_coding_is_found(cached):
    daemon, _ = cached(headers=PAGE, body=b'<p>again and again</p>' * 500)
    asked(daemon, ['/'] * 12, headers=TAKES)
    assert [f['subject'] for f in audited(daemon, 'uncompressed')] == ['site.test /']


def test_text_that_had_to_be_plain_is_not(cached):
    """Tiny, not to be transformed, of another type, coded, in ranges, for one client, or for clients that take no coding."""
    kinds = {'/tiny': ([], b'x' * 1000), '/no': ([('Cache-Control', 'no-transform')], None), '/png': ([('Content-Type', 'image/png')], None),
             '/coded': ([('Content-Encoding', 'x-thing')], None), '/range': ([], None), '/mine': ([('Cache-Control', 'no-store')], None), '/plain': ([], None)}
    requests = {'/range': [('Range', 'bytes=0-19999')], '/mine': [('Cookie', 'id=1')]}

    def handler(request, conn):
        more, body = kinds[request.target]
        conn.reply(headers=more + [f for f in PAGE if not any(f[0] == n for n, _ in more)], body=body or b'<p>again and again</p>' * 1000)
    daemon, _ = cached(handler)
    with daemon.client() as client:
        for target in kinds:
            for _ in range(12):
                client.get(target, headers=([] if target == '/plain' else TAKES) + requests.get(target, []))
    daemon.records(12 * len(kinds))
    assert findings(audit_json('check', daemon.log), 'uncompressed') == []


def test_compressed_text_is_not_found_and_the_report_counts_it(cached):
    daemon, _ = cached(headers=PAGE, body=b'<p>again and again</p>' * 500, settings='compress on;')
    records = asked(daemon, ['/'] * 12, headers=TAKES)
    report = audit_json('report', daemon.log)
    assert findings(report) == []
    assert report['totals']['codings'] == [{'coding': 'br', 'answers': 12, 'compressed': sum(r['compressed'] == '1' for r in records), 'plain_bytes': 12 * 11000,
                                            'bytes': sum(int(r['body_out']) for r in records)}]
