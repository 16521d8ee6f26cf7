"""kill -9 at random moments under load, against the real daemon; played by test_crash.py, and for long by tests/bench/kill.sh.

Each body is a function of its URL, its language and a version that the origin counts up, so that every answer can be judged by
itself: whether its bytes are right, whether its version is one that there is, and whether a purge has forbidden it. What was
committed is known from two acknowledgements, and from nothing else: the log says of a request that its answer was handed
to the volume (`stored`), and `proxyd ctl volume flush` returned after that line was read. From then on the object has to
be a hit, after every kill, until it is purged.

Two sites: `big` never has to evict, so nothing may be lost; `small` turns over all the time, so blocks are used again."""
import argparse
import collections
import csv
import hashlib
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time

import harness

URLS, CLIENTS, PER_CONNECTION = 240, 6, 40
UNDECIDED = 1 << 62
TOKEN = '0123456789abcdef'
CONFIG = '''\
workers 2;
node torture;
access_log access.csv;
metrics 127.0.0.1:0;
admin unix:%s;
volume big { path big; size 64m; ram 4m; }
volume small { path small; size 6m; ram 1m; }
server { listen 127.0.0.1:0; server_name big;
    location / { proxy_pass http://%s; proxy_cache big; purge_token %s; } }
server { listen 127.0.0.1:0; server_name small;
    location / { proxy_pass http://%s; proxy_cache small; purge_token %s; } }
'''


def size_of(name, version):
    """0 to 400 KB, most of them small."""
    number = int.from_bytes(hashlib.blake2b(f'{name} {version} size'.encode(), digest_size=8).digest(), 'big')
    return number % (400_000 if number % 13 == 0 else 40_000 if number % 3 == 0 else 6_000)


def body_of(name, version):
    return hashlib.shake_128(f'{name} {version}'.encode()).digest(size_of(name, version))


def kind_of(number):
    """What the origin says of a page: most are fresh for a day; some must be validated each time; some vary."""
    return 'validated' if number % 6 == 1 else 'vary' if number % 6 == 2 else 'fresh'


class Wrong(AssertionError):
    """What must never be."""


