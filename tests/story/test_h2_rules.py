"""RFC 9113 and RFC 7541, rule by rule: a table with every case of h2spec (sections generic, http2, hpack), each under the
number that it has there, and some more. h2spec counts a closed connection as an answer to anything; here the frame and the
code have to be right.

A row: the number, what it is, what is sent after the preface (bytes, or what a function does with the client), and what has to
come:
  answered       the request on stream 1 is answered with 200
  acked          nothing: a PING behind it is answered, the connection lives
  conn(*codes)   the connection ends: GOAWAY with one of the codes
  stream(*codes) the stream ends: RST_STREAM with one of the codes, or a connection error with one of them
  ignored(*codes) either of them, or nothing at all: RFC 9113 section 5.1 leaves it open what comes on a closed stream"""
import struct

import pytest

import harness
from h2_help import (ACK, CANCEL, CLOSED, COMPRESSION, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW, GOAWAY, H2, HEADERS, PADDED, PING,
                     PREFACE, PRIO, PRIORITY, PROTOCOL, PUSH, REFUSED, RST, SETTINGS, SIZE, WINDOW, block, frame, head, integer, settings, text)
from harness import Client, Proxyd, site

answered, acked = ('answered',), ('acked',)


def conn(*codes):
    return ('conn', *codes)


def stream(*codes):
    return ('stream', *codes)


def ignored(*codes):
    return ('ignored', *codes)


ALL = END_HEADERS | END_STREAM
LONG = 1 << 31


def number(value):
    return struct.pack('>I', value)


def get(n=1, *more):
    return frame(HEADERS, ALL, n, head('/', 'GET', 'site.test', 'http', *more))


def post(n=1, *more, flags=END_HEADERS):
    return frame(HEADERS, flags, n, head('/', 'POST', 'site.test', 'http', *more))


def fields(*raw):
    """A request with field lines as they are on the wire behind its pseudo fields."""
    return frame(HEADERS, ALL, 1, head() + b''.join(raw))


def malformed(*pairs):
    return frame(HEADERS, ALL, 1, block(*pairs))


def priority(depends, weight=0, exclusive=False):
    return struct.pack('>IB', depends | (LONG if exclusive else 0), weight)


# Without a window the answer cannot end: the stream stays half closed (remote).
HALF = settings((4, 0)) + get()
OPEN = post()
M, S, P, A = (':method', 'GET'), (':scheme', 'http'), (':path', '/'), (':authority', 'site.test')


def after_answer(data):
    """The stream is closed: both sides have ended it."""
    def play(client):
        client.send(get())
        assert client.answer(1).status == 200
        client.send(data)
    return play


def after_reset(data):
    """The stream is closed: the client has reset it."""
    return OPEN + frame(RST, 0, 1, number(CANCEL)) + data


def window_of_one(client):
    client.send(settings((4, 1)) + get())
    while not (1 in client.answers and client.answers[1].body):
        client.next()
    client.ping()
    assert client.answers[1].body == b'h'
    client.send(settings((4, 100)))


def window_changes(client):
    client.send(settings((4, 0)) + get())
    client.until_head(1)
    client.ping()
    assert client.answers[1].body == b''
    client.send(settings((4, 1)))
    while not client.answers[1].body:
        client.next()
    client.ping()
    assert client.answers[1].body == b'h'
    client.send(settings((4, 100)))


def window_negative(client):
    client.send(settings((4, 3)) + get())
    while len(client.answers[1].body if 1 in client.answers else b'') < 3:
        client.next()
    client.send(settings((4, 1)))                        # it is -2 now
    client.send(frame(WINDOW, 0, 1, number(2)))          # and 0
    client.ping()
    assert client.answers[1].body == b'hel'
    client.send(frame(WINDOW, 0, 1, number(1)))
    while len(client.answers[1].body) < 4:
        client.next()
    client.ping()
    assert client.answers[1].body == b'hell'
    client.send(frame(WINDOW, 0, 1, number(10)))


def window_last_value(client):
    client.send(settings((4, 100), (4, 1)) + get())
    while not (1 in client.answers and client.answers[1].body):
        client.next()
    client.ping()
    assert client.answers[1].body == b'h'
    client.send(settings((4, 100)))


def settings_acked(client):
    while not any(k == SETTINGS and f & ACK for k, f, _, _ in client.frames):
        client.next()
    client.send(get())


