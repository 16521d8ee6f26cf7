"""Logs made line by line, for what the report shows: values that no daemon would write are the point of some."""
import json
import zlib

from harness import logaudit

T0 = 1_795_500_000_000_000                   # 2026-11-24 06:00 UTC
# What is not said is 0 in columns of numbers that are never empty, and empty in all others.
BASE = dict(rec='req', node='n1', conn='1', conn_req='1', config='1', peer='192.0.2.1', client='192.0.2.1', found='peer', proto='HTTP/1.1', scheme='https',
            status='200', cache='hit', tier='ram', volume='main', lifetime='600', fwd_sent='1', first_us='250', total_us='300', req_bytes='200',
            head_out='150', body_out='1000', first_flush='100', end='complete', method='GET', host='www.example', target='/', route='www /',
            resp_type='text/html')
MISS = dict(cache='miss', tier='origin', origin='10.0.0.1:80', origin_status='200', origin_tries='1', origin_first_us='40000', origin_in='1000',
            first_us='41000', stored='1')
UNBOUND = {**MISS, 'cache': 'off', 'volume': 'none', 'nostore': 'no_volume', 'stored': '0'}


def quoted(value):
    value = value if isinstance(value, bytes) else value.encode()
    return b'"' + value.replace(b'"', b'""') + b'"' if any(c in value for c in b'",') else value


def write(path, rows, step_us=1_000_000):
    """rows: what differs from BASE. A row without t_us comes a step after the one before."""
    fields = json.loads(logaudit('fields', '--json').stdout)['fields']
    columns, zeros = [f['name'] for f in fields], {f['name']: '0' for f in fields if f['kind'] in ('U64', 'BOOL')}
    t_us = T0
    with open(path, 'wb') as out:
        out.write(','.join(['rec/1'] + columns[1:]).encode() + b'\n')
        for seq, row in enumerate(rows, 1):
            key = f'{zlib.crc32(repr(row.get("target")).encode()) + 1:016x}'
            line = {**zeros, **BASE, 't_us': str(t_us), 'seq': str(seq), 'key': key, **row}
            out.write(b','.join(quoted(line.get(name, '')) for name in columns) + b'\n')
            t_us += step_us
    return path


def ordinary(count=600):
    """A day: 80 % hits over two hosts, a site that nobody bound to a volume, an hour with errors."""
    rows = []
    for i in range(count):
        row = dict(host='www.example' if i % 3 else 'img.example', target=f'/page/{i % 40}', client=f'203.0.113.{i % 7}')
        if i % 10 == 0:
            row.update(UNBOUND, host='shop.example', target=f'/goods/{i % 4}')
        elif i < 80:
            row.update(MISS)
        elif count // 2 <= i < count // 2 + 20:
            row.update(MISS, cache='error', status='502', stored='0', end='origin_left')
        rows.append(row)
    return rows
