"""The page of `logaudit report --html` in a real browser: what is on it, in light and dark, on a phone, without scripts, for who cannot
see it, and made from a hostile log."""
import os

import pytest

from browser import Browser
from harness import findings, audit_json, logaudit
from made_log import MISS, UNBOUND, ordinary, write

AXE = os.environ.get('AXE', 'build/axe/package/axe.min.js')

# Contrast of each text with what is behind it (WCAG 2.2, 1.4.3): those below 4.5, or 3 for large text. One pixel of a canvas knows the
# colour whatever its notation; backgrounds with alpha are laid over what is behind them.
CONTRAST = '''(() => {
    const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = v => { c.clearRect(0, 0, 1, 1); c.fillStyle = v; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]; };
    const light = p => [0.2126, 0.7152, 0.0722].reduce((s, w, i) => { const v = p[i] / 255; return s + w * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
    const behind = e => { for (; e; e = e.parentElement) { const p = rgba(getComputedStyle(e).backgroundColor); if (p[3] === 255) return p; } return [255, 255, 255]; };
    const bad = [];
    for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() || e.closest('.hidden, .skip, script, :disabled')) continue;
        const s = getComputedStyle(e), a = light(rgba(s.color)), b = light(behind(e));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), large = parseFloat(s.fontSize) >= 24 || (parseFloat(s.fontSize) >= 18.66 && s.fontWeight >= 700);
        if (ratio < (large ? 3 : 4.5)) bad.push(`${e.tagName}.${e.className}: ${ratio.toFixed(2)} "${e.textContent.slice(0, 40)}"`);
    }
    return bad;
})()'''

# What those who listen or use the keyboard rely on.
STRUCTURE = '''(() => {
    const all = s => [...document.querySelectorAll(s)], bad = [], ids = all('[id]').map(e => e.id);
    if (all('h1').length !== 1 || all('main').length !== 1 || !document.documentElement.lang || !document.title) bad.push('frame');
    all('h1,h2,h3').reduce((last, h) => { if (+h.tagName[1] > last + 1) bad.push('heading ' + h.textContent); return +h.tagName[1]; }, 0);
    for (const t of all('table')) if (!t.caption || !t.caption.textContent) bad.push('no caption');
    for (const th of all('th')) if (!th.scope) bad.push('no scope: ' + th.textContent);
    for (const s of all('svg')) if (s.getAttribute('aria-hidden') !== 'true' && !(s.getAttribute('role') === 'img' && s.getAttribute('aria-label'))) bad.push('svg without words');
    for (const s of all('section')) if (!document.getElementById(s.getAttribute('aria-labelledby'))) bad.push('section without a name');
    for (const e of all('[tabindex]')) if (e.tabIndex !== 0 || !e.getAttribute('aria-label')) bad.push('focus without a name');
    for (const i of all('input')) if (!i.labels.length || !i.labels[0].innerText.trim()) bad.push('input without a label');
    if (new Set(ids).size !== ids.length) bad.push('an id twice');
    return bad;
})()'''


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    one = Browser(tmp_path_factory.mktemp('browser'))
    yield one
    one.close()


def page_of(tmp_path, rows, name='a.csv'):
    log = write(tmp_path / name, rows)
    out = logaudit('report', '--html', tmp_path / 'report.html', log, code=0)
    assert out.stdout == '' and not os.path.exists(tmp_path / 'report.html.new')
    return tmp_path / 'report.html', log


def test_a_person_sees_at_once_whether_the_cache_works(browser, tmp_path):
    path, log = page_of(tmp_path, ordinary())
    page, report = browser.open(path), audit_json('report', log)
    assert page.js("document.querySelector('h1').innerText").endswith('The cache answered 75.00 % of the requests, and 1 finding should be looked at')
    first = page.js("document.querySelector('#findings').getBoundingClientRect().top")
    assert first < 700, 'verdict, main figures and the findings begin on the first screen'
    keys = dict(zip(page.texts('.key dt'), page.texts('.key .big')))
    assert keys['Hit ratio by requests'] == '75.00 %' and keys['Errors (status 5xx)'] == '3.00 %'
    assert [t.split('\n')[0] for t in page.texts('.finding header')] and page.texts('.finding .tag') == [f['severity'] for f in report['findings']]
    assert page.texts('.finding h3') == [f['subject'] for f in report['findings']]
    assert page.texts('.finding .do')[0] == findings(report)[0]['cure'].replace('`', '')
    page.js("document.querySelector('.finding details').open = true")
    assert [t for t in page.texts('.finding li') if t.startswith(str(log))] == [f'{log}:{e["line"]}' for e in report['findings'][0]['evidence']]
    rows = {row[0]: row[1:] for row in page.js("[...document.querySelectorAll('#table-hosts tbody tr')].map(r => [...r.cells].map(c => c.innerText))")}
    assert rows['shop.example'][0] == '60' and rows['shop.example'][3] == '0.00 %'
    assert page.complaints() == []
    page.screenshot(tmp_path / 'light.png')


