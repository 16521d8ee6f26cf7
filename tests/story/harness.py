"""What every story stands on: the real daemon, a scripted origin that records every byte, raw and parsed clients, the log.

Nothing here waits for a time and hopes: every wait is for a word (a line of stderr, a record of the log, bytes of a
socket, an event) and fails at a deadline of DEADLINE seconds.

  Proxyd     starts build/proxyd (env PROXYD) in a folder of its own, waits for its ready lines, stops it, and then insists
             on a clean exit and on a stderr without a sanitizer's report.
  Origin     a raw-socket server in threads. A handler gets each parsed request and answers with bytes of its choosing.
  Client     a raw client connection that reads answers strictly, so that a cut answer is seen as one.
  Clock      the time of a daemon that was made for it (env PROXYD_CLOCK): it stands still until the story moves it.
  logaudit   runs build/logaudit (env LOGAUDIT).
"""
import csv
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROXYD = os.path.abspath(os.environ.get('PROXYD', os.path.join(ROOT, 'build/proxyd')))
PROXYD_CLOCK = os.path.abspath(os.environ.get('PROXYD_CLOCK', os.path.join(os.path.dirname(PROXYD), 'clock/proxyd')))
SHIMS = os.path.abspath(os.environ.get('SHIMS', os.path.join(os.path.dirname(PROXYD), 'shim')))
LOGAUDIT = os.path.abspath(os.environ.get('LOGAUDIT', os.path.join(ROOT, 'build/logaudit')))
DEADLINE = float(os.environ.get('STORY_DEADLINE', '10'))
SANITIZER = re.compile(r'Sanitizer|runtime error:|broken promise|out of memory', re.I)


class Late(AssertionError):
    """What was waited for did not come within the deadline."""


def until(what, probe, deadline=None):
    """Calls probe() until it returns something true, which is returned."""
    end = time.monotonic() + (deadline or DEADLINE)
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise Late(f'no {what} within {deadline or DEADLINE} s')
        time.sleep(0.005)


def text_of(data):
    return data.decode('latin-1')


# ---- messages ----

class Headers(list):
    """(name, value) pairs in order, looked up by name in any case."""

    def get(self, name, default=None):
        for n, v in self:
            if n.lower() == name.lower():
                return v
        return default

    def all(self, name):
        return [v for n, v in self if n.lower() == name.lower()]

    def has(self, name):
        return self.get(name) is not None


def parse_head(raw):
    lines = text_of(raw).split('\r\n')
    headers = Headers()
    for line in lines[1:]:
        if line:
            name, _, value = line.partition(':')
            headers.append((name, value.strip(' \t')))
    return lines[0], headers


class Closed(Exception):
    """The other end closed; .got is what had come of the message."""

    def __init__(self, got=b''):
        super().__init__(f'closed after {got[:200]!r}')
        self.got = got


class Wire:
    """A socket with a buffer: reads heads and bodies by the book."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(DEADLINE)
        self.buf = b''
        self.seen = b''              # every byte that came

    def fill(self):
        """One more read; False at the end of the stream."""
        try:
            data = self.sock.recv(262144)
        except socket.timeout:
            raise Late(f'no bytes within {DEADLINE} s; so far {self.seen[-300:]!r}') from None
        except (ConnectionResetError, BrokenPipeError):
            data = b''
        self.buf += data
        self.seen += data
        return bool(data)

    def take(self, n):
        while len(self.buf) < n:
            if not self.fill():
                raise Closed(self.buf)
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def take_until(self, mark):
        while mark not in self.buf:
            if not self.fill():
                raise Closed(self.buf)
        end = self.buf.index(mark) + len(mark)
        return self.take(end)

    def take_all(self):
        while self.fill():
            pass
        out, self.buf = self.buf, b''
        return out

    def take_chunked(self):
        """The payload of a chunked body; Closed(payload so far) when it is cut."""
        body = b''
        try:
            while True:
                size = int(self.take_until(b'\r\n').split(b';')[0], 16)
                if size == 0:
                    while self.take_until(b'\r\n') != b'\r\n':
                        pass
                    return body
                body += self.take(size)
                assert self.take(2) == b'\r\n', 'a chunk without its CRLF'
        except Closed as closed:
            raise Closed(body + closed.got) from None

    def send(self, data):
        if isinstance(data, str):
            data = data.encode('latin-1')
        self.sock.sendall(data)

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def reset(self):
        """Closes with a TCP reset instead of a good-bye."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0')
        self.close()

    def assert_closed(self):
        """The other end closes now, without another byte."""
        rest = self.buf + (self.take_all() if not self.buf else b'')
        assert rest == b'', f'bytes where the end of the connection was due: {rest[:300]!r}'

    def at_end(self):
        """Whether the other end has closed; reads nothing when it has not, and does not wait."""
        try:
            self.sock.setblocking(False)
            return self.sock.recv(1, socket.MSG_PEEK) == b''
        except BlockingIOError:
            return False
        except OSError:                  # reset; or the origin's own thread saw the end first and has closed it
            return True
        finally:
            if self.sock.fileno() >= 0:
                self.sock.settimeout(DEADLINE)


