"""A real browser for stories: Chromium without a window, spoken to over two pipes (Chrome DevTools Protocol, --remote-debugging-pipe:
messages end in NUL). A page is loaded from disk; what it does, what it says and what it asks the network for is kept."""
import base64
import json
import os
import select
import shutil
import subprocess
import time

DEADLINE = float(os.environ.get('STORY_DEADLINE', '10')) * 3     # a browser starts slowly on a busy machine


class Browser:
    def __init__(self, profile):
        path = shutil.which('chromium')
        assert path, "chromium is missing: install the Debian package 'chromium'"
        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()

        def pipes():
            # Chromium reads 3 and writes 4. Copies first: one of the pipes may have such a number itself.
            a, b = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(a, 3)
            os.dup2(b, 4)
        self.process = subprocess.Popen(
            [path, '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-extensions',
             '--disable-background-networking', '--disable-sync', '--hide-scrollbars', f'--user-data-dir={profile}', '--remote-debugging-pipe'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=pipes,
            env={**os.environ, 'HOME': str(profile)})
        os.close(theirs_in)
        os.close(theirs_out)
        self.out, self.inp, self.rest, self.last, self.events = ours_out, ours_in, b'', 0, []

    def receive(self, deadline):
        while b'\0' not in self.rest:
            ready, _, _ = select.select([self.inp], [], [], max(0, deadline - time.monotonic()))
            assert ready, 'the browser does not answer'
            piece = os.read(self.inp, 1 << 20)
            assert piece, 'the browser is gone'
            self.rest += piece
        message, self.rest = self.rest.split(b'\0', 1)
        return json.loads(message)

    def call(self, method, session=None, **params):
        self.last += 1
        message = {'id': self.last, 'method': method, 'params': params}
        if session:
            message['sessionId'] = session
        data = json.dumps(message).encode() + b'\0'
        while data:
            data = data[os.write(self.out, data):]
        deadline = time.monotonic() + DEADLINE
        while True:
            message = self.receive(deadline)
            if message.get('id') == self.last:
                assert 'error' not in message, (method, message['error'])
                return message['result']
            self.events.append(message)

    def open(self, path, **kwargs):
        return Page(self, path, **kwargs)

    def close(self):
        os.close(self.out)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.inp)


class Page:
    """width, height: of the window in CSS pixels; dark: what the system prefers; scripts: whether the page's own run."""
    def __init__(self, browser, path, width=1200, height=900, dark=False, scripts=True):
        self.browser = browser
        target = browser.call('Target.createTarget', url='about:blank')['targetId']
        self.session = browser.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
        self.call('Emulation.setScriptExecutionDisabled', value=not scripts)
        self.call('Page.navigate', url=f'file://{path}')
        deadline = time.monotonic() + DEADLINE
        while not self.said('Page.loadEventFired'):
            browser.events.append(browser.receive(deadline))

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def said(self, method):
        return [e['params'] for e in self.browser.events if e.get('sessionId') == self.session and e['method'] == method]

    def js(self, expression):
        """The value of an expression, seen from the page; works where the page's own scripts do not run."""
        answer = self.call('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        assert 'exceptionDetails' not in answer, answer['exceptionDetails']
        return answer['result'].get('value')

    def texts(self, selector):
        return self.js(f'[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText.trim())')

    def key(self, key):
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key, text=key if len(key) == 1 and kind == 'keyDown' else '')

    def mouse(self, kind, x, y, **more):
        self.call('Input.dispatchMouseEvent', type=kind, x=x, y=y, **more)

    def drag(self, x, y, to):
        self.mouse('mouseMoved', x, y)
        self.mouse('mousePressed', x, y, button='left', buttons=1, clickCount=1)
        for step in range(1, 6):
            self.mouse('mouseMoved', x + (to - x) * step / 5, y, button='left', buttons=1)
        self.mouse('mouseReleased', to, y, button='left', clickCount=1)

    def complaints(self):
        """Errors of scripts, refusals by the Content-Security-Policy, and what was asked for beside the page itself."""
        self.js('1')                     # what was under way has been said when this is answered
        return ([e['exceptionDetails']['text'] for e in self.said('Runtime.exceptionThrown')]
                + [e['entry']['text'] for e in self.said('Log.entryAdded') if e['entry']['level'] in ('error', 'warning')]
                + [e['request']['url'] for e in self.said('Network.requestWillBeSent')][1:])

    def screenshot(self, path, whole=False):
        data = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=whole)['data']
        with open(path, 'wb') as out:
            out.write(base64.b64decode(data))
