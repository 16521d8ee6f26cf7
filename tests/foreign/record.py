#!/usr/bin/env python3
"""Records small logs of other programs, with the truth beside them.

    tests/foreign/record.py FOLDER [NAME...]      (needs nginx apache2 trafficserver varnish haproxy caddy squid, and root for some)

Each program stands before the same origin and gets the same traffic. What is true is not taken from its log: the client counts
answers, statuses and body bytes; the origin says for each request whether it was asked, and whether it answered 304. FOLDER/NAME.log
is what the program wrote, FOLDER/truth.json what happened.
"""
import collections, http.server, json, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, threading, time

ROUNDS = 12


class Origin(http.server.BaseHTTPRequestHandler):
    """Answers by path. /page: stored for a minute. /short: stale after a second, with a validator. /private: never stored. /slow: the second half of a
    long body waits for the gate."""
    protocol_version = 'HTTP/1.1'
    asked = collections.Counter()
    confirmed = collections.Counter()
    gate = threading.Event()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = self.path.split('?')[0]
        if self.path.startswith('http://'):
            path = '/' + self.path.split('/', 3)[3].split('?')[0]
        Origin.asked[path] += 1
        if path.startswith('/short') and self.headers.get('If-None-Match') == '"v1"':
            Origin.confirmed[path] += 1
            self.send_response(304)
            self.send_header('ETag', '"v1"')
            self.send_header('Cache-Control', 'max-age=1')
            self.end_headers()
            return
        status = 404 if path.startswith('/missing') else 500 if path.startswith('/broken') else 200
        body = b'x' * (2_000_000 if path.startswith('/slow') else 100 + len(path))
        self.send_response(status)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        if path.startswith('/page'):
            self.send_header('Cache-Control', 'public, max-age=60')
        elif path.startswith('/short'):
            self.send_header('Cache-Control', 'max-age=1')
            self.send_header('ETag', '"v1"')
        else:
            self.send_header('Cache-Control', 'no-store')
        self.end_headers()
        try:
            if path.startswith('/slow'):
                self.wfile.write(body[:1_000_000])
                Origin.gate.wait(20)
                self.wfile.write(body[1_000_000:])
            else:
                self.wfile.write(body)
        except OSError:
            self.close_connection = True