def too_many(client):
    """All streams that are allowed, without a window, and one more. Nobody has confirmed the limit yet: it is refused."""
    client.send(settings((4, 0)) + b''.join(get(2 * i + 1) for i in range(128)) + get(257))
    assert client.answer(257).reset == REFUSED
    client.send(settings((4, 100)))


def trailers(client):
    client.send(post() + frame(DATA, 0, 1, b'test') + frame(HEADERS, ALL, 1, block(('x-test', 'ok'))))


def head_request(client):
    client.send(frame(HEADERS, ALL, 1, head('/', 'HEAD')))
    assert client.answer(1).body == b''


HUFFMAN_WWW = b'\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff'          # www.example.com: RFC 7541 section C.4.1
HUFFMAN_KEY = b'\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f'                          # custom-key: section C.4.3
USER_AGENT = 58                                                                # of the static table

GENERIC = [
    ('1/1', 'preface', get(), answered),
    ('2/1', 'PRIORITY on an idle stream', frame(PRIORITY, 0, 1, priority(0, 255)) + get(), answered),
    ('2/2', 'WINDOW_UPDATE on a half closed stream', HALF + frame(WINDOW, 0, 1, number(100)), answered),
    ('2/3', 'PRIORITY on a half closed stream', HALF + frame(PRIORITY, 0, 1, priority(0, 255)) + frame(WINDOW, 0, 1, number(100)), answered),
    ('2/4', 'RST_STREAM on a half closed stream', HALF + frame(RST, 0, 1, number(CANCEL)), acked),
    ('2/5', 'PRIORITY on a closed stream', after_answer(frame(PRIORITY, 0, 1, priority(0, 255))), acked),
    ('3.1/1', 'DATA', OPEN + frame(DATA, END_STREAM, 1, b'test'), answered),
    ('3.1/2', 'several DATA', OPEN + frame(DATA, 0, 1, b'test') + frame(DATA, END_STREAM, 1, b'test'), answered),
    ('3.1/3', 'padded DATA', OPEN + frame(DATA, PADDED | END_STREAM, 1, b'\x06test' + bytes(6)), answered),
    ('3.2/1', 'HEADERS', get(), answered),
    ('3.2/2', 'padded HEADERS', frame(HEADERS, PADDED | ALL, 1, b'\x03' + head() + bytes(3)), answered),
    ('3.2/3', 'HEADERS with priority', frame(HEADERS, PRIO | ALL, 1, priority(0, 255) + head()), answered),
    ('3.3/1', 'PRIORITY of weight 1', frame(PRIORITY, 0, 1, priority(0, 0)) + get(), answered),
    ('3.3/2', 'PRIORITY of weight 256', frame(PRIORITY, 0, 1, priority(0, 255)) + get(), answered),
    ('3.3/3', 'PRIORITY with a dependency', frame(PRIORITY, 0, 3, priority(1, 255)) + get(), answered),
    ('3.3/4', 'PRIORITY, exclusive', frame(PRIORITY, 0, 3, priority(1, 255, True)) + get(), answered),
    ('3.3/5', 'PRIORITY on an idle stream, then a lower one', frame(PRIORITY, 0, 5, priority(0, 255)) + get(), answered),
    ('3.4/1', 'RST_STREAM', OPEN + frame(RST, 0, 1, number(CANCEL)), acked),
    ('3.5/1', 'SETTINGS', settings((3, 100), (4, 65535), (5, 16384)) + get(), answered),
    ('3.7/1', 'PING', frame(PING, 0, 0, b'h2spec\0\0') + get(), answered),
    ('3.8/1', 'GOAWAY with a request open', HALF + frame(GOAWAY, 0, 0, number(0) * 2) + frame(WINDOW, 0, 1, number(100)), answered),
    ('3.9/1', 'WINDOW_UPDATE of the connection', frame(WINDOW, 0, 0, number(1)) + get(), answered),
    ('3.9/2', 'WINDOW_UPDATE of a stream', OPEN + frame(WINDOW, 0, 1, number(1)) + frame(DATA, END_STREAM, 1), answered),
    ('3.10/1', 'CONTINUATION', frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, END_HEADERS, 1, block(('a', 'b'))), answered),
    ('3.10/2', 'several CONTINUATION', frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, 0, 1, block(('a', 'b')))
     + frame(CONTINUATION, END_HEADERS, 1, block(('c', 'd'))), answered),
    ('4/1', 'GET', get(), answered),
    ('4/2', 'HEAD', head_request, answered),
    ('4/3', 'POST', OPEN + frame(DATA, END_STREAM, 1, b'test'), answered),
    ('4/4', 'POST with trailers', trailers, answered),
    ('5/1', 'indexed field', fields(b'\x90'), answered),                                    # accept-encoding: gzip, deflate
    ('5/2', 'to be indexed, indexed name', fields(integer(USER_AGENT, 6, 0x40) + text('x')), answered),
    ('5/3', 'to be indexed, indexed name, Huffman', fields(integer(USER_AGENT, 6, 0x40) + HUFFMAN_WWW), answered),
    ('5/4', 'to be indexed, new name', fields(b'\x40' + text('x-a') + text('x')), answered),
    ('5/5', 'to be indexed, new name, Huffman', fields(b'\x40' + HUFFMAN_KEY + HUFFMAN_WWW), answered),
    ('5/6', 'not indexed, indexed name', fields(integer(USER_AGENT, 4) + text('x')), answered),
    ('5/7', 'not indexed, indexed name, Huffman', fields(integer(USER_AGENT, 4) + HUFFMAN_WWW), answered),
    ('5/8', 'not indexed, new name', fields(b'\0' + text('x-a') + text('x')), answered),
    ('5/9', 'not indexed, new name, Huffman', fields(b'\0' + HUFFMAN_KEY + HUFFMAN_WWW), answered),
    ('5/10', 'never indexed, indexed name', fields(integer(USER_AGENT, 4, 0x10) + text('x')), answered),
    ('5/11', 'never indexed, indexed name, Huffman', fields(integer(USER_AGENT, 4, 0x10) + HUFFMAN_WWW), answered),
    ('5/12', 'never indexed, new name', fields(b'\x10' + text('x-a') + text('x')), answered),
    ('5/13', 'never indexed, new name, Huffman', fields(b'\x10' + HUFFMAN_KEY + HUFFMAN_WWW), answered),
    ('5/14', 'size of the table changes', frame(HEADERS, ALL, 1, integer(128, 5, 0x20) + head()), answered),
    ('5/15', 'size of the table changes twice', frame(HEADERS, ALL, 1, integer(128, 5, 0x20) + integer(4096, 5, 0x20) + head()), answered),
]

