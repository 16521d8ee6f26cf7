"""Changing things while it runs (design section 8): one swap, running requests finish on what they began with, a bad file
changes nothing and says why."""
import signal

from harness import site, until


def plain(o, text):
    return f'''
        workers 1; node story; access_log access.csv;
        server {{ listen 127.0.0.1:{{port}}; location / {{ proxy_pass http://{o.address}; add_header X-Config {text}; }} }}'''


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def start(proxy, config):
    port = free_port()
    daemon = proxy(config.replace('{port}', str(port)))
    daemon.config_of = lambda text: text.replace('{port}', str(port))
    return daemon


def wait_generation(daemon, number):
    until(f'generation {number} in the log', lambda: [r for r in daemon.all_records() if r['rec'] == 'reload' and r['config'] == str(number)])


def test_sighup_swaps_the_configuration(proxy, origin):
    a, b = origin(body=b'a'), origin(body=b'b')
    daemon = start(proxy, plain(a, 'one'))
    with daemon.client() as client:
        assert client.get('/').body == b'a'
        daemon.reload(daemon.config_of(plain(b, 'two')))
        wait_generation(daemon, 2)
        answer = client.get('/')                         # a kept connection takes the new configuration, too
        assert (answer.body, answer.headers.get('x-config')) == (b'b', 'two')
    assert daemon.get('/').body == b'b'
    assert [r['config'] for r in daemon.records(3)] == ['1', '2', '2']


def test_a_running_request_finishes_on_the_one_it_began_with(proxy, origin):
    def handler(request, conn):
        conn.origin.pass_gate()
        conn.reply(body=b'a')

    a, b = origin(handler), origin(body=b'b')
    daemon = start(proxy, plain(a, 'one'))
    old = daemon.client()
    old.request('/')
    a.wait_requests(1)
    daemon.reload(daemon.config_of(plain(b, 'two')))
    wait_generation(daemon, 2)
    assert daemon.get('/').body == b'b'
    a.open_gate()
    answer = old.response()
    assert (answer.body, answer.headers.get('x-config')) == (b'a', 'one')
    records = daemon.records(2)
    assert sorted((r['config'], r['origin']) for r in records) == [('1', a.address), ('2', b.address)]


def test_a_bad_file_changes_nothing_and_says_why(proxy, origin):
    a = origin(body=b'a')
    daemon = start(proxy, plain(a, 'one'))
    since = daemon.reload(daemon.config_of(plain(a, 'two')).replace('proxy_pass', 'proxy_pas'))
    daemon.wait_said(r'proxy_pas', since)
    said = daemon.said(since)
    assert 'proxyd.conf:3:' in said and 'did you mean' in said and 'proxy_pass' in said
    answer = daemon.get('/')
    assert (answer.body, answer.headers.get('x-config')) == (b'a', 'one')
    assert daemon.record()['config'] == '1'


def test_a_file_that_is_gone_changes_nothing(proxy, origin):
    import os
    a = origin(body=b'a')
    daemon = start(proxy, plain(a, 'one'))
    os.remove(daemon.config_path)
    since = daemon.reload()
    daemon.wait_said(r'proxyd\.conf', since)
    assert daemon.get('/').body == b'a'


def test_the_cache_outlives_a_reload(proxy, origin):
    o = origin(headers=[('Cache-Control', 'max-age=600')])
    text = site(o).replace('listen 127.0.0.1:0', 'listen 127.0.0.1:{port}')
    daemon = start(proxy, text)
    daemon.get('/')
    daemon.records(1)
    daemon.reload(daemon.config_of(text.replace('proxy_cache main;', 'proxy_cache main; add_header X-New yes;')))
    wait_generation(daemon, 2)
    answer = daemon.get('/')
    assert answer.headers.get('x-new') == 'yes'
    assert daemon.records(2)[1]['cache'] == 'hit'
    assert len(o.requests) == 1


def test_a_new_listener_is_opened_and_an_old_one_closed(proxy, origin):
    import socket
    import pytest
    a = origin(body=b'a')
    daemon = start(proxy, plain(a, 'one'))
    old, new = daemon.address, free_port()
    daemon.reload(plain(a, 'two').replace('{port}', str(new)))
    wait_generation(daemon, 2)
    daemon.addresses = [('127.0.0.1', new)]
    assert daemon.get('/').headers.get('x-config') == 'two'
    with pytest.raises(OSError):
        until('the old listener closed', lambda: socket.create_connection(old, timeout=1).close())


def test_dash_s_reload_and_quit(proxy, origin):
    a, b = origin(body=b'a'), origin(body=b'b')
    with_pid = lambda text: 'pid proxyd.pid;' + text      # noqa: E731
    daemon = start(proxy, with_pid(plain(a, 'one')))
    daemon.write_config(daemon.config_of(with_pid(plain(b, 'two'))))
    done = daemon.run('-c', daemon.config_path, '-s', 'reload')
    assert done.returncode == 0, done.stderr
    wait_generation(daemon, 2)
    assert daemon.get('/').body == b'b'
    done = daemon.run('-c', daemon.config_path, '-s', 'quit')
    assert done.returncode == 0, done.stderr
    daemon.wait_exit()


def test_100_reloads_under_traffic_lose_nothing(proxy, origin):
    a = origin(headers=[('Cache-Control', 'max-age=600')])
    text = f'''
        workers 2; node story; access_log access.csv;
        volume main {{ path vol; size 8m; }}
        server {{ listen 127.0.0.1:{{port}}; location / {{ proxy_pass http://{a.address}; proxy_cache main; }} }}'''
    daemon = start(proxy, text)
    count = 0
    with daemon.client() as client:
        for i in range(100):
            daemon.send_signal(signal.SIGHUP)
            for _ in range(5):
                assert client.get(f'/{i % 7}').status == 200
                count += 1
    daemon.records(count)
    assert len(a.requests) == 7
