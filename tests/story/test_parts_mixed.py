"""Parts and slices under everything at once: an origin whose file changes, that ignores ranges, lies, fails and breaks off, clients
that leave, purges and unsafe requests. Whatever comes, bytes of two files are never in one answer."""
import random
import re
import threading

import pytest

import harness
from files import bytes_of

REQUESTS, CLIENTS = 60, 6


class Moody:
    """Each version of the file has bytes, a length and an entity tag of its own."""

    def __init__(self, seed):
        self.random, self.lock, self.versions, self.number = random.Random(seed), threading.Lock(), {}, 0
        self.change()

    def change(self):
        self.number += 1
        self.tag = f'"v{self.number}"'
        self.versions[self.tag] = bytes_of(self.random.randrange(9_000, 25_000), self.number % 26)

    def __call__(self, request, conn):
        with self.lock:
            mood = self.random.random()
            if mood < 0.04 or request.method == 'POST':
                self.change()
            tag, body = self.tag, self.versions[self.tag]
            cut = self.random.randrange(1, 4000)
        fields = [('Cache-Control', 'max-age=600' if mood > 0.2 else 'max-age=0'), ('ETag', tag)]
        if request.method == 'POST':
            conn.reply(body='changed')
        elif 0.90 < mood < 0.93:
            conn.reply(503)
        elif request.headers.get('if-none-match') == tag:
            conn.reply(304, headers=fields)
        elif 0.93 < mood < 0.94:
            conn.reply(416, headers=[('Content-Range', f'bytes */{len(body)}')])
        else:
            self.send(request, conn, fields, body, mood, cut)

    def send(self, request, conn, fields, body, mood, cut):
        asked = re.fullmatch(r'bytes=(\d*)-(\d*)', request.headers.get('range') or '')
        condition = request.headers.get('if-range')
        status, content = 200, body
        if asked and condition in (None, fields[1][1]) and not 0.80 < mood < 0.85:      # else it ignores ranges
            start = int(asked[1]) if asked[1] else max(0, len(body) - int(asked[2]))
            end = min(int(asked[2]), len(body) - 1) if asked[1] and asked[2] else len(body) - 1
            if start >= len(body):
                conn.reply(416, headers=[('Content-Range', f'bytes */{len(body)}')])
                return
            if 0.85 < mood < 0.87:                                   # another range than it was asked for
                start = start // 2
            status, content = 206, body[start:end + 1]
            fields = [*fields, ('Content-Range', f'bytes {start}-{end}/{len(body)}')]
            if 0.87 < mood < 0.90:                                   # more than there is
                fields = [*fields[:-1], ('Content-Range', f'bytes {start}-{end + 7}/{len(body) + 7}'), ('X-Crooked', '1')]
        head = f'HTTP/1.1 {status} X\r\n' + ''.join(f'{n}: {v}\r\n' for n, v in fields) + f'Content-Length: {len(content)}\r\n\r\n'
        if 0.95 < mood:
            conn.send(head)
            conn.send(content[:cut])
            conn.close()
        else:
            conn.send(head)
            conn.send(content)


def pieces(answer):
    """(from, to, total, bytes) of each part of a 206."""
    form = r'bytes (\d+)-(\d+)/(\d+)'
    one = re.fullmatch(form, answer.headers.get('content-range') or '')
    if one:
        return [(*map(int, one.groups()), answer.body)]
    boundary = answer.headers.get('content-type').split('boundary=')[1].encode()
    parts = answer.body.split(b'\r\n--' + boundary)[1:-1]
    return [(*map(int, re.search(form.encode(), part).groups()), part.split(b'\r\n\r\n', 1)[1]) for part in parts]


def judge(moody, answer):
    if answer.status in (304, 502, 503, 504):
        return
    if answer.status == 416:
        assert re.fullmatch(r'bytes \*/\d+', answer.headers.get('content-range'))
        return
    assert answer.status in (200, 206)
    if answer.headers.get('x-crooked'):
        assert 'hit' not in answer.headers.get('cache-status').split(';')[1]
        return
    whole = moody.versions[answer.headers.get('etag')]
    if answer.status == 200:
        assert answer.body == (whole if answer.complete else whole[:len(answer.body)])
        assert answer.headers.get('content-length') == str(len(whole))
        return
    if not answer.complete and not answer.headers.get('content-range'):
        return
    for start, end, total, content in pieces(answer):
        assert total == len(whole)
        assert content == (whole[start:end + 1] if answer.complete else whole[start:start + len(content)])


def ask(moody, daemon, rng, wrong):
    try:
        for _ in range(REQUESTS):
            ask_once(moody, daemon, rng, wrong)
    except Exception as problem:           # a thread's failure is told by the story
        wrong.append(problem)


def ask_once(moody, daemon, rng, wrong):
    start = rng.randrange(26_000)
    asked = rng.choice([None, f'bytes={start}-{start + rng.randrange(9000)}', f'bytes={start}-', f'bytes=-{rng.randrange(1, 9000)}',
                        f'bytes={start}-{start + 99}, -100', 'bytes=0-99', 'bytes=5000-5999'])
    fields = [('Range', asked)] if asked else []
    if rng.random() < 0.1:
        fields.append(('If-Range' if asked else 'If-None-Match', rng.choice(list(moody.versions))))
    method = rng.choices(['GET', 'HEAD', 'POST', 'PURGE'], [92, 4, 2, 2])[0]
    if method == 'PURGE':
        fields = [('Purge-Mode', rng.choice(['hard', 'soft']))]
    with daemon.client() as client:
        client.request('/', method=method, headers=fields, body=b'x' if method == 'POST' else None)
        if rng.random() < 0.1:
            client.head()              # and leaves
            return
        answer = client.response(method, cut=True)
    try:
        if method == 'GET':
            judge(moody, answer)
    except Exception as problem:
        wrong.append((asked, fields, answer.status, list(answer.headers), problem))


@pytest.mark.parametrize('settings', ['', 'slice 4k;', 'slice 4k; object_max 8k;', 'slice 2k; collapse off;', 'object_max 8k;'])
@pytest.mark.parametrize('seed', [1, 2, 5])
def test_bytes_of_two_files_are_never_in_one_answer(cached, tmp_path, settings, seed):
    moody, wrong = Moody(seed), []
    daemon, _ = cached(moody, settings=settings + 'purge_allow 127.0.0.1;', workers=2, volume='ram 1m;')
    threads = [threading.Thread(target=ask, args=(moody, daemon, random.Random(seed * 100 + i), wrong)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    records = daemon.records(REQUESTS * CLIENTS)
    assert sum(r['stored'] == '1' for r in records) > 5
    assert not [r for r in records if r['nostore'] == 'volume_failed'], 'it has not'
    scrape = tmp_path / 'scrape.txt'
    scrape.write_text(daemon.metrics())
    harness.logaudit('metrics', '--scrape', scrape, daemon.log, code=0)
