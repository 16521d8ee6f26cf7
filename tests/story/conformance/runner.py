"""Plays rows of the conformance table against one daemon with default settings.

The origin marks each answer with a number of its own (field Answer-Number), which a stored answer keeps and a 304 renews;
so the number, and whether the origin was asked at all, say where an answer came from. Each row has a URL of its own."""
import collections
import csv
import threading
import time

import harness
from table import ANY, BEHIND, BY_DATE, BY_ETAG, CONTRADICTED, NOT_STORED, ORIGIN, STALE, STORED, At, text

NUMBER = 'Answer-Number'
PATIENCE = 2                     # seconds that an origin waits for a client that should not have waited for it


class Wrong(AssertionError):
    """The daemon did not do what the row says."""


def need(condition, message):
    if not condition:
        raise Wrong(message)


def segment(target):
    """/row of /row/more?and=more"""
    return '/' + target.split('?')[0].split('/')[1]


class Play:
    """One exchange under way, as the origin sees it."""

    def __init__(self, number, answer, now, url, validators, expects_304, records=1, held=False):
        self.number, self.answer, self.now, self.url = number, answer, now, url
        self.validators, self.expects_304, self.records = validators, expects_304, records
        self.requests = []
        self.shown = self                        # the play whose content the client is to see
        self.delay = lambda: None
        self.go = threading.Event()
        if not held:
            self.go.set()

    def fields(self):
        return [(n, self.value(v)) for n, v in self.answer.fields]

    def value(self, value):
        return text(value, self.now).replace('URL', self.url)

    def body(self, status):
        if status in (204, 304):
            return b''
        shown = self.shown
        return shown.answer.body if shown.answer.body is not None else b'answer %d of %s\n' % (shown.number, self.url.encode())


