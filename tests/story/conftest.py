"""Fixtures: `proxy` starts daemons and `origin` servers; both are stopped, and judged, when the story is over."""
import os
import shutil
import tempfile

import pytest

import harness
from disk import Disk


@pytest.fixture
def origin():
    made = []

    def make(handler=None, **kw):
        made.append(harness.Origin(handler, **kw))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def proxy(tmp_path, origin):     # origin: so that daemons stop before their origins do
    made = []

    def make(config=None, start=True, folder=None, **kw):
        tmp = tmp_path / (folder or '.')
        os.makedirs(tmp, exist_ok=True)
        made.append(harness.Proxyd(tmp, config, **kw))
        return made[-1].start() if start else made[-1]

    make.made = made
    yield make
    for one in made:
        one.close()


@pytest.fixture
def cached(proxy, origin):
    """cached(handler or headers=..., body=...) -> (daemon, origin): one site with a volume before a scripted origin."""
    def make(handler=None, headers=(), body=b'hello\n', read_body=True, clock=None, disk=None, listens=1, **kw):
        o = origin(handler, headers=headers, body=body, read_body=read_body)
        return proxy(harness.site(o, **kw), clock=clock, disk=disk, listens=listens), o

    return make


@pytest.fixture
def run(cached):
    """As cached(), before an origin whose answers may be stored for a minute."""
    def make(handler=None, **kw):
        return cached(handler, headers=[('Cache-Control', 'max-age=60')], **kw)

    return make


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """One daemon, and the same origin, for all stories of a module that leave it as it was."""
    origin = harness.Origin(headers=[('Cache-Control', 'max-age=60')])
    daemon = harness.Proxyd(tmp_path_factory.mktemp('shared'), harness.site(origin)).start()
    yield daemon, origin
    daemon.close()
    origin.close()


@pytest.fixture
def clock(tmp_path):
    """Give it to cached() or proxy(): the story moves the daemon's time."""
    if not os.path.exists(harness.PROXYD_CLOCK):
        pytest.skip(f'no {harness.PROXYD_CLOCK} (make story builds it)')
    return harness.Clock(tmp_path)


@pytest.fixture
def disk(tmp_path):
    """Give it to cached() or proxy(): the story decides how the disk fails."""
    if not os.path.exists(os.path.join(harness.SHIMS, 'disk.so')):
        pytest.skip(f'no {harness.SHIMS}/disk.so (make story builds it)')
    return Disk(tmp_path)


@pytest.fixture
def admin():
    """A path for the directive of the same name: short, as such paths have to be."""
    folder = tempfile.mkdtemp(prefix='story')
    yield os.path.join(folder, 'admin')
    shutil.rmtree(folder)


@pytest.fixture
def admin():
    """A path for the directive of the same name: short, as such paths have to be."""
    folder = tempfile.mkdtemp(prefix='story')
    yield os.path.join(folder, 'admin')
    shutil.rmtree(folder)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failing story shows what the daemons said and logged."""
    outcome = yield
    report = outcome.get_result()
    if report.when != 'call' or not report.failed:
        return
    tmp = item.funcargs.get('tmp_path') if hasattr(item, 'funcargs') else None
    if not tmp:
        return
    for one in getattr(item.funcargs.get('proxy'), 'made', []):
        report.sections.append(('stderr of proxyd', one.said()[-3000:]))
    for path in sorted(tmp.rglob('access.csv')):
        lines = path.read_text('latin-1').splitlines()
        report.sections.append((f'log {path.relative_to(tmp)} (last 5 of {len(lines)} lines)', '\n'.join(lines[-5:])))
