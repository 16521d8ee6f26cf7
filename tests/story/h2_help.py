"""A client of HTTP/2 that writes its frames byte by byte, so that it can break every rule; heads are read by python's hpack."""
import struct

import hpack

import harness
import tls_help

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
PRIORITY_UPDATE = 16
END_STREAM, END_HEADERS, PADDED, PRIO, ACK = 1, 4, 8, 32, 1
NO_ERROR, PROTOCOL, INTERNAL, FLOW, TIMEOUT, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION, CONNECT, CALM = range(12)


def frame(kind, flags=0, stream=0, payload=b''):
    return len(payload).to_bytes(3, 'big') + bytes((kind, flags)) + struct.pack('>I', stream) + payload


def integer(value, bits, first=0):
    """RFC 7541 section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    out = [first | most]
    value -= most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def text(value):
    value = value.encode('latin-1') if isinstance(value, str) else value
    return integer(len(value), 7) + value


def block(*fields):
    """Literal fields, never indexed: nothing is put into a table."""
    return b''.join(b'\x10' + text(n) + text(v) for n, v in fields)


def head(path='/', method='GET', host='site.test', scheme='http', *more):
    fields = [(':method', method), (':scheme', scheme), (':path', path), (':authority', host)]
    return block(*[f for f in fields if f[1] is not None], *more)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b''.join(struct.pack('>HI', k, v) for k, v in pairs))


class Answer:
    """interim: answers of their own, without a body."""

    def __init__(self, status=None, headers=()):
        self.status, self.headers, self.body, self.interim, self.reset, self.complete = status, harness.Headers(headers), b'', [], None, False

    def __repr__(self):
        return f'<Answer {self.status} {list(self.headers)} {self.body[:80]!r} reset={self.reset} complete={self.complete}>'


class H2(harness.Client):
    """One connection. auto: windows are given back as bytes come."""

    def __init__(self, address, begin=True, auto=True, opening=(), tls=None):
        super().__init__(address)
        self.plain = self.sock
        if tls:
            self.sock = tls_help.context(alpn=['h2']).wrap_socket(self.sock, server_hostname=tls)
            self.sock.settimeout(harness.DEADLINE)
            assert self.sock.selected_alpn_protocol() == 'h2'
        self.decoder, self.auto, self.stream = hpack.Decoder(), auto, -1
        self.answers, self.goaway, self.frames, self.order = {}, None, [], []
        if begin:
            self.send(PREFACE + settings(*opening))

    def next(self):
        """One frame: (type, flags, stream, payload). SETTINGS are acknowledged, answers put together."""
        raw = self.take(9)
        size, kind, flags, stream = int.from_bytes(raw[:3], 'big'), raw[3], raw[4], struct.unpack('>I', raw[5:])[0]
        payload = self.take(size)
        got = (kind, flags, stream, payload)
        self.frames.append(got)
        if kind == SETTINGS and not flags & ACK:
            self.send_lax(frame(SETTINGS, ACK))
        elif kind == GOAWAY:
            self.goaway = struct.unpack('>II', payload[:8])
        elif kind in (HEADERS, DATA, RST):
            self.answer_frame(kind, flags, self.answers.setdefault(stream, Answer()), stream, payload)
        return got

    def send_lax(self, data):
        try:
            self.send(data)
        except OSError:
            pass

    def answer_frame(self, kind, flags, answer, stream, payload):
        if kind == RST:
            answer.reset = struct.unpack('>I', payload)[0]
            return
        if kind == HEADERS:
            while not flags & END_HEADERS:
                k, f, _, p = self.next()
                assert k == CONTINUATION
                payload, flags = payload + p, flags | (f & END_HEADERS)
            fields = [(n.decode('latin-1'), v.decode('latin-1')) for n, v in self.decoder.decode(payload, raw=True)]
            status = int(dict(fields)[':status'])
            headers = harness.Headers(f for f in fields if not f[0].startswith(':'))
            if status < 200:
                answer.interim.append(Answer(status, headers))
            else:
                answer.status, answer.headers = status, headers
            assert all(n == n.lower() for n, _ in fields)
            assert not any(headers.has(n) for n in ('connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'))
        else:
            answer.body += payload
            self.order.append(stream)
            if self.auto and payload:
                more = struct.pack('>I', len(payload))
                self.send_lax(frame(WINDOW, 0, 0, more) + (b'' if flags & END_STREAM else frame(WINDOW, 0, stream, more)))
        answer.complete = bool(flags & END_STREAM)

    def request(self, path='/', method='GET', headers=(), body=None, host='site.test', end=True, scheme='http'):
        """Sends one request; body goes out as DATA frames of 16 KB. Returns the number of its stream."""
        self.stream += 2
        fields = head(path, method, host, scheme, *[(n.lower(), v) for n, v in headers])
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end and body is None else 0), self.stream, fields))
        if body is not None:
            pieces = [body[i:i + 16384] for i in range(0, len(body), 16384)] or [b'']
            for i, piece in enumerate(pieces):
                self.send(frame(DATA, END_STREAM if end and i == len(pieces) - 1 else 0, self.stream, piece))
        return self.stream

    def reset_stream(self, stream, code=CANCEL):
        self.send(frame(RST, 0, stream, struct.pack('>I', code)))

    def answer(self, stream):
        """The whole answer, or one that was reset."""
        while True:
            a = self.answers.get(stream)
            if a and (a.complete or a.reset is not None):
                return a
            self.next()

    def until_head(self, stream):
        while not (stream in self.answers and self.answers[stream].status):
            self.next()
        return self.answers[stream]

    def get(self, path='/', **kw):
        return self.answer(self.request(path, **kw))

    def response(self, method='GET'):
        """The answer to the last request, whole: as harness.Client says it."""
        a = self.answer(self.stream)
        assert a.complete and a.reset is None, f'cut answer: {a!r}'
        assert not (a.body and (method == 'HEAD' or a.status in (204, 304))), f'a body that must not be: {a!r}'
        length = a.headers.all('content-length')
        assert method == 'HEAD' or a.status == 304 or length in ([], [str(len(a.body))]), f'not the length that was said: {a!r}'
        return a

    def ping(self, data=b'12345678'):
        """Everything that was sent before has been read when this returns."""
        self.send(frame(PING, 0, 0, data))
        while True:
            kind, flags, _, payload = self.next()
            if kind == PING and flags & ACK and payload == data:
                return

    def until_end(self):
        """Reads to the end of the connection: (last stream, code) of the last GOAWAY, or None."""
        try:
            while True:
                self.next()
        except harness.Closed:
            return self.goaway

    def close(self):
        super().close()
        try:
            self.plain.close()
        except OSError:
            pass