HTTP2 = [
    ('3.4/1', 'preface', b'', acked),
    ('4.1/1', 'unknown type', frame(0xff, 0, 0, b'x' * 8), acked),
    ('4.1/2', 'unknown flag', frame(PING, 0x16, 0, b'x' * 8) + get(), answered),
    ('4.1/3', 'reserved bit', frame(PING, 0, LONG, b'x' * 8) + frame(HEADERS, ALL, 1 | LONG, head()), answered),
    ('4.2/1', 'DATA of 2^14 bytes', OPEN + frame(DATA, END_STREAM, 1, b'x' * 16384), answered),
    ('4.2/2', 'DATA too large', OPEN + frame(DATA, END_STREAM, 1, b'x' * 16385), stream(SIZE)),
    ('4.2/3', 'HEADERS too large', frame(HEADERS, ALL, 1, head() + block(('a', 'x' * 17000))), conn(SIZE)),
    ('4.3/1', 'broken compression', frame(HEADERS, ALL, 1, b'\xff' * 7), conn(COMPRESSION)),
    ('4.3/2', 'PRIORITY within a head', frame(HEADERS, END_STREAM, 1, head()) + frame(PRIORITY, 0, 1, priority(0)), conn(PROTOCOL)),
    ('4.3/3', 'another stream within a head', frame(HEADERS, END_STREAM, 1, head()) + get(3), conn(PROTOCOL)),
    ('5.1/1', 'idle: DATA', frame(DATA, END_STREAM, 1, b'test'), conn(PROTOCOL)),
    ('5.1/2', 'idle: RST_STREAM', frame(RST, 0, 1, number(CANCEL)), conn(PROTOCOL)),
    ('5.1/3', 'idle: WINDOW_UPDATE', frame(WINDOW, 0, 1, number(100)), conn(PROTOCOL)),
    ('5.1/4', 'idle: CONTINUATION', frame(CONTINUATION, END_HEADERS, 1, head()), conn(PROTOCOL)),
    ('5.1/5', 'half closed: DATA', HALF + frame(DATA, END_STREAM, 1, b'test'), stream(CLOSED)),
    ('5.1/6', 'half closed: HEADERS', HALF + get(), stream(CLOSED)),
    ('5.1/7', 'half closed: CONTINUATION', HALF + frame(CONTINUATION, END_HEADERS, 1, block(('a', 'b'))), conn(CLOSED, PROTOCOL)),
    ('5.1/8', 'closed by RST_STREAM: DATA', after_reset(frame(DATA, END_STREAM, 1, b'test')), ignored(CLOSED)),
    ('5.1/9', 'closed by RST_STREAM: HEADERS', after_reset(get()), ignored(CLOSED)),
    ('5.1/10', 'closed by RST_STREAM: CONTINUATION', after_reset(frame(CONTINUATION, END_HEADERS, 1, b'')), conn(CLOSED, PROTOCOL)),
    ('5.1/11', 'closed: DATA', after_answer(frame(DATA, END_STREAM, 1, b'test')), ignored(CLOSED)),
    ('5.1/12', 'closed: HEADERS', after_answer(get()), ignored(CLOSED)),
    ('5.1/13', 'closed: CONTINUATION', after_answer(frame(CONTINUATION, END_HEADERS, 1, b'')), conn(CLOSED, PROTOCOL)),
    ('5.1.1/1', 'even stream', get(2), conn(PROTOCOL)),
    ('5.1.1/2', 'stream below the last one', get(5) + get(3), ignored(PROTOCOL, CLOSED)),
    ('5.1.2/1', 'more streams than allowed', too_many, answered),
    ('5.3.1/1', 'HEADERS that depends on itself', frame(HEADERS, PRIO | ALL, 1, priority(1, 255) + head()), stream(PROTOCOL)),
    ('5.3.1/2', 'PRIORITY that depends on itself', frame(PRIORITY, 0, 1, priority(1)) + get(), answered),
    ('5.4.1/1', 'an error of the connection is told', frame(PING, 0, 1, b'x' * 8), conn(PROTOCOL)),
    ('5.4.1/2', 'and ends it', frame(PING, 0, 3, b'x' * 8), conn(PROTOCOL)),
    ('5.5/1', 'unknown type on a stream', frame(0x16, 0, 0, b'') + get(), answered),
    ('5.5/2', 'unknown type within a head', frame(HEADERS, END_STREAM, 1, head()) + frame(0x16, 0, 0, b''), conn(PROTOCOL)),
    ('6.1/1', 'DATA on 0', frame(DATA, END_STREAM, 0, b'test'), conn(PROTOCOL)),
    ('6.1/2', 'DATA on a stream that is not open', HALF + frame(DATA, 0, 1, b'test'), stream(CLOSED)),
    ('6.1/3', 'DATA, padding too long', OPEN + frame(DATA, PADDED | END_STREAM, 1, b'\x06test'), conn(PROTOCOL)),
    ('6.2/1', 'HEADERS without END_HEADERS, then PRIORITY', frame(HEADERS, 0, 1, head()) + frame(PRIORITY, 0, 1, priority(0)), conn(PROTOCOL)),
    ('6.2/2', 'HEADERS without END_HEADERS, then another stream', frame(HEADERS, 0, 1, head()) + get(3), conn(PROTOCOL)),
    ('6.2/3', 'HEADERS on 0', frame(HEADERS, ALL, 0, head()), conn(PROTOCOL)),
    ('6.2/4', 'HEADERS, padding too long', frame(HEADERS, PADDED | ALL, 1, b'\xff' + head()), conn(PROTOCOL)),
    ('6.3/1', 'PRIORITY on 0', frame(PRIORITY, 0, 0, priority(0)), conn(PROTOCOL)),
    ('6.3/2', 'PRIORITY of another size', get() + frame(PRIORITY, 0, 1, bytes(4)), stream(SIZE)),
    ('6.4/1', 'RST_STREAM on 0', frame(RST, 0, 0, number(CANCEL)), conn(PROTOCOL)),
    ('6.4/2', 'RST_STREAM on an idle stream', frame(RST, 0, 1, number(CANCEL)), conn(PROTOCOL)),
    ('6.4/3', 'RST_STREAM of another size', OPEN + frame(RST, 0, 1, bytes(3)), conn(SIZE)),
    ('6.5/1', 'ACK with payload', frame(SETTINGS, ACK, 0, b'\0'), conn(SIZE)),
    ('6.5/2', 'SETTINGS on 1', frame(SETTINGS, 0, 1, b'\0\3\0\0\0\1'), conn(PROTOCOL)),
    ('6.5/3', 'SETTINGS of another size', frame(SETTINGS, 0, 0, b'\0\3\0'), conn(SIZE)),
    ('6.5.2/1', 'ENABLE_PUSH 2', settings((2, 2)), conn(PROTOCOL)),
    ('6.5.2/2', 'INITIAL_WINDOW_SIZE too large', settings((4, LONG)), conn(FLOW)),
    ('6.5.2/3', 'MAX_FRAME_SIZE too small', settings((5, 16383)), conn(PROTOCOL)),
    ('6.5.2/4', 'MAX_FRAME_SIZE too large', settings((5, 1 << 24)), conn(PROTOCOL)),
    ('6.5.2/5', 'unknown setting', settings((0xff, 1)) + get(), answered),
    ('6.5.3/1', 'the last value of a setting holds', window_last_value, answered),
    ('6.5.3/2', 'SETTINGS are acknowledged', settings_acked, answered),
    ('6.7/1', 'PING is answered', b'', acked),
    ('6.7/2', 'PING with ACK is not', frame(PING, ACK, 0, b'unasked!'), acked),
    ('6.7/3', 'PING on 1', frame(PING, 0, 1, b'x' * 8), conn(PROTOCOL)),
    ('6.7/4', 'PING of another size', frame(PING, 0, 0, b'x' * 6), conn(SIZE)),
    ('6.8/1', 'GOAWAY on 1', frame(GOAWAY, 0, 1, bytes(8)), conn(PROTOCOL)),
    ('6.9/1', 'WINDOW_UPDATE of 0', frame(WINDOW, 0, 0, number(0)), conn(PROTOCOL)),
    ('6.9/2', 'WINDOW_UPDATE of 0 on a stream', OPEN + frame(WINDOW, 0, 1, number(0)), stream(PROTOCOL)),
    ('6.9/3', 'WINDOW_UPDATE of another size', frame(WINDOW, 0, 0, bytes(3)), conn(SIZE)),
    ('6.9.1/1', 'one byte of window, one byte of body', window_of_one, answered),
    ('6.9.1/2', 'window of the connection above 2^31-1', frame(WINDOW, 0, 0, number(LONG - 1)) * 2, conn(FLOW)),
    ('6.9.1/3', 'window of a stream above 2^31-1', OPEN + frame(WINDOW, 0, 1, number(LONG - 1)) * 2, stream(FLOW)),
    ('6.9.2/1', 'INITIAL_WINDOW_SIZE changes open streams', window_changes, answered),
    ('6.9.2/2', 'a window may be negative', window_negative, answered),
    ('6.9.2/3', 'INITIAL_WINDOW_SIZE too large', settings((4, LONG)), conn(FLOW)),
    ('6.10/1', 'several CONTINUATION', frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, 0, 1, block(('a', 'b'))) * 2
     + frame(CONTINUATION, END_HEADERS, 1, block(('c', 'd'))), answered),
    ('6.10/2', 'CONTINUATION, then another type', post(flags=0) + frame(CONTINUATION, 0, 1, block(('a', 'b'))) + frame(DATA, END_STREAM, 1, b'x'),
     conn(PROTOCOL)),
    ('6.10/3', 'CONTINUATION on 0', post(flags=0) + frame(CONTINUATION, END_HEADERS, 0, block(('a', 'b'))), conn(PROTOCOL)),
    ('6.10/4', 'CONTINUATION behind END_HEADERS', OPEN + frame(CONTINUATION, END_HEADERS, 1, block(('a', 'b'))), conn(PROTOCOL)),
    ('6.10/5', 'CONTINUATION behind the last one', post(flags=0) + frame(CONTINUATION, END_HEADERS, 1, block(('a', 'b'))) * 2, conn(PROTOCOL)),
    ('6.10/6', 'CONTINUATION behind DATA', OPEN + frame(DATA, 0, 1, b'test') + frame(CONTINUATION, END_HEADERS, 1, block(('a', 'b'))), conn(PROTOCOL)),
    ('7/1', 'GOAWAY with an unknown code', HALF + frame(GOAWAY, 0, 0, number(0) + number(0xff)) + frame(WINDOW, 0, 1, number(100)), answered),
    ('7/2', 'RST_STREAM with an unknown code', OPEN + frame(RST, 0, 1, number(0xff)), acked),
    ('8.1/1', 'a second HEADERS without END_STREAM', OPEN + post(1), stream(PROTOCOL)),
    ('8.1.2/1', 'upper case', malformed(M, S, P, A, ('X-TEST', 'ok')), stream(PROTOCOL)),
    ('8.1.2.1/1', 'unknown pseudo field', malformed(M, S, P, A, (':test', 'ok')), stream(PROTOCOL)),
    ('8.1.2.1/2', 'pseudo field of an answer', malformed(M, S, P, A, (':status', '200')), stream(PROTOCOL)),
    ('8.1.2.1/3', 'pseudo field in trailers', OPEN + frame(HEADERS, ALL, 1, block((':method', 'GET'))), stream(PROTOCOL)),
    ('8.1.2.1/4', 'pseudo field behind another', malformed(M, S, A, ('x-test', 'ok'), P), stream(PROTOCOL)),
    ('8.1.2.2/1', 'connection-specific field', malformed(M, S, P, A, ('connection', 'keep-alive')), stream(PROTOCOL)),
    ('8.1.2.2/2', 'TE other than trailers', malformed(M, S, P, A, ('te', 'trailers, deflate')), stream(PROTOCOL)),
    ('8.1.2.3/1', 'empty :path', malformed(M, S, (':path', ''), A), stream(PROTOCOL)),
    ('8.1.2.3/2', 'no :method', malformed(S, P, A), stream(PROTOCOL)),
    ('8.1.2.3/3', 'no :scheme', malformed(M, P, A), stream(PROTOCOL)),
    ('8.1.2.3/4', 'no :path', malformed(M, S, A), stream(PROTOCOL)),
    ('8.1.2.3/5', 'two :method', malformed(M, M, S, P, A), stream(PROTOCOL)),
    ('8.1.2.3/6', 'two :scheme', malformed(M, S, S, P, A), stream(PROTOCOL)),
    ('8.1.2.3/7', 'two :path', malformed(M, S, P, P, A), stream(PROTOCOL)),
    ('8.1.2.6/1', 'content-length is not that of the DATA', post(1, ('content-length', '1')) + frame(DATA, END_STREAM, 1, b'test'), stream(PROTOCOL)),
    ('8.1.2.6/2', 'content-length is not the sum of the DATA', post(1, ('content-length', '1'))
     + frame(DATA, 0, 1, b'test') + frame(DATA, END_STREAM, 1, b'test'), stream(PROTOCOL)),
    ('8.2/1', 'PUSH_PROMISE', frame(PUSH, END_HEADERS, 1, number(2) + head()), conn(PROTOCOL)),
]

