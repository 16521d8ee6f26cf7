"""The configuration as people meet it: the tutorial's lines work unchanged, errors say where and what instead, the effective
configuration can be printed and loads again (design section 7)."""
import os
import socket

import pytest

from harness import Client, Wire, site

FIFTEEN = '''\
server {
    listen 80;
    server_name example.com www.example.com;

    location / {
        proxy_pass http://127.0.0.1:3000;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
'''


def test_the_fifteen_lines_check_unchanged(proxy):
    daemon = proxy(FIFTEEN, start=False)
    done = daemon.run('-t', '-c', daemon.config_path)
    assert done.returncode == 0, done.stderr


def test_to_log_nothing_is_said_at_check_and_at_start(proxy, origin):
    o = origin()
    text = f'server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{o.address}; }} }}'
    for access_log, warns in (('', True), ('access_log access.csv; ', False)):
        daemon = proxy(access_log + text, folder=f'warns-{warns}')
        checked = daemon.run('-t', '-c', daemon.config_path)
        assert checked.returncode == 0
        assert ('no access_log' in checked.stderr, 'no access_log' in daemon.said()) == (warns, warns)


@pytest.mark.parametrize('line, word', [
    ('user nosuchuser;', 'nosuchuser'), ('access_log /nonexistent/a.csv;', '/nonexistent'), ('error_log /nonexistent/e.txt;', '/nonexistent'),
    ('pid /nonexistent/p.pid;', '/nonexistent'), ('error_log stderr info; pid p.pid; access_log a.csv; user root;', None),
])
def test_the_check_finds_what_would_stop_the_start(proxy, line, word):
    if 'user' in line and os.geteuid() != 0:
        pytest.skip('only root becomes another user')
    daemon = proxy(line + ' server { listen 127.0.0.1:0; location / { proxy_pass http://127.0.0.1:3000; } }', start=False)
    done = daemon.run('-t', '-c', daemon.config_path)
    assert done.returncode == (1 if word else 0), done.stderr
    assert not word or word in done.stderr


def test_explain_tells_what_a_request_then_does(cached):
    """Server, location, volume and origin by name; the key is the one of the log."""
    daemon, o = cached(headers=[('Cache-Control', 'max-age=60')], more='location = /home { return 301 /; }')
    for i, (host, target) in enumerate((('site.test', '/a?b=c'), ('Site.Test:8080', '/x/../y'), ('site.test.:80', '/%41'))):
        done = daemon.run('-c', daemon.config_path, 'explain', f'http://{host}{target}')
        assert done.returncode == 0, done.stderr
        daemon.get(target, host=host)
        record = daemon.records(i + 1)[i]
        for word in (f'(hash {record["key"]})', record['route'], f'http://{o.address}{o.requests[i].target}\n', 'volume    main'):
            assert word in done.stdout, done.stdout
    assert '301, by rule' in daemon.run('-c', daemon.config_path, 'explain', 'http://site.test/home').stdout
    assert daemon.run('-c', daemon.config_path, 'explain', 'http://a b/').returncode == 1
    assert daemon.run('-c', daemon.config_path, 'explain', '/').returncode == 2


EVERYTHING = r'''
user nobody nogroup; worker_processes 3; pid x.pid; node n-1; error_log err.txt info; access_log access.csv;
metrics 127.0.0.1:0; admin unix:/tmp/proxyd-story.admin 660; connections_max 512; client_header_timeout 1500ms; client_min_rate 0; stream_buffer 1m;
volume v1 { path v1; size 8m; ram 2m; fill_max 3m; scrub 7m; scrub_interval 36h; eviction s3fifo; admission second_hit over=64k; }
volume v2 { path v2; size 4m; admission second_hit; }
upstream u { keepalive 7; server 127.0.0.1:3000 weight=3 max_fails=2 fail_timeout=7s; server 127.0.0.1:3001 backup; server 127.0.0.1:3002 down; }
proxy_set_header X-A "a b"; add_header X-Out 'it"s' always; login_cookie sid "other"; trusted_proxy 10.0.0.0/8 ::1 unix:;
purge_allow 10.0.0.0/8;
server {
    listen 127.0.0.1:8081 default_server backlog=77; listen unix:/tmp/proxyd-story.sock;
    server_name example.com *.example.org www.example.* ~^api\d+\.test$ _;
    proxy_cache v1 quota=3m; client_max_body_size 10m;
    purge_token "a;token{0123456}"; purge_allow ::1 unix:;
    location = /exact { return 301 https://$host$request_uri; }
    location ^~ /img/ { proxy_pass http://u/pics/; proxy_cache off; proxy_http_version 1.0; }
    location ~* \.(js|css)$ { proxy_pass http://u; proxy_cache v2 quota=2m; add_header X-B "${scheme}x$args"; store_cookies on; }
    location / { proxy_pass http://u; proxy_set_header X-C "\"q\" ; } { #"; stale_on_error 90s; }
}
server { listen 127.0.0.1:8082; return 404; }
'''