class Site:
    """What is known of the pages of one site."""

    def __init__(self, name):
        self.name, self.lock = name, threading.Lock()
        self.version = [1] * URLS                # the origin's
        self.floor = [1] * URLS                  # older ones were purged, and that was acknowledged
        self.purged_us = [0] * URLS              # when the last purge was acknowledged
        self.stored = {}                         # (number, language): handed to the volume, the log says
        self.committed = set()                   # and flushed

    def purge_begin(self, number):
        """The origin's new version; None: somebody else is at it."""
        with self.lock:
            if self.purged_us[number] == UNDECIDED:
                return None
            self.purged_us[number] = UNDECIDED
            for lang in ('en', 'de', ''):
                self.stored.pop((number, lang), None)
                self.committed.discard((number, lang))
            self.version[number] += 1
            return self.version[number]

    def purge_end(self, number, version):
        with self.lock:
            self.floor[number] = version
            self.purged_us[number] = time.time_ns() // 1000

    def settle(self):
        """After a kill: what was told but not flushed, and a purge that was not acknowledged, is nobody's promise."""
        self.stored = {what: True for what in self.committed}
        self.purged_us = [time.time_ns() // 1000 if us == UNDECIDED else us for us in self.purged_us]


class Torture:
    def __init__(self, tmp, seed, say=lambda text: None):
        self.tmp, self.random, self.say = str(tmp), random.Random(seed), say
        self.sites = [Site('big'), Site('small')]
        self.counts = collections.Counter()
        self.admin = os.path.join(tempfile.mkdtemp(prefix='story'), 'admin')
        self.origin = harness.Origin(self.answer)
        self.daemon = harness.Proxyd(tmp, CONFIG % (self.admin, self.origin.address, TOKEN, self.origin.address, TOKEN))
        self.asked = {}                          # mark of a request: (site, number, language, when it began)
        self.log_at, self.columns, self.mark = 0, None, 0
        self.failure, self.lock = None, threading.Lock()

    # ---- the origin ----

    def answer(self, request, conn):
        site = self.sites[request.headers.get('host') == 'small']
        number = int(request.target[2:])
        lang = request.headers.get('accept-language', '')
        name = f'{site.name}{request.target}{lang}'
        version = site.version[number]
        headers = [('ETag', f'"{version}{lang}"'), ('X-Version', version)]
        headers.append(('Cache-Control', 'max-age=0' if kind_of(number) == 'validated' else 'max-age=86400'))
        if kind_of(number) == 'vary':
            headers.append(('Vary', 'Accept-Language'))
        if request.headers.get('if-none-match') == f'"{version}{lang}"':
            conn.reply(304, headers, reason='Not Modified')
            return
        body = body_of(name, version)
        if len(body) > 5000 and len(conn.origin.requests) % 31 == 0:     # breaks off: must never be stored
            conn.send(f'HTTP/1.1 200 OK\r\nCache-Control: max-age=86400\r\nX-Version: {version}\r\nContent-Length: {len(body)}\r\n\r\n'
                      .encode() + body[:len(body) // 2])
            conn.close()
            return
        conn.reply(200, headers, body)

    # ---- the clients ----

    def ask(self, client, site, number, lang, least=None):
        """One GET, judged. Returns the answer; OSError and harness.Closed are the daemon's death."""
        with self.lock:
            self.mark += 1
            mark = self.mark
            self.asked[mark] = (site, number, lang, time.time_ns() // 1000)
        least = site.version[number] if kind_of(number) == 'validated' else site.floor[number]
        headers = [('Referer', f'/{mark}')] + ([('Accept-Language', lang)] if lang else [])
        client.request(f'/p{number}', headers=headers, host=site.name)
        answer = client.response(cut=True)
        if answer.status in (502, 504) or not answer.complete and answer.headers.get('content-length') != str(len(answer.body)):
            self.counts['broken off'] += 1
            raise harness.Closed(b'')
        if answer.status != 200:
            raise Wrong(f'status {answer.status} for {site.name}/p{number}')
        version = int(answer.headers.get('x-version'))
        name = f'{site.name}/p{number}{lang}'
        if answer.body != body_of(name, version):
            raise Wrong(f'{name} version {version}: {len(answer.body)} bytes that are not its {size_of(name, version)}: '
                        f'{answer.headers.get("cache-status")}')
        if not least <= version <= site.version[number]:
            raise Wrong(f'{name}: version {version} was served, of which {least} to {site.version[number]} may be: '
                        f'{answer.headers.get("cache-status")}')
        self.counts['answers'] += 1
        return answer

    def purge(self, client, site, number):
        """A new version, and the old one is purged; acknowledged, it must not come back."""
        version = site.purge_begin(number)
        if not version:
            return
        client.request(f'/p{number}', method='PURGE', host=site.name, headers=[('Purge-Token', TOKEN), ('Purge-Mode', 'hard')])
        answer = client.response()
        if answer.status != 200 or not json.loads(answer.body)['ok']:
            raise Wrong(f'a purge was answered {answer.status} {answer.body!r}')
        site.purge_end(number, version)
        self.counts['purges'] += 1

    def load(self, seed, stop):
        rand = random.Random(seed)
        try:
            while not stop.is_set():
                site = self.sites[rand.random() < 0.4]
                try:
                    with harness.Client(self.daemon.address) as client:
                        for _ in range(PER_CONNECTION):
                            number = min(rand.randrange(URLS), rand.randrange(URLS))
                            lang = rand.choice(('en', 'de')) if kind_of(number) == 'vary' else ''
                            chance = rand.random()
                            if chance < 0.03:
                                self.purge(client, site, number)
                            elif chance < 0.05:  # leaves in the middle
                                client.request(f'/p{number}', host=site.name, headers=[('Referer', '/0')] + ([('Accept-Language', lang)] if lang else []))
                                client.take(10)
                                break
                            else:
                                self.ask(client, site, number, lang)
                except (OSError, harness.Closed, harness.Late):
                    continue                     # killed; or an answer that the origin broke off
        except BaseException as failure:         # pylint: disable=broad-except
            self.failure = failure

    # ---- what was committed ----

    def read_log(self):
        """Takes note of what the log has come to say of answers that were stored."""
        with open(self.daemon.log, 'rb') as f:
            f.seek(self.log_at)
            data = f.read()
        data = data[:data.rfind(b'\n') + 1]
        self.log_at += len(data)
        for row in csv.reader(data.decode('latin-1').splitlines()):
            if row and row[0] == 'rec/1':
                self.columns = {name: at for at, name in enumerate(row)}
                continue
            if row[0] != 'req' or row[self.columns['stored']] != '1' or row[self.columns['method']] != 'GET':
                continue
            mark = int((row[self.columns['referer']] or '/0').rsplit('/', 1)[1])
            if mark not in self.asked:
                continue
            site, number, lang, began_us = self.asked.pop(mark)
            with site.lock:
                if began_us > site.purged_us[number]:
                    site.stored[(number, lang)] = True

    def flush(self):
        """Everything that the log has told before is committed, if it comes back."""
        if os.path.exists(self.daemon.log):
            self.read_log()
        before = [dict(site.stored) for site in self.sites]
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(harness.DEADLINE)
            sock.connect(self.admin)
            sock.sendall(b'volume flush *\n')
            answer = b''
            while not answer.endswith(b'\n'):
                data = sock.recv(1000)
                if not data:
                    raise harness.Closed(answer)
                answer += data
        if not json.loads(answer)['ok']:
            raise Wrong(f'a flush was answered {answer!r}')
        for site, stored in zip(self.sites, before):
            with site.lock:
                site.committed |= {what for what in stored if what in site.stored}
        self.counts['flushes'] += 1

    def check(self, sample=None):
        """Committed and not purged: a hit (one that must be validated: not fetched again). Without other load."""
        big = self.sites[0]
        what = sorted(big.committed)
        if sample is not None and len(what) > sample:
            what = self.random.sample(what, sample)
        client = harness.Client(self.daemon.address)
        for number, lang in what:
            status = self.ask(client, big, number, lang).headers.get('cache-status')
            if not ('; hit' in status or kind_of(number) == 'validated' and 'fwd-status=304' in status):
                raise Wrong(f'lost, though it was committed: big/p{number}{lang}: {status}')
            self.counts['committed objects found'] += 1
        client.close()
        small = harness.Client(self.daemon.address)
        for _ in range(20 if sample is not None else URLS):
            number = self.random.randrange(URLS)
            try:
                self.ask(small, self.sites[1], number, 'en' if kind_of(number) == 'vary' else '')
            except harness.Closed:               # the origin broke off
                small.close()
                small = harness.Client(self.daemon.address)
        small.close()

    # ---- rounds ----

    def start(self):
        if self.random.random() < 0.12:          # killed while it starts
            self.daemon.spawn()
            time.sleep(self.random.random() * 0.03)
            self.daemon.kill()
            self.counts['killed while starting'] += 1
        since = len(self.daemon.said())
        self.daemon.start()
        said = self.daemon.said(since)
        if 'damaged' in said or 'error' in said:
            raise Wrong(f'after a kill: {said}')

    def round(self, number):
        self.start()
        self.check(sample=100)
        stop = threading.Event()
        threads = [threading.Thread(target=self.load, args=(self.random.random(), stop)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        # As many flushes as come; the last is cut short, or nearly.
        end = time.monotonic() + self.random.random() * 0.8
        while time.monotonic() < end and not self.failure:
            time.sleep(self.random.random() * 0.1)
            self.flush()
        if self.random.random() < 0.5:           # with a flush on its way
            threading.Thread(target=self.flush_or_die).start()
            time.sleep(self.random.random() * 0.02)
        self.daemon.kill()
        stop.set()
        for thread in threads:
            thread.join()
        if self.failure:
            raise self.failure
        self.daemon.assert_healthy()
        self.read_log()
        for site in self.sites:
            site.settle()
        self.asked.clear()
        self.counts['rounds'] += 1
        self.say(f'round {number}: {self.counts["answers"]} answers, {len(self.sites[0].committed)} objects committed')

    def flush_or_die(self):
        try:
            self.flush()
        except (OSError, harness.Closed):
            pass
        except Wrong as failure:
            self.failure = failure

    def run(self, rounds):
        try:
            for number in range(1, rounds + 1):
                self.round(number)
            self.start()
            self.check()
            counters = self.daemon.counters()
            if counters['proxyd_volume_damaged_total'] > 0:
                raise Wrong('something was found damaged')
            self.daemon.stop()
        finally:
            if self.daemon.process:
                self.daemon.kill()
            self.origin.close()


def main():
    options = argparse.ArgumentParser()
    options.add_argument('rounds', type=int)
    options.add_argument('--seed', type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix='torture') as tmp:
        torture = Torture(tmp, given.seed, lambda text: print(text, flush=True))
        try:
            torture.run(given.rounds)
        except BaseException:
            print(torture.daemon.said()[-3000:], file=sys.stderr)
            raise
        finally:
            print(f'kill: seed {given.seed}:', ', '.join(f'{count} {what}' for what, count in torture.counts.items()))


if __name__ == '__main__':
    main()