HPACK = [
    ('2.3.3/1', 'index out of range', fields(b'\xc6'), conn(COMPRESSION)),
    ('2.3.3/2', 'name with an index out of range', fields(integer(70, 6, 0x40) + text('x')), conn(COMPRESSION)),
    ('4.2/1', 'size of the table changes behind fields', fields(b'\x20'), conn(COMPRESSION)),
    ('5.2/1', 'padding longer than 7 bits', fields(b'\0\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff'), conn(COMPRESSION)),
    ('5.2/2', 'padding of zeros', fields(b'\0\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90'), conn(COMPRESSION)),
    ('5.2/3', 'EOS', fields(b'\0\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f'), conn(COMPRESSION)),
    ('6.1/1', 'index 0', fields(b'\x80'), conn(COMPRESSION)),
    ('6.3/1', 'table larger than allowed', frame(HEADERS, ALL, 1, integer(4097, 5, 0x20) + head()), conn(COMPRESSION)),
]

# What h2spec does not ask.
MORE = [
    ('7541 5.1', 'integer without an end', frame(HEADERS, ALL, 1, head() + b'\x7f' + b'\xff' * 10), conn(COMPRESSION)),
    ('7541 5.2', 'string longer than the block', frame(HEADERS, ALL, 1, head() + b'\x40\x7f\x20a'), conn(COMPRESSION)),
    ('7541 4.2', 'table of the size 0', frame(HEADERS, ALL, 1, b'\x20' + head()), answered),
    ('9113 4.3', 'head that ends within a field', frame(HEADERS, END_STREAM, 1, head()[:-3]) + frame(CONTINUATION, END_HEADERS, 1, head()[-3:]), answered),
    ('9113 6.9', 'DATA beyond the window of the stream', OPEN + frame(WINDOW, 0, 0, number(100000)) + frame(DATA, 0, 1, b'x' * 16384) * 5, ignored(FLOW)),
    ('9113 8.1', 'DATA behind trailers', OPEN + frame(HEADERS, ALL, 1, block(('a', 'b'))) + frame(DATA, 0, 1, b'x'), stream(CLOSED)),
    ('9113 8.3.1', 'no :authority, and no host', malformed(M, S, P), acked),
    ('9113 8.3.1', 'host instead of :authority', malformed(M, S, P, ('host', 'site.test')), answered),
    ('9113 10.5.1', 'SETTINGS_MAX_HEADER_LIST_SIZE of the client', settings((6, 1)) + get(), answered),
    ('9218 7.1', 'PRIORITY_UPDATE on a stream', frame(16, 0, 1, number(1) + b'u=1'), conn(PROTOCOL)),
    ('9218 7.1', 'PRIORITY_UPDATE without a stream', frame(16, 0, 0, number(0) + b'u=1'), conn(PROTOCOL)),
    ('9218 7.1', 'PRIORITY_UPDATE too short', frame(16, 0, 0, bytes(3)), conn(SIZE)),
    ('9218 7.1', 'PRIORITY_UPDATE of nonsense', frame(16, 0, 0, number(1) + b'u=, ;;') + get(), answered),
    ('8441 3', 'ENABLE_CONNECT_PROTOCOL of a client', settings((8, 1)) + get(), answered),
]