def test_every_directive_comes_back_from_the_effective_configuration(proxy):
    first = proxy(EVERYTHING, start=False)
    one = first.run('-T', '-c', first.config_path)
    assert one.returncode == 0, one.stderr
    second = proxy(one.stdout, start=False, folder='again')
    two = second.run('-T', '-c', second.config_path)
    assert (two.returncode, two.stdout) == (0, one.stdout), two.stderr
    for words in ('weight=3 max_fails=2 fail_timeout=7s', 'client_header_timeout 1500ms', r'it\"s', 'fill_max 3m', '\tscrub 7m;', '\tscrub_interval 36h;', 'eviction s3fifo;', '\tproxy_cache v1 quota=3m;', 'proxy_cache v2 quota=2m;', 'admission second_hit over=64k;', 'backlog=77',
                  'trusted_proxy unix:', r'"~^api\\d+\\.test$"', 'proxy_http_version 1.0', 'keepalive 7',
                  'admin unix:/tmp/proxyd-story.admin 0660;', '\tpurge_token "a;token{0123456}";', '\tpurge_allow ::1/128;', '\tpurge_allow unix:;'):
        assert words in one.stdout, one.stdout


def test_the_fifteen_lines_serve(proxy, origin):
    """Unchanged but for the two port numbers, which a test may not choose."""
    o = origin()
    daemon = proxy(FIFTEEN.replace('listen 80', 'listen 127.0.0.1:0').replace('127.0.0.1:3000', o.address))
    assert daemon.get('/a', host='example.com', headers=[('X-Forwarded-For', '6.6.6.6')]).body == b'hello\n'
    headers = o.requests[0].headers
    assert headers.all('host') == ['example.com']
    assert headers.all('x-real-ip') == headers.all('x-forwarded-for') == ['127.0.0.1']
    assert headers.all('x-forwarded-proto') == ['http']


def test_the_fifteen_lines_serve_within_http(proxy, origin):
    o = origin()
    text = FIFTEEN.replace('listen 80', 'listen 127.0.0.1:0').replace('127.0.0.1:3000', o.address)
    daemon = proxy('worker_processes auto;\nevents { worker_connections 1024; }\nhttp {\n' + text + '}\n')
    assert daemon.get('/', host='www.example.com').status == 200


def check(proxy, text, code=None):
    daemon = proxy(text, start=False)
    done = daemon.run('-t', '-c', daemon.config_path)
    assert done.returncode == 0 if code == 0 else done.returncode != 0, done.stderr
    return done.stderr


def test_all_errors_come_in_one_run_with_place_line_and_caret(proxy):
    said = check(proxy, '''\
workers auto;
server {
    lissten 127.0.0.1:8080;
    location / {
        proxy_pass http://127.0.0.1:3000;
        proxy_read_timeout 60x;
        proxy_cache nowhere;
    }
}
''')
    for place in ('proxyd.conf:3:5:', 'proxyd.conf:6:28:', 'proxyd.conf:7:21:'):
        assert place in said, said
    assert 'lissten 127.0.0.1:8080;' in said and '^' in said
    assert 'did you mean' in said and "'listen'" in said


@pytest.mark.parametrize('line,word', [
    ('proxy_cache_path /tmp/x keys_zone=a:1m;', 'volume'),
    ('proxy_cache_valid 200 1h;', 'proxy_cache_valid'),
    ('add_header X;', 'add_header'),
    ('client_max_body_size ten;', 'ten'),
    ('keepalive_timeout 5 5 5;', 'keepalive_timeout'),
    ('access_log off;', 'access_log'),
    ('}', '}'),
    ('location / {', '{'),
    ('return 99;', '99'),
    ('server_name "open;', '"'),
])
def test_mistakes_are_named(proxy, line, word):
    said = check(proxy, f'server {{\n    listen 127.0.0.1:8080;\n    {line}\n    location / {{ proxy_pass http://127.0.0.1:1; }}\n}}\n')
    assert word in said and 'proxyd.conf:' in said


def test_the_effective_configuration_loads_again(proxy, origin):
    o = origin()
    daemon = proxy(site(o), start=False)
    first = daemon.run('-T', '-c', daemon.config_path)
    assert first.returncode == 0, first.stderr
    assert 'proxy_read_timeout' in first.stdout, 'defaults are included'
    again = proxy(first.stdout, start=False, folder='again')
    second = again.run('-T', '-c', again.config_path)
    assert second.returncode == 0, second.stderr
    strip = lambda text: [l.strip() for l in text.splitlines() if l.strip() and not l.strip().startswith('#')]     # noqa: E731, E741
    assert strip(first.stdout) == strip(second.stdout)


