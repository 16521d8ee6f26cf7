"""What compression saves, and what a hit of it costs: the demo's site through a daemon with `compress on`, sizes by coding from the
log, then CPU time for each hit of one page. usage: PROXYD=build/proxyd python3 tests/bench/compress.py [HITS]"""
import importlib.util
import os
import pathlib
import random
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / 'story'), str(HERE.parent / 'demo')]

import harness  # noqa: E402

spec = importlib.util.spec_from_file_location('demo_site', HERE.parent / 'demo' / 'site.py')
demo = importlib.util.module_from_spec(spec)
spec.loader.exec_module(demo)

TYPES = {'html': 'text/html', 'css': 'text/css', 'js': 'text/javascript', 'svg': 'image/svg+xml', 'xml': 'application/xml', 'txt': 'text/plain',
         'png': 'image/png', 'pdf': 'application/pdf'}
FILES = {'/' + path: body if isinstance(body, bytes) else body.encode() for path, body in demo.site(random.Random(1))}
PAGE = max((p for p in FILES if p.endswith('.html')), key=lambda p: len(FILES[p]))


def reply(request, conn):
    conn.reply(headers=[('Content-Type', TYPES[request.target.rsplit('.', 1)[1]]), ('Cache-Control', 'max-age=3600')], body=FILES[request.target])


def get(client, path, coding):
    return client.get(path, headers=[('Accept-Encoding', coding)] if coding else [])


def main():
    hits = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    origin = harness.Origin(reply)
    with tempfile.TemporaryDirectory() as tmp:
        daemon = harness.Proxyd(pathlib.Path(tmp), harness.site(origin, settings='compress on;', volume_size='64m', volume='ram 32m;')).start()
        with daemon.client() as client:
            for coding in ('gzip', 'br', 'zstd'):
                for path in FILES:
                    get(client, path, coding)
                    get(client, path, coding)

            def made():
                return sum(line.startswith(b'compress,') for line in daemon.lines())
            coded = {c: {path for path in FILES if get(client, path, c).headers.get('content-encoding') == c} for c in ('gzip', 'br', 'zstd')}
            want = sum(len(paths) for paths in coded.values())
            harness.until('all coded forms', lambda: [get(client, p, c) for c in coded for p in coded[c]] and made() >= want)
            total, text = sum(map(len, FILES.values())), sum(len(FILES[p]) for p in coded['gzip'])
            print(f'{len(FILES)} files, {total:,} bytes; {len(coded["gzip"])} of them are compressed: {text:,} bytes')
            for coding in coded:
                stored = sum(len(get(client, path, coding).body) for path in coded[coding])
                print(f'  {coding:4}  stored form {stored:8,} bytes ({stored * 100 / text:.1f} % of the text)')
            for coding in (None, 'gzip', 'br', 'zstd'):
                before, seen = daemon.cpu_seconds(), daemon.counters()['proxyd_compressed_total']
                for _ in range(hits):
                    size = len(get(client, PAGE, coding).body)
                spent, now = daemon.cpu_seconds() - before, daemon.counters()['proxyd_compressed_total']
                print(f'  hits of {PAGE} {coding or "identity":8}  {size:6,} bytes  {spent * 1e6 / hits:.1f} us CPU each, {now - seen:.0f} compressions in {hits:,}')
        daemon.close()
    origin.close()


if __name__ == '__main__':
    os.environ.setdefault('PROXYD', 'build/proxyd')
    main()
