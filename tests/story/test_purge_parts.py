"""Purging what is stored in parts and in slices."""
import pytest

from files import File, bytes_of
from test_purge import FRESH, purged, url     # one of them a fixture


def read_all(daemon, path, *ranges):
    return [daemon.get(path, headers=[('Range', asked)] if asked else []).body for asked in ranges]


@pytest.mark.parametrize('mode', ['--soft', '--hard'])
@pytest.mark.parametrize('what', ['url', 'prefix', 'tag'])
def test_a_stored_part_goes_with_its_url(purged, what, mode):
    file = File(bytes_of(1000), [FRESH, ('Cache-Tag', 'film')])
    daemon, _, order = purged(file)
    read_all(daemon, '/a', 'bytes=0-99')
    file.become(bytes_of(1000, 1), file.headers)
    assert order('purge', what, {'url': url('/a'), 'prefix': url('/'), 'tag': 'film'}[what], mode)['objects'] == 1
    assert read_all(daemon, '/a', 'bytes=10-19') == [file.body[10:20]]
    assert daemon.records(2)[1]['purged'] == '1'


@pytest.mark.parametrize('mode', ['--soft', '--hard'])
@pytest.mark.parametrize('what', ['url', 'prefix', 'tag'])
def test_all_slices_go_with_their_url_and_count_as_one(purged, what, mode):
    """The file has changed and its validator has not, which is what purges are for."""
    file = File(bytes_of(20_000), [FRESH, ('Cache-Tag', 'film'), ('ETag', '"v1"')])
    daemon, _, order = purged(file, settings='slice 4k;')
    read_all(daemon, '/a', None, 'bytes=9000-9009')
    asked = len(file.asked)
    assert order('purge', what, {'url': url('/a'), 'prefix': url('/'), 'tag': 'film'}[what], mode)['objects'] == 1
    if mode == '--soft':
        assert read_all(daemon, '/a', None) == [file.body]     # confirmed once, by the validator
        assert len(file.asked) == asked + 1
    else:
        file.become(bytes_of(20_000, 1), file.headers)
        assert read_all(daemon, '/a', None, 'bytes=9000-9009') == [file.body, file.body[9000:9010]]
        assert len(file.asked) == 2 * asked
    assert daemon.records(3 if mode == '--soft' else 4)[2]['purged'] == '1'


def test_a_slice_that_was_asked_for_before_the_purge_is_not_for_who_comes_after_it(purged):
    """The file has changed and its validator has not."""
    def before(request, conn):
        if request.headers.get('range') == 'bytes=4096-8191' and len(file.asked) == 2:
            conn.send('HTTP/1.1 206 X\r\nETag: "v1"\r\nContent-Range: bytes 4096-8191/20000\r\nContent-Length: 4096\r\n\r\n')
            conn.send(old[4096:5000])
            conn.origin.pass_gate()
            conn.send(old[5000:8192])
            return True
        return False

    old = bytes_of(20_000)
    file = File(old, [FRESH, ('ETag', '"v1"')], before=before)
    daemon, o, order = purged(file, settings='slice 4k;')
    with daemon.client() as first, daemon.client() as second:
        first.request('/a')
        assert first.head().status == 200
        assert first.take(5000) == old[:5000]
        file.become(bytes_of(20_000, 1), file.headers)
        order('purge', 'url', url('/a'), '--hard')
        second.request('/a')
        assert second.head().status == 200
        assert second.take(20_000) == file.body
        o.open_gate()
        assert first.take(3192) == old[5000:8192]
    assert daemon.get('/a').body == file.body
