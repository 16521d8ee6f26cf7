"""Runs the conformance table and prints what passed, section by section. usage: summary.py [--strict] [--write]

  --strict   exit code 1 when a row failed that is not decided otherwise
  --write    write known_failures.txt anew: test_conformance.py expects these rows to fail, and no others"""
import concurrent.futures
import os
import sys
import tempfile

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)]

from harness import PROXYD_CLOCK, Client, Clock, Closed  # noqa: E402  (the path comes first)
from rows import ROWS  # noqa: E402
from runner import Bench  # noqa: E402
from table import CHECK, OPTIMAL, REQUIRED  # noqa: E402

KNOWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'known_failures.txt')
AT_ONCE = 16                     # rows side by side: each one mostly waits for the log
KINDS = (REQUIRED, OPTIMAL, CHECK)
HEAD = '''\
# Rows of the table that the daemon does not pass yet, or is not meant to pass, one a line: id, and what was wrong.
# `make conformance CONFORMANCE=--write` writes this file. A row that begins to pass must leave it: pytest insists.
'''


def known():
    with open(KNOWN) as f:
        return {line.split('\t')[0] for line in f if line.strip() and not line.startswith('#')}


def play(rows, client=Client):
    """row id -> None, or what was wrong. client: harness.Client, or h2_help.H2. Rows in which time passes have a daemon of their own, and it to themselves."""
    results = {}
    moved = [row for row in rows if row.needs_clock]
    if moved and os.path.exists(PROXYD_CLOCK):
        with tempfile.TemporaryDirectory(prefix='conformance.') as folder:
            bench = Bench(folder, Clock(folder), client)
            try:
                results.update((row.id, judged(bench, row)) for row in moved)
            finally:
                bench.close()
    with tempfile.TemporaryDirectory(prefix='conformance.') as folder:
        bench = Bench(folder, client=client)
        try:
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda row: results.update({row.id: judged(bench, row)}), [row for row in rows if not row.needs_clock]))
        finally:
            bench.close()
    return results


def judged(bench, row):
    try:
        bench.run(row)
    except (AssertionError, Closed, OSError) as wrong:
        return str(wrong) or repr(wrong)
    return None


def count(rows, results, kind, public):
    """'passed/total' of a kind: all rows, or those of the public suite's cases."""
    chosen = [row for row in rows if row.kind == kind and (row.case or not public)]
    passed = [row for row in chosen if row.id in results and results[row.id] is None]
    return f'{len(passed)}/{len(chosen)}' if chosen else '-'


def table(results):
    sections = list(dict.fromkeys(row.section for row in ROWS))
    print(f'{"":30}{"required":>12}{"optimal":>12}{"check":>12}')
    for section in sections:
        rows = [row for row in ROWS if row.section == section]
        print(f'{section:30}' + ''.join(f'{count(rows, results, kind, False):>12}' for kind in KINDS))
    print(f'{"all rows":30}' + ''.join(f'{count(ROWS, results, kind, False):>12}' for kind in KINDS))
    print(f'{"the public cases among them":30}' + ''.join(f'{count(ROWS, results, kind, True):>12}' for kind in KINDS))


def main(args):
    if set(args) - {'--strict', '--write'}:
        sys.exit(__doc__)
    results = play(ROWS)
    wrong = [row for row in ROWS if results.get(row.id)]
    for title, rows in (('Not yet', [r for r in wrong if not r.against]), ('Decided otherwise', [r for r in wrong if r.against])):
        if rows:
            print(f'{title}:')
        for row in rows:
            print(f'  {row.id} ({row.kind}, RFC {row.rfc}, {row.section})\n    {row.why}\n    {row.against or results[row.id]}')
    for row in ROWS:
        if row.needs_clock and row.id not in results:
            print(f'Needs a clock that can be moved ({PROXYD_CLOCK}): {row.id} ({row.kind}, {row.section})')
    table(results)
    if '--write' in args:
        with open(KNOWN, 'w') as f:
            f.write(HEAD + ''.join(f'{row.id}\t{row.against or results[row.id].split(" (status")[0]}\n' for row in wrong))
    sys.exit('--strict' in args and any(not row.against for row in wrong))


if __name__ == '__main__':
    main(sys.argv[1:])