class Response:
    def __init__(self, line, headers, interim, raw_head):
        match = re.fullmatch(r'HTTP/1\.([01]) ([0-9]{3}) ([^\r\n]*)', line)
        assert match, f'not a status line: {line!r}'
        self.minor, self.status, self.reason = int(match[1]), int(match[2]), match[3]
        self.headers, self.interim, self.raw_head = headers, interim, raw_head
        self.body = b''
        self.complete = False        # by its framing; an answer that ends with the connection is never sure

    def __repr__(self):
        return f'<Response {self.status} {list(self.headers)} {self.body[:100]!r} complete={self.complete}>'


class Client(Wire):
    """One connection to the daemon."""

    def __init__(self, address, timeout=None):
        super().__init__(socket.create_connection(address, timeout=timeout or DEADLINE))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, target='/', method='GET', headers=(), host='site.test', version='HTTP/1.1', body=None):
        lines = [f'{method} {target} {version}']
        if host is not None:
            lines.append(f'Host: {host}')
        lines += [f'{n}: {v}' for n, v in headers]
        if body is not None and not any(n.lower() in ('content-length', 'transfer-encoding') for n, _ in headers):
            lines.append(f'Content-Length: {len(body)}')
        self.send(('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1') + (body or b''))

    def head(self):
        """The next head of any status."""
        raw = self.take_until(b'\r\n\r\n')
        line, headers = parse_head(raw)
        return Response(line, headers, [], raw)

    def response(self, method='GET', cut=False):
        """The next final answer with its body. A cut one is an error unless cut=True: then .complete tells."""
        interim = []
        while True:
            r = self.head()
            if r.status >= 200:
                break
            interim.append(r)
        r.interim = interim
        try:
            self.body_of(r, method)
        except Closed as closed:
            r.body = closed.got
            if not cut:
                raise AssertionError(f'cut answer: {r!r}') from None
        return r

    def body_of(self, r, method):
        length, coding = r.headers.all('content-length'), r.headers.all('transfer-encoding')
        assert len(length) <= 1 and not (length and coding), f'ambiguous framing: {r!r}'
        if method == 'HEAD' or r.status in (204, 304):
            r.complete = True
        elif coding:
            assert [c.lower() for c in coding] == ['chunked'], coding
            r.body = self.take_chunked()
            r.complete = True
        elif length:
            r.body = self.take(int(length[0]))
            r.complete = True
        else:
            r.body = self.take_all()

    def get(self, target='/', **kw):
        method = kw.get('method', 'GET')
        self.request(target, **kw)
        return self.response(method)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- origin ----

class Request:
    """A request as the origin got it: .raw is the head to the byte."""

    def __init__(self, raw, conn):
        self.raw = raw
        line, self.headers = parse_head(raw)
        self.method, self.target, self.version = line.split(' ')
        self.body = None
        self.conn = conn

    def __repr__(self):
        return f'<Request {text_of(self.raw)!r}>'


class OriginConn(Wire):
    def __init__(self, sock, origin, number):
        super().__init__(sock)
        self.origin, self.number = origin, number
        self.done = False            # the handler closed it

    def read_head(self):
        request = Request(self.take_until(b'\r\n\r\n'), self)
        self.origin.took(request)
        return request

    def read_body(self, request):
        length, coding = request.headers.get('content-length'), request.headers.get('transfer-encoding')
        if coding:
            request.body = self.take_chunked()
        else:
            request.body = self.take(int(length or 0))
        return request.body

    def reply(self, status=200, headers=(), body=b'', reason='OK', length=True):
        if isinstance(body, str):
            body = body.encode()
        lines = [f'HTTP/1.1 {status} {reason}'] + [f'{n}: {v}' for n, v in headers]
        if length and status != 304 and status != 204 and status >= 200:
            lines.append(f'Content-Length: {len(body)}')
        self.send(('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1') + body)

    def close(self):
        self.done = True
        super().close()

    def reset(self):
        self.done = True
        super().reset()


