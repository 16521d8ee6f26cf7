"""logaudit whatif: from the log of a volume that is too small, how large it should be; and then it is."""
import re

from harness import audit_json, logaudit, site, until


def replay(proxy, o, size, fits=False):
    # The size is that of a fresh volume; 20 objects of 400 kB do not fit into 4 MB.
    daemon = proxy(site(o, volume_size=size, volume='').replace('path vol', f'path vol{size}').replace('access.csv', f'{size}.csv'))
    daemon.log = daemon.log.replace('access.csv', f'{size}.csv')
    with daemon.client() as client:
        for n in range(160):
            assert client.get(f'/{n % 20}').status == 200
            if fits and n < 20:                 # one by one: they need not fit into the writer's queue
                until(f'/{n} stored', lambda: daemon.counters()['proxyd_volume_stored_total'] > n)
    daemon.records(160)
    daemon.stop()
    return daemon.log


def test_the_size_that_is_recommended_is_enough(proxy, origin):
    o = origin(headers=[('Cache-Control', 'max-age=600')], body=b'x' * 400_000)
    small = replay(proxy, o, '4m')
    answer = audit_json('whatif', small, code=0)
    (volume,) = answer['volumes']
    assert volume['volume'] == 'main' and volume['node'] == 'story' and volume['requests'] == 160 and volume['sampled_objects'] == 20
    assert volume['bytes_now'] == 4 << 20 and volume['hits'] / 160 < 0.5
    # 140 of 160 is the best that any cache can do, and it takes the room of 20 objects.
    assert volume['unlimited']['hit_ratio'] == 140 / 160 == volume['unlimited']['byte_hit_ratio']
    assert 20 * 400_000 <= volume['footprint_bytes'] <= volume['recommended_bytes'] <= 12 << 20
    at = {point['bytes']: point['hit_ratio'] for point in volume['sizes']}
    assert at[4 << 20] == 0                     # round and round through too little room: LRU has nothing
    large = audit_json('report', replay(proxy, o, '32m', fits=True), code=0)
    assert large['totals']['hit_ratio'] == volume['unlimited']['hit_ratio']
    text = logaudit('whatif', small, code=0).stdout
    assert 'Recommended' in text and 'unlimited' in text and '87.50 %' in text and '  now' in text


def test_without_a_volume_there_is_nothing_to_play(proxy, origin):
    o = origin(headers=[('Cache-Control', 'max-age=600')])
    daemon = proxy(site(o, cache=False))
    with daemon.client() as client:
        client.get('/')
    daemon.records(1)
    assert 'No request carried a volume' in logaudit('whatif', daemon.log, code=0).stdout
    assert audit_json('whatif', daemon.log, code=0)['volumes'] == []


def test_the_page_has_the_same_figures_and_needs_nothing(proxy, origin, tmp_path):
    o = origin(headers=[('Cache-Control', 'max-age=600')], body=b'x' * 400_000)
    log = replay(proxy, o, '4m')
    (volume,) = audit_json('whatif', log, code=0)['volumes']
    page = tmp_path / 'sizes.html'
    assert logaudit('whatif', '--html', page, log, code=0).stdout == ''
    text = page.read_text()
    cells = re.findall(r'<tr><th scope="row">([^<]+)</th><td>([0-9.]+) %</td><td>([0-9.]+) %</td>', text)
    assert cells[-1] == ('unlimited', '87.50', '87.50') and len(cells) > 3
    shown = {size: float(ratio) for size, ratio, _ in cells}
    for point in volume['sizes']:
        name = f'{point["bytes"] >> 20}m'
        if name in shown:
            assert abs(shown[name] - 100 * point['hit_ratio']) < 0.006, point
    assert f'<strong>{volume["recommended_bytes"] >> 20}m is enough</strong>' in text
    assert text.count('<path class="l-store"') == 1 and text.count('<path class="l-own"') == 1
    assert '<script' not in text and not re.search(r'(src|href)="(?!#)', text)