def test_light_dark_and_the_switch_can_be_read(browser, tmp_path):
    path, _ = page_of(tmp_path, ordinary())
    seen = {}
    for dark in (False, True):
        page = browser.open(path, dark=dark)
        page.js("document.querySelectorAll('details').forEach(d => d.open = true)")
        seen[dark] = page.js('getComputedStyle(document.body).backgroundColor')
        assert page.js(CONTRAST) == [], 'dark' if dark else 'light'
        for switch, like in (('dark', True), ('light', False)):
            page.js(f"document.getElementById('theme-{switch}').click()")
            now = page.js('getComputedStyle(document.body).backgroundColor')
            assert like not in seen or now == seen[like]
        page.js("localStorage.clear()")
        page.screenshot(tmp_path / f'switched-{dark}.png')
    assert seen[False] != seen[True]


def test_a_phone_without_scripts_shows_all_of_it(browser, tmp_path):
    path, _ = page_of(tmp_path, ordinary() + [dict(host='a' * 60 + '.example', target='/' + 'x' * 800, **MISS)] * 3)
    for scripts in (False, True):
        page = browser.open(path, width=360, height=780, dark=True, scripts=scripts)
        page.js("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.js('document.documentElement.scrollWidth') <= 360, 'nothing has to be pushed aside'
        assert page.js("[...document.querySelectorAll('.plot svg')].filter(s => s.getBoundingClientRect().width > 100).length") == (0 if scripts else 5)
        assert page.js("document.querySelectorAll('canvas').length") == (5 if scripts else 0)
        page.screenshot(tmp_path / f'phone-{scripts}.png')
    page = browser.open(path, scripts=False)
    before = page.js('getComputedStyle(document.body).backgroundColor')
    x, y = page.js("(() => { const r = document.getElementById('theme-dark').getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()")
    page.mouse('mousePressed', x, y, button='left', clickCount=1)
    page.mouse('mouseReleased', x, y, button='left', clickCount=1)
    assert page.js('getComputedStyle(document.body).backgroundColor') != before, 'the switch needs no scripts'
    paths = page.js("[...document.querySelectorAll('.plot path')].map(p => p.getTotalLength())")
    assert len(paths) == 9 and all(length > 0 for length in paths), 'every curve is drawn'


def test_plots_zoom_and_read_by_mouse_and_keyboard(browser, tmp_path):
    path, log = page_of(tmp_path, ordinary())
    page, buckets = browser.open(path), audit_json('report', log)['series']
    box = "document.querySelector('[data-plot=requests] .zoom')"
    page.js(f"document.documentElement.style.scrollBehavior = 'auto'; {box}.scrollIntoView({{block: 'center'}})")
    assert page.js("document.querySelector('.tools button').disabled") is True
    x, y, w, h = page.js(f"(() => {{ const r = {box}.querySelector('.u-over').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }})()")
    page.drag(x + w / 4, y + h / 2, x + w / 2)
    assert page.js("document.querySelector('.tools button').disabled") is False, 'zoomed'
    page.js(f"{box}.focus()")
    page.key('0')
    assert page.js("document.querySelector('.tools button').disabled") is True, 'all again'
    page.mouse('mouseMoved', 5, 5)
    page.js(f"{box}.blur(); {box}.focus()")
    page.key('ArrowRight')
    assert buckets['width_us'] == 5_000_000 and len(buckets['buckets']) == 120
    read = page.texts('[data-plot=requests] .readout')[0]
    assert read == '2026-11-24 06:00:00: all 1, answered from the store 0', 'the first step; the first 80 s are misses'
    page.key('+')
    assert page.js("document.querySelector('.tools button').disabled") is False
    # A table sorts by the number, not by its text.
    page.js("document.querySelectorAll('#table-hosts thead button')[1].click()")
    column = "[...document.querySelectorAll('#table-hosts tbody tr')].map(r => Number(r.cells[1].dataset.v))"
    down = page.js(column)
    page.js("document.querySelectorAll('#table-hosts thead button')[1].click()")
    assert down == sorted(down, reverse=True) and page.js(column) == sorted(down)
    assert page.js("document.querySelectorAll('#table-hosts th[aria-sort=ascending]').length") == 1
    assert page.complaints() == []


def test_who_cannot_see_it_is_told_the_same(browser, tmp_path):
    path, _ = page_of(tmp_path, ordinary())
    for scripts in (True, False):
        page = browser.open(path, scripts=scripts)
        page.js("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.js(STRUCTURE) == []
    if not os.path.exists(AXE):
        pytest.skip('axe-core is not here (make story gets it with npm); our own checks have passed')
    page = browser.open(path)
    with open(AXE, encoding='utf-8') as file:
        page.js(file.read() + ';0')
    page.js("document.querySelectorAll('details').forEach(d => d.open = true)")
    wrong = page.js("axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).slice(0, 3).join(' | ')))")
    assert wrong == []


EVIL = ['</script><script>window.evil=1</script>', '"><img src=x onerror=window.evil=1>', "' onmouseover='window.evil=1", '<!--', ']]>', '</style><svg onload=window.evil=1>',
        '</td></table></main><h1>hello</h1>', '&lt;b&gt;', '</title><script>window.evil=1</script>', 'http://evil.example/"onclick="window.evil=1', '\u202eevil', '{{7*7}}']


def test_a_hostile_log_is_text_and_nothing_else(browser, tmp_path):
    rows = []
    for evil in EVIL:
        for field in ('host', 'target', 'route', 'resp_type', 'agent', 'referer', 'resp_cc', 'resp_vary', 'location'):
            rows.append({field: evil, **MISS})
        rows += [dict(UNBOUND, host=evil, target=f'/{i % 5}') for i in range(60)]
    rows += [dict(host=b'\xff\xfe\xc3', target=b'/\xed\xa0\x80', route=b'\xf4\x90\x80\x80')] * 3
    path, log = page_of(tmp_path, rows, name='a"><img src=x onerror=evil=1>.csv')
    page = browser.open(path)
    page.js("document.querySelectorAll('details').forEach(d => d.open = true); document.querySelectorAll('thead button').forEach(b => b.click())")
    assert page.js('typeof window.evil') == 'undefined'
    assert page.complaints() == [], 'nothing was tried that the policy had to refuse, nothing was asked for'
    assert page.js("document.querySelectorAll('script').length") == 2 and page.js("document.querySelectorAll('img, iframe, object, h1 ~ h1').length") == 0
    assert page.js("[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length") == 0
    names = page.texts('#table-hosts tbody th')
    for evil in EVIL[:-2]:
        assert evil in names, evil
    assert '\\xe2\\x80\\xaeevil' in names and '\\xff\\xfe\\xc3' in names
    assert {f['subject'] for f in audit_json('check', log)['findings']} <= set(page.texts('.finding h3'))
    assert len(page.js("document.querySelector('meta[http-equiv=Content-Security-Policy]').content").split(';')) == 5


def test_nothing_to_show_is_said(browser, tmp_path):
    """An empty log, and one whose only request is of a year that no calendar knows."""
    for rows, words in (([], 'Nothing to judge'), ([dict(t_us='18446744073709551615')], 'The cache works')):
        path, _ = page_of(tmp_path, rows)
        page = browser.open(path)
        assert words in page.js("document.querySelector('h1').innerText")
        assert page.js(STRUCTURE) == [] and page.complaints() == []


def test_a_page_that_cannot_be_written_is_trouble_and_spoils_no_other(tmp_path):
    path, log = page_of(tmp_path, ordinary())
    with open(path, 'rb') as file:
        before = file.read()
    done = logaudit('report', '--html', tmp_path / 'no' / 'such.html', log, code=2)
    assert 'cannot be written' in done.stderr
    assert logaudit('report', '--html', '-', log, code=0).stdout.encode() == before, 'the same lines make the same page'