def test_include_takes_files(proxy, origin):
    o = origin()
    daemon = proxy('workers 1; access_log access.csv; include sites/*.conf;', start=False)
    os.mkdir(os.path.join(daemon.tmp, 'sites'))
    with open(os.path.join(daemon.tmp, 'sites', 'one.conf'), 'w') as f:
        f.write(f'server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{o.address}; }} }}')
    daemon.start()
    assert daemon.get('/').status == 200
    with open(os.path.join(daemon.tmp, 'sites', 'one.conf'), 'a') as f:
        f.write('\n\n  nonsense;\n')
    done = daemon.run('-t', '-c', daemon.config_path)
    assert done.returncode != 0 and 'one.conf:3:3:' in done.stderr


def test_a_file_that_is_not_there_is_an_error(proxy):
    daemon = proxy(start=False)
    done = daemon.run('-c', '/nonexistent/proxyd.conf')
    assert done.returncode != 0 and '/nonexistent/proxyd.conf' in done.stderr


def test_an_unknown_option_is_an_error(proxy):
    daemon = proxy(start=False)
    done = daemon.run('--lissten', '1')
    assert done.returncode != 0 and '--lissten' in done.stderr


def test_help_conf_prints_every_directive(proxy):
    done = proxy(start=False).run('--help-conf')
    assert done.returncode == 0
    for name in ('proxy_pass', 'proxy_cache', 'volume', 'login_cookie', 'client_body_hold', 'stale_on_error'):
        assert name in done.stdout


def test_a_port_in_use_stops_the_start(proxy, origin):
    o = origin()
    daemon = proxy(f'workers 1; access_log a.csv; server {{ listen {o.address}; location / {{ proxy_pass http://127.0.0.1:9; }} }}', start=False)
    done = daemon.run()
    assert done.returncode != 0 and str(o.port) in done.stderr


LOCATIONS = '''
    workers 1; access_log access.csv;
    server {
        listen 127.0.0.1:0;
        location = /exact { return 200 exact; }
        location / { return 200 root; }
        location /pre { return 200 pre; }
        location /pre/longer { return 200 longer; }
        location ^~ /final/ { return 200 final; }
        location ~ \\.png$ { return 200 regex; }
        location ~* \\.JPG$ { return 200 nocase; }
    }'''


@pytest.mark.parametrize('target,expected', [
    ('/exact', 'exact'), ('/exact/', 'root'), ('/', 'root'), ('/prefix', 'pre'), ('/pre/longer/x', 'longer'), ('/final/a.png', 'final'),
    ('/pre/a.png', 'regex'), ('/a.PNG', 'root'), ('/a.jpg', 'nocase'), ('/a/../exact', 'exact'), ('/%65xact', 'exact'), ('//exact', 'exact'),
    ('/exact?q', 'exact'),
])
def test_locations_match_as_in_nginx(proxy, target, expected):
    assert proxy(LOCATIONS).get(target).body.decode() == expected


@pytest.mark.parametrize('host,expected', [
    ('a.test', 'a'), ('A.TEST', 'a'), ('x.wild.test', 'suffix'), ('y.x.wild.test', 'suffix'), ('wild.test', 'default'), ('pre.org', 'prefix'),
    ('r12.net', 'regex'), ('a.test:81', 'a'), ('a.test.', 'a'), ('unknown', 'default'), ('[::1]', 'default'),
])
def test_names_match_as_in_nginx(proxy, host, expected):
    rows = [('_', 'default'), ('a.test', 'a'), ('*.wild.test', 'suffix'), ('pre.*', 'prefix'), ('"~^r[0-9]+\\.net$"', 'regex')]
    servers = '\n'.join(f'server {{ listen 127.0.0.1:0; server_name {n}; location / {{ return 200 {t}; }} }}' for n, t in rows)
    daemon = proxy('workers 1; access_log access.csv;' + servers)
    assert daemon.get('/', host=host).body.decode() == expected


def test_a_unix_socket_may_be_listened_on(proxy, origin, tmp_path):
    o = origin()
    path = str(tmp_path / 'p.sock')
    daemon = proxy(f'workers 1; access_log access.csv; server {{ listen unix:{path}; location / {{ proxy_pass http://{o.address}; }} }}', start=False)
    daemon.spawn()
    daemon.wait_said(r'ready: listening on unix:')
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        client = Client.__new__(Client)
        Wire.__init__(client, s)
        assert client.get('/').status == 200
    assert daemon.record()['client'] != ''
