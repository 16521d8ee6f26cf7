"""What stories of compression share: a text, clients that take codings, decoders of other makes."""
import subprocess
import zlib

import brotli

from harness import until

TEXT = b'<p>The quick brown fox jumps over the lazy dog, again and again.</p>\n' * 400
HEADERS = [('Cache-Control', 'max-age=600'), ('Content-Type', 'text/html; charset=utf-8'), ('ETag', '"abc"')]
ON = 'compress on;'


def unzstd(data):
    return subprocess.run(['zstd', '-d', '-q', '-c'], input=data, stdout=subprocess.PIPE, check=True).stdout


def unzstd_begin(data):
    """What can be read of a stream that goes on."""
    return subprocess.run(['zstd', '-d', '-q', '-c'], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def ungzip(data):
    stream = zlib.decompressobj(31)
    text = stream.decompress(data)
    assert stream.eof and not stream.unused_data
    return text


DECODE = {'gzip': ungzip, 'br': brotli.decompress, 'zstd': unzstd, None: lambda data: data}


def ask(daemon, accept=None, *more, target='/', **kw):
    return daemon.get(target, headers=([('Accept-Encoding', accept)] if accept is not None else []) + list(more), **kw)


def decoded(answer):
    return DECODE[answer.headers.get('content-encoding')](answer.body)


def varies(answer):
    return [v.strip().lower() for line in answer.headers.all('vary') for v in line.split(',')].count('accept-encoding')


def made(daemon, count=1):
    """Waits for the record of a coded form made in the background."""
    def records():
        return [r for r in daemon.all_records() if r['rec'] == 'compress']
    until(f'{count} coded forms', lambda: len(records()) >= count)
    assert len(records()) == count
    return records()[-1]
