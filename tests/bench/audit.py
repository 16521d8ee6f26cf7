#!/usr/bin/python3
"""logaudit beside others on the same made traffic: lines per CPU-second, memory, and the wall time of one and of two threads.

    LINES=1000000 PAGES=200000 ROUNDS=3 /usr/bin/python3 tests/bench/audit.py

The best of ROUNDS runs counts, since a shared machine only ever makes a run slower. The work of the others is far less: mawk counts by one
column and adds up another, DuckDB does the same, GoAccess makes its report. What is not installed is named and left out. DuckDB is the
npm package @duckdb/node-api in the folder DUCKDB (~/.cache/logaudit-bench): npm install --prefix ~/.cache/logaudit-bench @duckdb/node-api"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

OUT = os.path.abspath(os.environ.get('OUT', 'build'))
LINES = int(os.environ.get('LINES', 1000000))
PAGES = int(os.environ.get('PAGES', 200000))
ROUNDS = int(os.environ.get('ROUNDS', 3))
DUCKDB = os.environ.get('DUCKDB', os.path.expanduser('~/.cache/logaudit-bench'))
DUCKDB_SCRIPT = """
const { DuckDBInstance } = require('@duckdb/node-api');
(async () => {
    const db = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
    const rows = await db.runAndReadAll(`select cache, count(*), sum(body_out) from read_csv('${process.argv[1]}', all_varchar = false,
        header = true) where "rec/1" = 'req' group by cache`);
    console.log(rows.getRows().length);
})();
"""


def measured(command):
    """Wall and CPU seconds and the most memory in MiB of one run."""
    start = os.times().elapsed
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                               env={**os.environ, 'NODE_PATH': os.path.join(DUCKDB, 'node_modules')})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.exit(f'{command[0]} failed: {process.returncode}')
    return os.times().elapsed - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def row(name, command, lines=LINES):
    runs = [measured(command) for _ in range(ROUNDS)]
    wall, cpu, memory = (min(run[i] for run in runs) for i in range(3))
    print(f'{name:34} {lines:>12,} {cpu:>8.2f} {lines / max(cpu, 0.001) / 1e6:>10.2f} {memory:>9.1f} {wall:>8.2f}', flush=True)
    return wall


def without(name, what):
    print(f'{name:34} left out: {what}')


def check_truth(log, truth):
    """A benchmark of wrong figures is none."""
    said = json.loads(subprocess.run([f'{OUT}/logaudit', 'report', '--json', log], stdout=subprocess.PIPE, check=True).stdout)
    if said['lines_counted'] != truth['requests']:
        sys.exit(f'logaudit counted {said["lines_counted"]} lines, {truth["requests"]} were made')


def main():
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        log, combined, truth = (os.path.join(folder, name) for name in ('access.csv', 'combined.log', 'truth.json'))
        with open(log, 'wb') as out:
            subprocess.run([f'{OUT}/bench/genlog', '--lines', str(LINES), '--pages', str(PAGES), '--truth', truth, '--combined', combined],
                           stdout=out, check=True)
        with open(truth, encoding='utf-8') as file:
            truth = json.load(file)
        check_truth(log, truth)
        print(f'{LINES:,} lines, {os.path.getsize(log):,} bytes, {truth["pages"]:,} pages\n')
        print(f'{"":34} {"lines":>12} {"CPU s":>8} {"M lines/s":>10} {"MiB":>9} {"wall s":>8}')
        row('wc -l', ['wc', '-l', log])
        one = row('logaudit check, all rules, 1 thread', [f'{OUT}/logaudit', 'check', '--threads', '1', log])
        two = row('logaudit check, all rules, 2 threads', [f'{OUT}/logaudit', 'check', '--threads', '2', log])
        row('logaudit report, 1 thread', [f'{OUT}/logaudit', 'report', '--threads', '1', log])
        if shutil.which('mawk'):
            row('mawk, one count and one sum', ['mawk', '-F,', '$1 == "req" { c[$17]++; b[$17] += $49 } END { for (k in c) print k, c[k], b[k] }', log])
        else:
            without('mawk', "install the Debian package 'mawk'")
        if shutil.which('goaccess'):
            row('goaccess, combined format', ['goaccess', combined, '--log-format=COMBINED', '-o', os.path.join(folder, 'report.json')])
        else:
            without('goaccess', "install the Debian package 'goaccess'")
        if shutil.which('node') and os.path.isdir(os.path.join(DUCKDB, 'node_modules', '@duckdb')):
            row('DuckDB, one count and one sum', ['node', '-e', DUCKDB_SCRIPT, log])
        else:
            without('DuckDB', f'npm install --prefix {DUCKDB} @duckdb/node-api')
        print(f'\ntwo threads take {two / one:.2f} of the wall time of one')


if __name__ == '__main__':
    main()