class Traffic:
    """What is sent, and what came of it."""
    def __init__(self, port, host='www.example.com', absolute=False):
        self.port, self.host, self.absolute = port, host, absolute
        self.truth = dict(requests=0, status=collections.Counter(), body_bytes=0, hits=0, revalidated=0, origin=0, aborted=0, junk=0)

    def raw(self, data, limit=None):
        with socket.create_connection(('127.0.0.1', self.port), timeout=20) as s:
            s.sendall(data)
            got = b''
            while limit is None or len(got) < limit:
                part = s.recv(65536)
                if not part:
                    break
                got += part
            return got

    def get(self, path, extra=b'', target=None):
        base = path.split('?')[0]
        before, confirmed = Origin.asked[base], Origin.confirmed[base]
        target = target or (f'http://{self.host}{path}' if self.absolute else path)
        got = self.raw(b'GET ' + target.encode() + b' HTTP/1.1\r\nHost: ' + self.host.encode() + b'\r\nConnection: close\r\n' + extra + b'\r\n')
        head, _, body = got.partition(b'\r\n\r\n')
        assert head.startswith(b'HTTP/1.1 '), got[:100]
        if b'chunked' in head.lower():
            plain = b''
            while body:
                size, _, body = body.partition(b'\r\n')
                plain, body = plain + body[:int(size, 16)], body[int(size, 16) + 2:]
            body = plain
        status, t = int(head[9:12]), self.truth
        t['requests'] += 1
        t['status'][str(status)] += 1
        t['body_bytes'] += len(body)
        asked = Origin.asked[base] > before
        t['revalidated'] += Origin.confirmed[base] > confirmed
        t['hits'] += not asked and status == 200
        t['origin'] += asked
        return status

    def abort(self, path):
        Origin.gate.clear()
        self.raw(b'GET ' + (f'http://{self.host}{path}' if self.absolute else path).encode() + b' HTTP/1.1\r\nHost: ' + self.host.encode() + b'\r\n\r\n', limit=1000)
        time.sleep(0.5)
        Origin.gate.set()
        time.sleep(0.5)
        self.truth['requests'] += 1
        self.truth['aborted'] += 1
        self.truth['status']['200'] += 1

    def junk(self, data):
        try:
            self.raw(data, limit=100000)
        except OSError:
            pass
        self.truth['junk'] += 1

    def all(self):
        for i in range(ROUNDS):
            for path in (f'/page/{i}?a=1&b={i}', f'/private/{i}', f'/short/{i}'):
                for _ in range(3):
                    self.get(path)
        for i in range(4):
            self.get(f'/missing/{i}')
            self.get(f'/broken/{i}')
        self.get('/page/quotes', b'User-Agent: a "quoted" \\back\\slash and \xc3\xa9\r\nReferer: http://x/?q="1"\r\n')
        self.get('/page/long' + 'y' * 2500)
        self.get('/page/%C3%A9%20%22')
        self.get('/page/absolute', target=f'http://{self.host}/page/absolute')
        time.sleep(2.2)
        for i in range(ROUNDS):
            self.get(f'/short/{i}')
        self.abort('/slow/1')
        self.junk(b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"\\\x00\xff\r\n\r\n')
        self.junk(b'NONSENSE\r\n\r\n')
        return self.truth


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Program:
    def __init__(self, folder, origin):
        self.dir, self.origin, self.port, self.process = pathlib.Path(tempfile.mkdtemp(prefix='foreign')), origin, free_port(), []
        os.chmod(self.dir, 0o777)
        self.folder = folder

    def start(self, *args, **kw):
        self.process.append(subprocess.Popen([str(a) for a in args], stdout=open(self.dir / 'out', 'ab'), stderr=subprocess.STDOUT, **kw))

    def wait_port(self):
        for _ in range(200):
            try:
                socket.create_connection(('127.0.0.1', self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit('it does not listen:\n' + (self.dir / 'out').read_text()[-3000:])

    def stop(self):
        for p in reversed(self.process):
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def write(self, name, text):
        (self.dir / name).write_text(text)
        return self.dir / name


def nginx(p):
    logs = {'nginx_combined': None, 'nginx_cache': "'$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" "
            "\"$http_user_agent\" $upstream_cache_status'",
            'nginx_extras': "'$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" "
            "\"$http_x_forwarded_for\" $request_time $upstream_response_time $upstream_addr $upstream_cache_status'",
            'nginx_labels': "'$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" "
            "rt=$request_time uct=\"$upstream_connect_time\" uht=\"$upstream_header_time\" urt=\"$upstream_response_time\" cs=$upstream_cache_status'",
            'nginx_json': "escape=json '{' " + " ".join(f"'\"{n}\":\"${n}\",'" for n in (
                'time_iso8601', 'remote_addr', 'request_method', 'host', 'request_uri', 'server_protocol', 'body_bytes_sent', 'http_user_agent',
                'upstream_addr', 'upstream_status', 'upstream_cache_status', 'upstream_connect_time', 'upstream_header_time', 'sent_http_content_type'))
            + " '\"request_time\":$request_time,\"status\":$status}'"}
    formats = ''.join(f'log_format {n} {f};\n' for n, f in logs.items() if f)
    access = ''.join(f'access_log {p.dir}/{n}.log {n if f else "combined"};\n' for n, f in logs.items())
    conf = p.write('nginx.conf', f'''daemon off; user root; pid {p.dir}/pid; error_log {p.dir}/error.log; worker_processes 1;
events {{ }}
http {{ large_client_header_buffers 4 16k; client_body_temp_path {p.dir}/b; proxy_temp_path {p.dir}/t; fastcgi_temp_path {p.dir}/f; uwsgi_temp_path {p.dir}/u; scgi_temp_path {p.dir}/s;
{formats}{access}
proxy_cache_path {p.dir}/cache keys_zone=c:1m; proxy_cache c; proxy_cache_revalidate on; proxy_http_version 1.1;
server {{ listen 127.0.0.1:{p.port}; location / {{ proxy_pass http://127.0.0.1:{p.origin}; proxy_set_header Connection ""; }} }} }}
''')
    p.start('nginx', '-c', conf)
    return [(n, n + '.log') for n in logs]


def apache(p):
    for d in ('cache', 'run'):
        (p.dir / d).mkdir()
        os.chmod(p.dir / d, 0o777)
    mods = ''.join(f'LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n' for m in
                   ('mpm_event', 'authz_core', 'proxy', 'proxy_http', 'cache', 'cache_disk', 'env'))
    logs = {'httpd_combined': r'%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"',
            'httpd_vhost': r'%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"',
            'httpd_vhost_us': r'%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D',
            'httpd_common': r'%h %l %u %t \"%r\" %>s %b',
            'httpd_xcache': r'%V %h %l %u %{usec}t \"%r\" %>s %B \"%{Referer}i\" \"%{User-Agent}i\" %D \"%{X-Cache}o\"'}
    conf = p.write('apache.conf', f'''ServerRoot {p.dir}
{mods}
ServerName www.example.com
LimitRequestLine 16000
Listen 127.0.0.1:{p.port}
User www-data
Group www-data
PidFile {p.dir}/run/pid
DefaultRuntimeDir {p.dir}/run
ErrorLog {p.dir}/error.log
CacheRoot {p.dir}/cache
CacheEnable disk /
CacheHeader on
CacheQuickHandler on
ProxyPass / http://127.0.0.1:{p.origin}/
''' + ''.join(f'LogFormat "{f}" {n}\nCustomLog {p.dir}/{n}.log {n}\n' for n, f in logs.items()))
    p.start('apache2', '-DFOREGROUND', '-f', conf)
    return [(n, n + '.log') for n in logs]


def varnish(p):
    vcl = p.write('v.vcl', f'''vcl 4.1;
backend o {{ .host = "127.0.0.1"; .port = "{p.origin}"; }}
sub vcl_recv {{ if (req.url ~ "^/private") {{ return (pass); }} }}
sub vcl_backend_response {{ set beresp.grace = 0s; set beresp.keep = 60s; }}
''')
    p.start('varnishd', '-F', '-n', p.dir / 'v', '-j', 'none', '-a', f'127.0.0.1:{p.port}', '-f', vcl, '-s', 'malloc,32m', '-p', 'http_req_hdr_len=16k')
    p.wait_port()
    base = '%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i"'
    logs = {'varnish_default': None, 'varnish_hitmiss': base + ' %{Varnish:hitmiss}x', 'varnish_handling': base + ' %{Varnish:handling}x',
            'varnish_times': base + ' %{Varnish:time_firstbyte}x %D %{Varnish:handling}x'}
    for n, f in logs.items():
        p.start('varnishncsa', '-n', p.dir / 'v', '-w', p.dir / f'{n}.log', *(['-F', f] if f else []))
    time.sleep(1)
    return [(n, n + '.log') for n in logs]


def haproxy(p):
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(str(p.dir / 'log'))

    def collect():
        with open(p.dir / 'haproxy.log', 'w') as out:
            while True:
                line = log.recv(65536).decode('latin-1').rstrip('\n')
                out.write(line[line.index('>') + 1:].replace(socket.gethostname() + ' ', 'node1 ') + '\n')
                out.flush()
    threading.Thread(target=collect, daemon=True).start()
    conf = p.write('h.cfg', f'''global
  log {p.dir}/log len 8192 local0
  tune.bufsize 32768
  tune.http.logurilen 4000
defaults
  mode http
  log global
  option httplog
  timeout client 20s
  timeout server 20s
  timeout connect 2s
cache c
  total-max-size 4
  max-age 60
frontend www
  bind 127.0.0.1:{p.port}
  capture request header Host len 40
  capture response header Content-Type len 40
  http-request cache-use c if {{ path_beg /page }}
  http-response cache-store c
  default_backend pages
backend pages
  server s1 127.0.0.1:{p.origin}
''')
    p.start('haproxy', '-f', conf)
    return [('haproxy', 'haproxy.log')]


def caddy(p):
    conf = p.write('Caddyfile', f'''{{
  admin off
  auto_https off
}}
http://www.example.com:{p.port}, http://127.0.0.1:{p.port} {{
  bind 127.0.0.1
  log
  reverse_proxy 127.0.0.1:{p.origin}
}}
''')
    p.start('caddy', 'run', '--config', conf, '--adapter', 'caddyfile', env=dict(os.environ, HOME=str(p.dir)))
    return [('caddy', 'out')]


def squid(p):
    conf = p.write('squid.conf', f'''http_port 127.0.0.1:{p.port} accel defaultsite=www.example.com
cache_peer 127.0.0.1 parent {p.origin} 0 no-query originserver
http_access allow all
cache_mem 16 MB
pid_filename {p.dir}/pid
access_log stdio:{p.dir}/squid.log squid
cache_log {p.dir}/cache.log
coredump_dir {p.dir}
shutdown_lifetime 1 seconds
''')
    p.start('squid', '-N', '-f', conf)
    return [('squid', 'squid.log')]


def trafficserver(p):
    root = p.dir / 'root'
    for d in ('etc', 'log', 'run', 'cache'):
        (root / d).mkdir(parents=True)
    shutil.copytree('/etc/trafficserver', root / 'etc', dirs_exist_ok=True)
    (root / 'etc/remap.config').write_text(f'map / http://127.0.0.1:{p.origin}/\n')
    (root / 'etc/storage.config').write_text(f'{root}/cache 64M\n')
    (root / 'etc/logging.yaml').write_text('''logging:
  formats:
  - name: squid
    format: '%<cqtq> %<ttms> %<chi> %<crc>/%<pssc> %<psql> %<cqhm> %<cquc> %<caun> %<phr>/%<shn> %<psct>'
  - name: body
    format: '%<cqtq> %<ttms> %<chi> %<crc> %<pssc> %<pscl> %<cqhm> %<cquc> "%<{User-Agent}cqh>" %<phr> %<shn>'
  logs:
  - filename: squid
    format: squid
  - filename: body
    format: body
''')
    (root / 'etc/records.config').write_text(f'''CONFIG proxy.config.http.server_ports STRING {p.port}:ip-in=127.0.0.1
CONFIG proxy.config.http.cache.required_headers INT 2
CONFIG proxy.config.log.max_secs_per_buffer INT 1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.url_remap.pristine_host_hdr INT 1
CONFIG proxy.config.admin.user_id STRING trafficserver
CONFIG proxy.config.log.logfile_dir STRING {root}/log
''')
    (root / 'runroot.yaml').write_text(f'prefix: {root}\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/sbin\nsysconfdir: {root}/etc\n'
                                       f'localstatedir: {root}\nruntimedir: {root}/run\nlogdir: {root}/log\ncachedir: {root}/cache\n')
    for d in (root / 'log', root / 'cache', root / 'run'):
        os.chmod(d, 0o777)
    subprocess.run(['chown', '-R', 'trafficserver', root], check=True)
    p.start('traffic_server', f'--run-root={root}/runroot.yaml')
    p.wait_port()
    time.sleep(5)                    # the cache is made ready after the port is
    return [('trafficserver', 'root/log/squid.log'), ('trafficserver_body', 'root/log/body.log')]


PROGRAMS = dict(nginx=nginx, apache=apache, varnish=varnish, haproxy=haproxy, caddy=caddy, squid=squid, trafficserver=trafficserver)


def main():
    folder = pathlib.Path(sys.argv[1])
    file = folder / 'truth.json'
    truth = json.loads(file.read_text()) if file.exists() else {}
    for name in sys.argv[2:] or PROGRAMS:
        Origin.asked.clear()
        Origin.confirmed.clear()
        Origin.gate.set()
        origin = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Origin)
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        p = Program(folder, origin.server_port)
        try:
            logs = PROGRAMS[name](p)
            p.wait_port()
            begun = time.time()
            facts = Traffic(p.port).all()
            facts['begun'], facts['ended'] = round(begun, 3), round(time.time(), 3)
            time.sleep(3)
        finally:
            p.stop()
        for log, path in logs:
            text = (p.dir / path).read_bytes().replace(str(p.dir).encode(), b'/srv/site')
            (folder / f'{log}.log').write_bytes(text)
            truth[log] = facts
        origin.shutdown()
        shutil.rmtree(p.dir, ignore_errors=True)
        print(name, dict(facts))
    file.write_text(json.dumps(truth, indent=1, sort_keys=True) + '\n')


main()