ROWS = [(f'{group} {row[0]} {row[1]}', *row[2:]) for group, rows in (('generic', GENERIC), ('http2', HTTP2), ('hpack', HPACK), ('more', MORE)) for row in rows]


def what_comes(client):
    """Reads until the stream or the connection ends, or until a second PING behind it all is answered: an answer to the first
    overtakes what was to be sent already."""
    pings = [b'afterall', b'and more']
    client.send_lax(frame(PING, 0, 0, pings[0]))
    try:
        while not client.goaway and not (client.answers.get(1) and client.answers[1].reset is not None):
            kind, flags, _, payload = client.next()
            if kind == PING and flags & ACK and payload == pings[0]:
                pings.pop(0)
                if not pings:
                    return None
                client.send_lax(frame(PING, 0, 0, pings[0]))
    except harness.Closed:
        assert client.goaway, 'closed without a word'
    return ('conn', client.goaway[1]) if client.goaway else ('stream', client.answers[1].reset)


@pytest.mark.parametrize('sent,want', [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_rule(shared, sent, want):
    daemon, _ = shared
    with H2(daemon.address, auto=False) as client:
        sent(client) if callable(sent) else client.send_lax(sent)
        if want == answered:
            assert client.answer(1).status == 200
            return
        got = what_comes(client)
        if want == acked:
            assert got is None
        elif want[0] == 'conn':
            assert got and got[0] == 'conn' and got[1] in want[1:]
            client.until_end()                           # and it is closed
        elif want[0] == 'stream':
            assert got and got[1] in want[1:]
        else:
            assert got is None or got[1] in want[1:]
        if got is None or got[0] == 'stream':
            client.send(settings((4, 65535)))
            client.stream = 7
            assert client.get('/').status == 200, 'the connection lives'


def test_every_case_of_h2spec_is_here():
    assert [len(GENERIC), len(HTTP2), len(HPACK)] == [44, 94, 8]
    ids = [r[0] for r in ROWS]
    assert len(ids) == len(set(ids))


def test_bad_preface_is_a_bad_request_line(run):
    """http2 3.4/2. Twenty bytes of the preface, and then something else: HTTP/1's parser has the word again."""
    daemon, _ = run()
    with Client(daemon.address) as client:
        client.send(PREFACE[:20])
        client.send(b'XXXX')
        assert client.response().status == 400
    assert daemon.record()['refusal'] == 'upgrade_h2c'


def test_preface_may_be_refused(tmp_path):
    origin = harness.Origin()
    daemon = Proxyd(tmp_path, site(origin, http='http2_prior_knowledge off;'))
    try:
        daemon.start()
        with Client(daemon.address) as client:
            client.send(PREFACE)
            assert client.response().status == 400
        assert daemon.record()['refusal'] == 'upgrade_h2c'
    finally:
        daemon.close()
        origin.close()
