"""proxyd ctl volumes and origins: what the daemon knows of its volumes and of the servers it asks, counted as the log counts."""
import signal
import threading

import pytest

from harness import Client, site, until
from test_purge import ctl

FRESH = ('Cache-Control', 'max-age=600')


def upstream(servers, admin, more='', workers=1, cache=True):  
    rows = ' '.join(f'server {s};' for s in servers)
    return site('backend', workers=workers, http=f'admin unix:{admin}; upstream backend {{ {rows} }}', more=more, cache=cache)


def origins(daemon):
    return {o['address']: o for o in ctl(daemon, 'origins')['origins']}


def closed_port(origin):
    """An address where nobody listens."""
    o = origin()
    address = o.address
    o.close()
    return address


# ---- volumes ----

def test_volumes_says_all_numbers_as_the_metrics_do(cached, admin):     
    daemon, _ = cached(headers=[FRESH], body=b'x' * 5000, http=f'admin unix:{admin};')
    for n in range(20):
        daemon.get(f'/{n % 10}')
    daemon.records(20)
    until('ten committed', lambda: daemon.counters()['proxyd_volume_stored_total'] == 10)
    volume = ctl(daemon, 'volumes')['volumes'][0]
    metrics = daemon.counters()
    named = {k: v for k, v in volume.items() if f'proxyd_volume_{k}' in metrics}
    assert len(named) >= 13 and all(metrics[f'proxyd_volume_{k}'] == v for k, v in named.items())
    assert (volume['objects'], volume['puts'], volume['hits_ram']) == (10, 10, 10) and volume['gets'] >= 20
    assert volume['live_bytes'] == 10 * 8192 <= volume['data_bytes'] < volume['size_bytes'] == 8 << 20
    assert 0 < volume['commit_us_p50'] <= volume['commit_us_p99'] <= volume['commit_us_max'] and volume['queue_bytes'] == 0
    assert volume['sites'] == ['site.test /'] and volume['wrong'] == []


def test_volumes_names_each_site_that_is_bound(proxy, origin, admin):    
    o = origin()
    daemon = proxy(site(o, http=f'admin unix:{admin}; volume other {{ path other; size 4m; }}', more=f'''
        location /pictures/ {{ proxy_pass http://{o.address}; proxy_cache other; }}
        location /raw/ {{ proxy_pass http://{o.address}; proxy_cache off; }}'''))
    volumes = {v['name']: v for v in ctl(daemon, 'volumes')['volumes']}
    assert volumes['main']['sites'] == ['site.test /'] and volumes['other']['sites'] == ['site.test /pictures/']
    assert [v['bound_sites'] for v in volumes.values()] == [len(v['sites']) for v in volumes.values()]


def test_volumes_says_what_is_wrong(cached, admin):      
    daemon, _ = cached(headers=[FRESH], body=b'mark' * 2000, http=f'admin unix:{admin};')
    daemon.get('/a')
    daemon.records(1)
    until('it is committed', lambda: daemon.counters()['proxyd_volume_stored_total'] == 1)
    daemon.kill()
    path = f'{daemon.tmp}/vol/data'
    with open(path, 'r+b') as f:
        data = f.read()
        f.seek(data.index(b'mark') + 1000)
        f.write(b'M')
    daemon.start()
    daemon.get('/a')
    daemon.records(2)
    volume = ctl(daemon, 'volumes')['volumes'][0]
    assert volume['damaged_total'] == 1 and len(volume['wrong']) == 1 and 'damaged on disk' in volume['wrong'][0]


# ---- origins ----

def test_origins_counts_tries_as_the_log_does(proxy, origin, admin):     
    a, b, dead = origin(), origin(), closed_port(origin)
    daemon = proxy(upstream([f'{a.address} weight=3', b.address, f'{dead} max_fails=2 fail_timeout=60s', f'{a.address} backup'], admin, cache=False))
    for n in range(24):
        assert daemon.get(f'/{n}').status == 200
    tries = sum(int(r['origin_tries']) for r in daemon.records(24))
    rows = ctl(daemon, 'origins')['origins']
    seen = {(o['address'], o['backup']): o for o in rows}
    up, down = seen[a.address, False], seen[dead, False]
    assert up['asked'] + seen[b.address, False]['asked'] + down['asked'] == tries == daemon.counters()['proxyd_origin_tries_total']
    assert up['asked'] == len(a.requests) and seen[b.address, False]['asked'] == len(b.requests)
    assert (up['state'], up['failures'], up['last_error'], up['failed_until_us'], up['weight']) == ('up', 0, None, None, 3)
    assert (down['state'], down['asked'], down['failures'], down['last_error']) == ('failed', 2, 2, 'connect_refused')
    assert down['failed_until_us'] > down['last_error_us'] > 0 and down['workers_failed'] == down['workers'] == 1
    assert up['idle'] >= 1 and up['busy'] == 0
    assert seen[a.address, True]['backup'] is True and len(rows) == 4


def test_origins_that_are_down_single_or_busy(proxy, origin, admin):     
    o, other, dead = origin(lambda request, conn: (conn.origin.pass_gate(), conn.reply())), origin(), closed_port(origin)
    daemon = proxy(upstream([o.address, f'{other.address} down'], admin, more=f'location /dead {{ proxy_pass http://{dead}; proxy_cache main; }}'))
    o.gate()
    client = daemon.client()
    client.request('/wait')
    o.wait_requests(1)
    seen = origins(daemon)
    assert (seen[o.address]['busy'], seen[o.address]['idle'], seen[o.address]['asked']) == (1, 0, 1)
    assert (seen[other.address]['state'], seen[other.address]['asked']) == ('down', 0)
    assert (seen[dead]['state'], seen[dead]['upstream']) == ('up', dead) and seen[dead]['last_error'] is None
    o.open_gate()
    assert client.response().status == 200
    daemon.get('/dead')
    seen = origins(daemon)
    assert (seen[o.address]['busy'], seen[o.address]['idle']) == (0, 1)
    assert (seen[dead]['state'], seen[dead]['failures'], seen[dead]['last_error']) == ('up', 1, 'connect_refused')   # there is no other


def test_origins_forgets_nothing_at_a_reload(proxy, origin, admin):      
    o = origin()
    config = upstream([o.address], admin)
    daemon = proxy(config)
    daemon.get('/a')
    daemon.records(1)
    since = daemon.reload(config + '\n')
    daemon.wait_said(r'configuration 2 is in use', since)
    assert origins(daemon)[o.address]['asked'] == 1


@pytest.mark.parametrize('workers', [1, 3])
def test_origins_does_not_hold_up_the_end(proxy, origin, admin, workers):
    """Workers that have ended do not answer any more: who asks is told so, and the daemon ends."""
    o = origin(lambda request, conn: (conn.origin.pass_gate(), conn.reply()))
    daemon = proxy(upstream([o.address], admin, workers=workers))
    o.gate()
    client = Client(daemon.address)
    client.request('/wait')
    o.wait_requests(1)
    daemon.send_signal(signal.SIGQUIT)
    daemon.wait_said('stopping')
    done = []
    asking = [threading.Thread(target=lambda: done.append(daemon.run('-c', daemon.config_path, 'ctl', 'origins'))) for _ in range(5)]
    for thread in asking:
        thread.start()
    o.open_gate()
    assert client.response().status == 200
    client.close()
    for thread in asking:
        thread.join()
    assert {d.returncode for d in done} <= {0, 1, 3}, done
    daemon.wait_exit()