class Origin:
    """handler(request, conn) is called for each request of a connection until it closes it. read_body=False: the handler
    reads the content itself. With handler=None every request is answered 200 with `headers` and `body`."""

    def __init__(self, handler=None, headers=(), body=b'hello\n', read_body=True, port=0):
        self.handler = handler or (lambda request, conn: conn.reply(200, headers, body if request.method != 'HEAD' else b''))
        self.read_body = read_body
        self.requests, self.connections, self.failures = [], [], []
        self.changed = threading.Condition()
        self.events = {}
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(('127.0.0.1', port))
        self.sock.listen(1024)
        self.host, self.port = self.sock.getsockname()
        self.address = f'{self.host}:{self.port}'
        self.running = True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.running:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                conn = OriginConn(sock, self, len(self.connections) + 1)
                self.connections.append(conn)
                self.changed.notify_all()
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            conn.sock.settimeout(60)     # kept connections wait here; the client side has the deadline
            while not conn.done:
                request = conn.read_head()
                if self.read_body:
                    conn.read_body(request)
                self.handler(request, conn)
        except (Closed, OSError):
            pass
        except Exception as failure:     # a story's handler failed: the story must, too
            if self.running:
                self.failures.append(failure)
        conn.close()

    def took(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def wait_requests(self, count):
        """Waits until so many request heads have come, and returns them all."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.requests) >= count, DEADLINE):
                raise Late(f'{len(self.requests)} requests at the origin within {DEADLINE} s, not {count}')
            return list(self.requests)

    def gate(self, name='go'):
        """An event by name: handlers wait for it, stories set it."""
        with self.changed:
            return self.events.setdefault(name, threading.Event())

    def pass_gate(self, name='go'):
        if not self.gate(name).wait(DEADLINE):
            raise Late(f'nobody opened the gate {name!r}')

    def open_gate(self, name='go'):
        self.gate(name).set()

    def paths(self):
        return [r.target for r in self.requests]

    def bytes_seen(self):
        return b''.join(c.seen for c in self.connections)

    def close(self):
        self.running = False
        for event in list(self.events.values()):
            event.set()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for conn in self.connections:
            conn.close()
        assert not self.failures, f'the scripted origin failed: {self.failures!r}'


# ---- time ----

class Clock:
    """Proxyd(..., clock=Clock(folder)): time stands still from the daemon's start on. A daemon sees what was moved before a
    byte was sent to it."""

    def __init__(self, folder):
        self.path = os.path.join(str(folder), 'clock')
        self.passed_us, self.date_us = 0, int(time.time()) * 1000000
        with open(self.path, 'wb') as f:
            f.write(self.numbers())

    def numbers(self):
        return struct.pack('=qq', self.passed_us, self.date_us)

    def write(self):
        with open(self.path, 'r+b', buffering=0) as f:       # into the page that the daemon has mapped
            f.write(self.numbers())

    def now(self):
        """The daemon's date in seconds."""
        return (self.date_us + self.passed_us) / 1000000

    def passes(self, seconds):
        """Time passes."""
        self.passed_us += round(seconds * 1000000)
        self.write()

    def jumps(self, seconds):
        """The system's date is set forward or back, while no time passes."""
        self.date_us += round(seconds * 1000000)
        self.write()


# ---- the daemon ----

class Proxyd:
    """config: text of a configuration, in which %(name)s are replaced: tmp, log, and what `names` gives. Or options of
    quick mode as `args`. started=False: only run(), for the checks that do not start it."""

    def __init__(self, tmp, config=None, args=(), listens=1, metrics=None, config_file='proxyd.conf', env=None, clock=None, disk=None):
        self.tmp = str(tmp)
        self.log = os.path.join(self.tmp, 'access.csv')
        self.config_path = os.path.join(self.tmp, config_file)
        self.args = [str(a) for a in args]
        if config is not None:
            self.write_config(config)
            self.args = ['-c', self.config_path] + self.args
        self.listens, self.wants_metrics = listens, metrics if metrics is not None else 'metrics ' in (config or '') or '--metrics' in self.args
        self.env = dict(os.environ, **(env or {}))
        self.program = PROXYD_CLOCK if clock else PROXYD
        if clock:
            self.env['PROXYD_TEST_CLOCK'] = clock.path
        # quarantine: stories that measure memory must not measure what was freed
        self.env.setdefault('ASAN_OPTIONS', 'detect_leaks=1:abort_on_error=0:quarantine_size_mb=16')
        self.disk = disk
        if disk:
            self.env['DISK_SHIM'] = disk.path
            self.env['LD_PRELOAD'] = os.path.join(SHIMS, 'disk.so')
            self.env['ASAN_OPTIONS'] += ':verify_asan_link_order=0'
        self.process = None
        self.stderr = ''
        self.changed = threading.Condition()
        self.clients = []

    def write_config(self, config):
        with open(self.config_path, 'w') as f:
            f.write(config)

    def run(self, *args, timeout=30):
        """Runs the program to its end: -t, -T and the like."""
        return subprocess.run([self.program, *(args or self.args)], cwd=self.tmp, env=self.env, capture_output=True, text=True,
                              timeout=timeout, check=False)

    def spawn(self, stdout=subprocess.DEVNULL):
        self.ready_at = len(self.stderr)
        self.process = subprocess.Popen([self.program, *self.args], cwd=self.tmp, env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=stdout, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read_stderr, args=(self.process.stderr,), daemon=True)
        self.reader.start()

    def start(self):
        self.spawn()
        self.wait_ready()
        return self

    def read_stderr(self, pipe):
        for line in iter(pipe.readline, b''):
            with self.changed:
                self.stderr += line.decode('utf-8', 'replace')
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def said(self, since=0):
        with self.changed:
            return self.stderr[since:]

    def wait_said(self, pattern, since=0):
        """Waits for a line of stderr that matches."""
        def over():     # what it said last may still be on its way to us
            return self.process.poll() is not None and not self.reader.is_alive()
        with self.changed:
            if not self.changed.wait_for(lambda: re.search(pattern, self.stderr[since:]) or over(), DEADLINE):
                raise Late(f'stderr has no {pattern!r} within {DEADLINE} s:\n{self.stderr[since:]}')
            found = re.search(pattern, self.stderr[since:])
        assert found, f'the daemon ended ({self.process.poll()}) without {pattern!r}:\n{self.stderr[since:]}'
        return found

    def wait_ready(self):
        since = self.ready_at
        count = self.listens + (1 if self.wants_metrics else 0)
        self.wait_said(r'(?s)' + r'.*'.join([r'proxyd: ready: [a-z]+ on \S+\n'] * count), since)
        found = re.findall(r'proxyd: ready: listening on (\S+)', self.said(since))
        self.addresses = [self.address_of(a) for a in found]
        self.address = self.addresses[0]
        found = re.search(r'proxyd: ready: metrics on (\S+)', self.said(since))
        self.metrics_address = self.address_of(found[1]) if found else None

    @staticmethod
    def address_of(text):
        if text.startswith('unix:'):
            return text
        host, _, port = text.rpartition(':')
        return (host.strip('[]'), int(port))

    def client(self, listen=0):
        client = Client(self.addresses[listen])
        self.clients.append(client)
        return client

    def get(self, target='/', listen=0, **kw):
        """One request on a connection of its own."""
        with Client(self.addresses[listen]) as client:
            return client.get(target, **kw)

    def raw(self, data, listen=0):
        """Sends bytes, half closes, returns every byte that comes back."""
        with Client(self.addresses[listen]) as client:
            client.send(data)
            client.sock.shutdown(socket.SHUT_WR)
            return client.take_all()

    # -- the log --

    def lines(self, path=None):
        try:
            with open(path or self.log, 'rb') as f:
                data = f.read()
        except FileNotFoundError:
            return []
        return data.split(b'\n')[:-1]    # what has no newline yet is not a line yet

    def all_records(self, path=None):
        """Every whole record as a dict; each must be one physical line with the header's number of columns."""
        lines = self.lines(path)
        if not lines:
            return []
        names = next(csv.reader([text_of(lines[0])]))
        assert names[0] == 'rec/1', names[:3]
        names[0] = 'rec'
        records = []
        for line in lines[1:]:
            rows = list(csv.reader([text_of(line)]))
            if rows and rows[0][0] == 'rec/1':
                continue             # appended after a restart: a header again
            assert len(rows) == 1 and len(rows[0]) == len(names), f'not one record: {line!r}'
            records.append(dict(zip(names, rows[0])))
        return records

    def requests(self, path=None):
        return [r for r in self.all_records(path) if r['rec'] == 'req']

    def records(self, count, path=None):
        """Waits until `count` request records are there; more are an error."""
        until(f'{count} request records (there are {len(self.requests(path))})', lambda: len(self.requests(path)) >= count)
        got = self.requests(path)
        assert len(got) == count, f'{len(got)} request records, not {count}: {[(r["method"], r["target"], r["status"]) for r in got]}'
        return got

    def record(self):
        """The only request record."""
        return self.records(1)[0]

    # -- metrics --

    def metrics(self):
        url = 'http://%s:%d/metrics' % self.metrics_address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=DEADLINE) as answer:
            return answer.read().decode()

    def counters(self):
        """name -> value, summed over labels."""
        sums = {}
        for line in self.metrics().splitlines():
            if line and not line.startswith('#'):
                name, value = line.rsplit(' ', 1)
                name = name.split('{')[0]
                sums[name] = sums.get(name, 0) + float(value)
        return sums

    # -- what it costs --

    def cpu_seconds(self):
        """User and system time of all its threads."""
        with open(f'/proc/{self.process.pid}/stat') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def memory(self):
        """Anonymous resident memory in bytes: what is its own, not the page cache under its maps."""
        with open(f'/proc/{self.process.pid}/status') as f:
            return int(re.search(r'RssAnon:\s+(\d+) kB', f.read())[1]) * 1024

    # -- life --

    def send_signal(self, number):
        self.process.send_signal(number)

    def reload(self, config=None):
        """Writes the new file, sends SIGHUP and waits for the word that it was taken or refused."""
        if config is not None:
            self.write_config(config)
        since = len(self.said())
        self.send_signal(signal.SIGHUP)
        return since

    def kill(self):
        """kill -9, as a power cut for the process."""
        self.process.kill()
        self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stderr.close()
        self.process = None

    def end_strangers(self):
        """A story that failed in the middle of an upgrade knows nothing of the new process, which has our stderr open."""
        self.reader.join(DEADLINE)
        if not self.reader.is_alive():
            return
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as f:
                    if self.config_path.encode() in f.read().split(b'\0') and int(pid) != os.getpid():
                        os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass
        self.reader.join(DEADLINE)

    def wait_exit(self, code=0):
        try:
            got = self.process.wait(DEADLINE * 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Late(f'the daemon did not stop:\n{self.stderr}') from None
        self.end_strangers()
        self.process.stderr.close()
        self.process = None
        assert got == code, f'the daemon ended with {got}, not {code}:\n{self.stderr}'
        self.assert_healthy()

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.send_signal(number)
        self.wait_exit()

    def assert_healthy(self):
        assert not SANITIZER.search(self.stderr), f'a sanitizer or a broken promise:\n{self.stderr}'

    def close(self):
        for client in self.clients:
            client.close()
        if self.disk:
            self.disk.open()
        self.stop()


def logaudit(*args, code=None):
    """Runs logaudit; code: the exit code it must have."""
    done = subprocess.run([LOGAUDIT, *[str(a) for a in args]], capture_output=True, text=True, timeout=60, check=False)
    assert not SANITIZER.search(done.stderr), done.stderr
    if code is not None:
        assert done.returncode == code, f'logaudit {" ".join(map(str, args))} ended with {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}'
    return done


def volume_tool(daemon, word, *args, code=0, folder='vol', json_out=False):
    """proxyd volume: what it writes; or, with json_out, what that says."""
    done = daemon.run('volume', word, *(['--json'] if json_out else []), *map(str, args), folder, timeout=120)     # --rate makes it slow
    assert not SANITIZER.search(done.stderr), done.stderr
    assert done.returncode == code, f'volume {word} ended with {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}'
    return json.loads(done.stdout) if json_out and done.stdout else done.stdout + done.stderr


def volume_rows(daemon, *args, folder='vol'):
    """What is stored and committed: the rows of `proxyd volume dump`."""
    rows = list(csv.DictReader(io.StringIO(volume_tool(daemon, 'dump', *args, folder=folder))))
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def audit_json(command, *args, code=None):
    return json.loads(logaudit(command, '--json', *args, code=code).stdout)


def findings(audit, rule=None):
    return [f for f in audit['findings'] if rule is None or f['rule'] == rule]


def site(origin, cache=True, settings='', http='', log='access.csv', volume_size='8m', volume='ram 4m;', workers=1, more=''):
    """The configuration that most stories begin with: one site before one origin, with a volume. Paths are relative to
    the daemon's folder, where it is started."""
    address = origin if isinstance(origin, str) else origin.address
    return f'''\
workers {workers};
node story;
access_log {log};
metrics 127.0.0.1:0;
{http}
{f'volume main {{ path vol; size {volume_size}; {volume} }}' if cache else ''}
server {{
    listen 127.0.0.1:0;
    server_name site.test;
    location / {{
        proxy_pass http://{address};
        proxy_cache {'main' if cache else 'off'};
        {settings}
    }}
    {more}
}}
'''
