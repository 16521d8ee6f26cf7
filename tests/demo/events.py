"""A small origin of server-sent events beside nginx: a line every 50 ms until the reader leaves.
usage: events.py PORT PIDFILE"""
import http.server
import os
import sys
import threading


class Events(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):                # noqa: N802: the name is the library's
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Cache-Control', 'no-store')
        self.send_header('Connection', 'close')
        self.end_headers()
        number = 0
        try:
            while number < 1200:
                self.wfile.write(b'id: %d\ndata: ship %d passed\n\n' % (number, number))
                self.wfile.flush()
                number += 1
                threading.Event().wait(0.05)
        except OSError:
            pass                     # the reader left: what readers of streams do
        self.close_connection = True

    def log_message(self, *_):
        pass


def main():
    with http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Events) as server:
        with open(sys.argv[2], 'w', encoding='ascii') as f:
            f.write(str(os.getpid()))
        server.serve_forever()


if __name__ == '__main__':
    main()
