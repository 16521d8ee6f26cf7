"""An origin with files: ranges, If-Range, If-None-Match, as a good server has them. For the stories of parts and slices."""
import re
import threading

STRONG = [('ETag', '"v1"')]
FRESH = [('Cache-Control', 'max-age=600'), ('Content-Type', 'application/x-thing')]


def bytes_of(size, seed=0):
    """Bytes that tell where they are from."""
    return b''.join(b'%07x%c' % (i, 97 + seed) for i in range(0, size + 8, 8))[:size]


class File:
    """One file at every URL. hooks: before(request, conn) may answer itself (returns True)."""

    def __init__(self, body, headers=(*FRESH, *STRONG), ranges=True, before=None, chunk=None):
        self.body, self.headers, self.ranges, self.before, self.chunk = body, list(headers), ranges, before, chunk
        self.asked = []                  # (Range, If-Range) of each request
        self.lock = threading.Lock()

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name), None)

    def become(self, body, headers):
        with self.lock:
            self.body, self.headers = body, list(headers)

    def __call__(self, request, conn):
        asked = request.headers.get('range')
        with self.lock:
            self.asked.append((asked, request.headers.get('if-range')))
            body, headers = self.body, self.headers
            etag, modified = self.header('etag'), self.header('last-modified')
        if self.before and self.before(request, conn):
            return
        known = request.headers.get('if-none-match')
        since = request.headers.get('if-modified-since')
        if (known and known == etag) or (not known and since and since == modified):
            conn.reply(304, headers)
            return
        condition = request.headers.get('if-range')
        match = asked and self.ranges and condition in (None, etag, modified) and re.fullmatch(r'bytes=(\d*)-(\d*)', asked)
        if not match:
            self.send(conn, 200, headers, body, request)
            return
        start = int(match[1]) if match[1] else max(0, len(body) - int(match[2]))
        end = min(int(match[2]), len(body) - 1) if match[1] and match[2] else len(body) - 1
        if start >= len(body):
            conn.reply(416, [('Content-Range', f'bytes */{len(body)}')])
            return
        self.send(conn, 206, [*headers, ('Content-Range', f'bytes {start}-{end}/{len(body)}')], body[start:end + 1], request)

    def send(self, conn, status, headers, body, request):
        lines = [f'HTTP/1.1 {status} X', *(f'{n}: {v}' for n, v in headers), f'Content-Length: {len(body)}']
        conn.send('\r\n'.join(lines) + '\r\n\r\n')
        if request.method != 'HEAD':
            conn.send(body)
