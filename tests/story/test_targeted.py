"""The site's own targeted field goes before CDN-Cache-Control, and that before Cache-Control (RFC 9213)."""
import pytest

MINE, CDN, CC = 'My-Cache-Control', 'CDN-Cache-Control', 'Cache-Control'
OWN = 'targeted_cache_control My-Cache-Control;'


@pytest.mark.parametrize('headers, lifetime, why', [
    ([(MINE, 'max-age=60'), (CDN, 'no-store'), (CC, 'private')], '60', ''),
    ([(CC, 'private'), (CDN, 'no-store'), ('MY-CACHE-CONTROL', 'max-age=60')], '60', ''),
    ([(MINE, 'no-store'), (CDN, 'max-age=60'), (CC, 'max-age=60')], None, 'no_store'),
    ([(MINE, 'private'), (CC, 'max-age=60')], None, 'private'),
    ([(MINE, 'max-age=60, &&&'), (CDN, 'max-age=70'), (CC, 'no-store')], '70', ''),
    ([(MINE, 'max-age = 60'), (CC, 'max-age=80')], '80', ''),
    ([(MINE, 'Max-Age=60'), (CC, 'max-age=80')], '80', ''),
    ([(MINE, ''), (CDN, ''), (CC, 'max-age=80')], '80', ''),
    ([(MINE, 'max-age="60"'), (CC, 'max-age=80')], None, None),
    ([(MINE, 'max-age=1, max-age=60'), (CC, 'max-age=80')], '60', ''),
    ([(MINE, 'max-age=60'), (MINE, 's-maxage=90'), (CC, 'no-store')], '90', ''),
    ([(MINE, 'public'), ('Expires', 'Fri, 31 Dec 9999 23:59:59 GMT')], None, 'no_freshness'),
    ([(MINE, 'max-age=60;x=y, foo=(a b), bar=?0'), (CC, 'no-store')], '60', ''),
], ids=lambda v: '; '.join(f'{n[:3]}: {x}' for n, x in v) if isinstance(v, list) else '')
def test_the_first_well_formed_field_counts_alone(cached, headers, lifetime, why):
    daemon, o = cached(headers=headers, settings=OWN)
    daemon.get('/')
    daemon.get('/')
    first, second = daemon.records(2)
    assert second['cache'] == ('hit' if lifetime else second['cache']) and (second['cache'] == 'hit') == (lifetime is not None)
    if lifetime:
        assert first['lifetime'] == lifetime
    if why is not None:
        assert first['nostore'] == why


def test_without_the_line_the_field_is_any_other(cached):
    daemon, o = cached(headers=[(MINE, 'max-age=60'), (CC, 'no-store')])
    daemon.get('/')
    assert daemon.record()['nostore'] == 'no_store'


def test_the_field_is_passed_on(cached):
    daemon, o = cached(headers=[(MINE, 'max-age=60'), (CC, 'no-store')], settings=OWN)
    for _ in range(2):
        answer = daemon.get('/')
        assert answer.headers.get(MINE) == 'max-age=60' and answer.headers.get(CC) == 'no-store'
    assert len(o.requests) == 1


@pytest.mark.parametrize('fields, hits', [([(MINE, 'max-age=600')], True), ([], False), ([(MINE, 'no-store')], False)])
def test_a_304_is_judged_by_it(cached, fields, hits):
    """What it does not replace is what was stored: stale here."""
    def handler(request, conn):
        if request.headers.has('if-none-match'):
            conn.reply(304, headers=[('ETag', '"a"'), (CC, 'no-store'), *fields], reason='Not Modified')
        else:
            conn.reply(headers=[('ETag', '"a"'), (MINE, 'max-age=0')], body='x')

    daemon, o = cached(handler, settings=OWN)
    for _ in range(3):
        assert daemon.get('/').body == b'x'
    assert (daemon.records(3)[2]['cache'] == 'hit') == hits


def test_its_windows_and_names_count(cached):
    daemon, o = cached(headers=[(MINE, 'max-age=10, stale-if-error=0, private="set-cookie"'), ('Age', '5'), ('Set-Cookie', 'a=b')], settings=OWN)
    assert daemon.get('/').headers.get('set-cookie') == 'a=b', 'the first client has asked for it'
    again = daemon.get('/')
    assert not again.headers.has('set-cookie') and daemon.records(2)[1]['cache'] == 'hit'
