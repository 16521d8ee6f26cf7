"""Every request comes to an end, its line says which, and nothing it does ends the daemon."""
import signal

import pytest


def begin_fill(daemon, origin):
    """A client whose answer is being stored when it has read the head: (client, the gate lets the rest come)."""
    client = daemon.client()
    client.request('/fill')
    client.head()
    return client


def half_an_answer(request, conn):
    if request.target == '/fill':
        conn.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100000\r\n\r\n' + b'x' * 5000)
        conn.origin.pass_gate()
        conn.close()
    else:
        conn.reply()


@pytest.mark.parametrize('number, left, end', [
    (signal.SIGTERM, False, 'shutdown'),
    (signal.SIGTERM, True, 'client_left'),
    (signal.SIGQUIT, True, 'client_left'),
])
def test_a_stop_does_not_wait_for_what_is_being_stored(cached, number, left, end):
    daemon, o = cached(half_an_answer)
    client = begin_fill(daemon, o)
    if left:
        client.reset()
        daemon.get('/behind')        # on the same worker: it has seen the reset by now
        daemon.records(1)
    daemon.stop(number)
    o.open_gate()
    assert [r['end'] for r in daemon.requests() if r['target'] == '/fill'] == [end]