class Bench:
    """The daemon, the origin that plays the rows, and the log that says when an exchange is over."""

    def __init__(self, folder, clock=None, client=harness.Client):
        self.clock, self.client = clock, client  # client: harness.Client, or one of HTTP/2
        self.plays = {}                          # the first segment of a path -> the exchange under way there
        self.lock = threading.Lock()
        self.origin = harness.Origin(self.handle)
        self.daemon = harness.Proxyd(folder, harness.site(self.origin), clock=clock).start()
        self.records, self.log_at = collections.Counter(), 0     # requests and refreshes in the log, by the first segment of their path

    def close(self):
        self.daemon.close()
        self.origin.close()

    # -- the origin --

    def handle(self, request, conn):
        with self.lock:
            play = self.plays.get(segment(request.target))
            if play is not None:
                play.requests.append(request)
        if play is None:
            conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n')
            return
        play.go.wait(PATIENCE)
        play.delay()
        if play.answer.dies:
            conn.close()
            return
        for status, fields in play.answer.interim:
            conn.send((f'HTTP/1.1 {status} Interim\r\n' + ''.join(f'{n}: {v}\r\n' for n, v in fields) + '\r\n').encode('latin-1'))
        status = 304 if play.expects_304 and self.matches(request, play) else play.answer.status
        body = play.body(status)
        fields = [(NUMBER, str(play.number))] + play.fields()
        names = {n.lower() for n, _ in fields}
        if 'content-type' not in names and body:
            fields.append(('Content-Type', 'text/plain'))
        if 'transfer-encoding' in names:
            if ('Transfer-Encoding', 'chunked') in fields:
                body = b'%x\r\n%s\r\n0\r\n\r\n' % (len(body), body)
        elif status not in (204, 304) and 'content-length' not in names:
            fields.append(('Content-Length', str(len(body))))
        head = f'HTTP/1.1 {status} Scripted\r\n' + ''.join(f'{n}: {v}\r\n' for n, v in fields) + '\r\n'
        conn.send(head.encode('latin-1') + (b'' if request.method == 'HEAD' else body))
        if 'transfer-encoding' in names and ('Transfer-Encoding', 'chunked') not in fields:
            conn.close()

    @staticmethod
    def matches(request, play):
        tag, date = play.validators
        return (tag is not None and request.headers.get('if-none-match') == tag) \
            or (date is not None and request.headers.get('if-modified-since') == date)

    # -- the log --

    def logged(self, url, count):
        """Waits until so many requests of a row are in the log: what was to be stored is stored then."""
        harness.until(f'{count} request records of {url}', lambda: self.read_log() or self.records[url] >= count)

    def read_log(self):
        with self.lock:
            try:
                with open(self.daemon.log, 'rb') as f:
                    f.seek(self.log_at)
                    data = f.read()
            except FileNotFoundError:
                return
            end = data.rfind(b'\n') + 1
            lines = harness.text_of(data[:end]).splitlines()
            if self.log_at == 0 and lines:
                self.column = lines.pop(0).split(',').index('target')
            self.log_at += end
            for record in csv.reader(lines):
                if record[0] in ('req', 'refresh'):
                    self.records[segment(record[self.column])] += 1

    # -- a row --

    def now(self):
        """The daemon's time in whole seconds."""
        return int(self.clock.now() if self.clock else time.time())

    def run(self, row):
        """Raises Wrong with the first thing that is not as the row says."""
        url, now, told = '/' + row.id, self.now(), []
        try:
            for index, exchange in enumerate(row.exchanges):
                try:
                    self.exchange(exchange, index + 1, url, now, told)
                except harness.Late as late:
                    raise Wrong(f'exchange {index + 1}: {late}') from None
                except Wrong as wrong:
                    raise Wrong(f'exchange {index + 1}: {wrong}') from None
        finally:
            with self.lock:
                play = self.plays.pop(url, None)
            if play:
                play.go.set()

    def exchange(self, exchange, number, url, now, told):
        """told: the plays so far. Everything about a stored answer is looked up there."""
        last = next((p for p in reversed(told) if p.requests and not p.answer.dies), None)
        fields = harness.Headers(last.fields() if last else ())
        play = Play(number, exchange.answer, now, url, (fields.get('etag'), fields.get('last-modified')),
                    exchange.seen in (BY_ETAG, BY_DATE, CONTRADICTED), exchange.clients + (exchange.seen == BEHIND),
                    held=exchange.seen == BEHIND or exchange.clients > 1)
        if exchange.method == 'HEAD' and last:
            play.shown = last.shown                  # what it says is about content that came before
        if exchange.takes:
            play.delay = lambda: self.clock.passes(exchange.takes)
        if exchange.after:
            self.clock.passes(exchange.after)
        with self.lock:
            self.plays[url] = play
        told.append(play)
        ask = [(n, text(v, now)) for n, v in exchange.ask]
        clients = [self.client(self.daemon.address) for _ in range(exchange.clients)]
        try:
            for client in clients:
                client.request(url + exchange.path, method=exchange.method, headers=ask, body=exchange.content)
            if exchange.clients > 1:
                self.daemon.get('/settle')           # read after all of them
                play.go.set()
            answers = [client.response(exchange.method) for client in clients]
        finally:
            for client in clients:
                client.close()
        if exchange.seen == BEHIND:
            number = answers[0].headers.get(NUMBER)
            need(number and int(number) < play.number,
                 f'the client had to wait for the origin (status {answers[0].status}, answer {number})')
            harness.until('request behind the client', lambda: play.requests)
            play.go.set()
        self.logged(url, sum(p.records for p in told))
        with self.lock:
            requests = list(play.requests)
        for got in answers:
            self.judge(exchange, play, got, requests, told)
        if exchange.clients > 1:
            need(len(requests) == 1, f'{len(requests)} requests at the origin for {exchange.clients} clients')

    def judge(self, exchange, play, got, requests, told):
        seen = f'(status {got.status}, answer {got.headers.get(NUMBER)} of {play.number}, {len(requests)} requests at the origin, ' \
               f'Cache-Status: {got.headers.get("cache-status")})'
        source = self.source(exchange, play, got, requests, told, seen)
        status = exchange.status if exchange.status is not None else source.answer.status if source else None
        need(status in (None, got.status), f'status {got.status}, not {status} {seen}')
        body = exchange.body
        if body is None and source is not None and status == source.answer.status:
            body = source.body(status)
        if body is not None and exchange.method != 'HEAD' and got.status not in (204, 304):
            need(got.body == body, f'body {got.body!r}, not {body!r} {seen}')
        if exchange.seen == ORIGIN and exchange.answer.plain and exchange.status is None:
            self.judge_fields(play.fields(), got, seen)
        self.judge_has(exchange, play, got, seen)
        self.judge_sent(exchange, play, requests, seen)
        if exchange.interim is not None:
            have = [(r.status, [(n, r.headers.get(n)) for n, _ in fields]) for r, (_, fields) in zip(got.interim, exchange.interim)]
            want = [(s, [(n, v) for n, v in fields]) for s, fields in exchange.interim]
            need(have == want and len(got.interim) == len(exchange.interim),
                 f'interim answers {[r.status for r in got.interim]} {have}, not {want}')

    @staticmethod
    def source(exchange, play, got, requests, told, seen):
        """The play whose status and content the client must get; None when the row does not say."""
        number = int(got.headers.get(NUMBER, '0'))
        stored = next((p for p in told if p.number == number), None)
        if exchange.seen == STORED:
            need(not requests, f'the origin was asked {seen}')
            need(number < play.number and (number or got.status in (304, 416)), f'no stored answer {seen}')
            return stored or told[0]
        if exchange.seen in (BEHIND, STALE):
            need(requests, f'the origin was not asked {seen}')
            need(0 < number < play.number, f'no stored answer {seen}')
            return stored
        if exchange.seen == NOT_STORED:
            need(number in (0, play.number), f'the stored answer was used {seen}')
            return None
        if exchange.seen == ANY:
            return None
        if exchange.seen == CONTRADICTED:
            asked = [r.headers.has('if-none-match') or r.headers.has('if-modified-since') for r in requests]
            need(asked == [True, False], f'asked with conditions: {asked}, not once with and once without {seen}')
        else:
            need(len(requests) == 1, f'not one request at the origin {seen}')
        if exchange.seen in (BY_ETAG, BY_DATE):
            name, value = ('If-None-Match', play.validators[0]) if exchange.seen == BY_ETAG else ('If-Modified-Since', play.validators[1])
            sent = requests[0].headers.get(name)
            need(sent == value, f'asked with {name}: {sent}, not {value} {seen}')
            first = next(p for p in told if p.requests)
            play.shown = first.shown
            return first
        need(number == play.number, f'not the origin\'s answer {seen}')
        return play

    @staticmethod
    def judge_fields(fields, got, seen):
        for name in dict.fromkeys(n for n, _ in fields):
            want = ', '.join(v for n, v in fields if n == name)
            have = ', '.join(got.headers.all(name))
            need(have == want, f'{name}: {have!r} was passed on, not {want!r} {seen}')

    @staticmethod
    def judge_has(exchange, play, got, seen):
        for item in exchange.has:
            name, want = item if isinstance(item, tuple) else (item, None)
            have = got.headers.get(name)
            need(have is not None, f'no {name} {seen}')
            have = ', '.join(got.headers.all(name))
            if callable(want) and not isinstance(want, At):
                need(want(have), f'{name}: {have!r}, not {want.__doc__} {seen}')
            elif want is not None:
                want = play.value(want)
                need(have == want, f'{name}: {have!r}, not {want!r} {seen}')
        for item in exchange.lacks:
            name, value = item if isinstance(item, tuple) else (item, None)
            have = got.headers.all(name)
            need(not have if value is None else value not in ', '.join(have), f'{name}: {have} {seen}')

    @staticmethod
    def judge_sent(exchange, play, requests, seen):
        if not exchange.sent:
            return
        need(requests, f'the origin was not asked {seen}')
        for name, want in exchange.sent:
            have = requests[0].headers.get(name) if name != 'method' else requests[0].method
            want = None if want is None else play.value(want)
            need(have == want, f'the origin was asked with {name}: {have!r}, not {want!r} {seen}')
