"""Every row of the conformance table against the daemon with default settings (make conformance prints the counts), over HTTP/1
and over HTTP/2: what the cache does must not depend on who carries the request."""
import os

import pytest

from h2_help import H2
from harness import PROXYD_CLOCK
from rows import ROWS
from summary import known, play

KNOWN = known()


def marks(row):
    if row.needs_clock and not os.path.exists(PROXYD_CLOCK):
        return [pytest.mark.skip(reason=f'no {PROXYD_CLOCK} (make story builds it)')]
    if row.id in KNOWN:
        return [pytest.mark.xfail(strict=True, reason=row.against or 'known_failures.txt')]
    return []


@pytest.fixture(scope='module')
def results(request):
    """The rows that were asked for, played side by side against one daemon."""
    return play(asked_for(request, 'test_row['))


@pytest.fixture(scope='module')
def results_h2(request):
    return play(asked_for(request, 'test_row_over_http_2['), H2)


def asked_for(request, name):
    return [item.callspec.params['row'] for item in request.session.items if item.name.startswith(name)]


def can_be_said(row):
    """Values with white space around them are malformed over HTTP/2 (RFC 9113 section 8.2.1)."""
    values = [value for exchange in row.exchanges for _, value in exchange.ask if isinstance(value, str)]
    return all(value == value.strip() for value in values)


@pytest.mark.parametrize('row', [pytest.param(row, id=row.id, marks=marks(row)) for row in ROWS])
def test_row(results, row):
    assert results[row.id] is None


@pytest.mark.parametrize('row', [pytest.param(row, id=row.id, marks=marks(row)) for row in ROWS if can_be_said(row)])
def test_row_over_http_2(results_h2, row):
    assert results_h2[row.id] is None


def test_the_table_is_sound():
    ids = [row.id for row in ROWS]
    assert len(ids) == len(set(ids)), 'an id twice'
    cases = [row.case for row in ROWS if row.case]
    assert len(cases) == len(set(cases)), 'a public case twice'
    assert KNOWN <= set(ids), f'known_failures.txt names rows that do not exist: {KNOWN - set(ids)}'
