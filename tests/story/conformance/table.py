"""What a row of the conformance table is made of. Rows are data; runner.py plays them against the daemon.

A row is a short conversation about one URL: a list of exchanges, each with what the client asks, what the origin would
answer if it were asked, and what must be seen. Times are written as seconds from the row's own now (`at(-60)`), so that
nothing has to wait: an answer that shall be old says so in Age, Date or Expires. Where only passing time would do, an
exchange says `after` or `takes`, and the row is played against a daemon whose clock the runner moves.
"""
import dataclasses
import email.utils
import time

REQUIRED, OPTIMAL, CHECK = 'required', 'optimal', 'check'

# Where the client's answer came from.
STORED = 'stored'                # the origin was not asked
ORIGIN = 'origin'                # the origin's answer to this very request
BY_ETAG = 'validated by etag'    # the origin was asked with the stored entity tag, said 304, and the stored answer was sent
BY_DATE = 'validated by date'    # the same with the stored Last-Modified
BEHIND = 'stored, refreshed'     # the stored answer came at once, and the origin was asked behind the client's back
STALE = 'stored, origin failed'  # the origin was asked and failed, the stored answer was sent instead
CONTRADICTED = 'asked twice'     # the origin's 304 was about another answer, so it was asked again without conditions
NOT_STORED = 'not stored'        # anything but the stored answer
ANY = 'any'                      # does not matter here


@dataclasses.dataclass(frozen=True)
class At:
    """A moment relative to the row's now, written as a date."""
    seconds: int
    form: str = 'imf'

    def text(self, now):
        moment = time.gmtime(now + self.seconds)
        if self.form == 'rfc850':
            return time.strftime('%A, %d-%b-%y %H:%M:%S GMT', moment)
        return email.utils.formatdate(now + self.seconds, usegmt=True)


def at(seconds, form='imf'):
    return At(seconds, form)


def text(value, now):
    return value.text(now) if isinstance(value, At) else value


@dataclasses.dataclass
class Answer:
    """What the origin says. fields: (name, value) pairs; plain: whether the client must get each of them unchanged."""
    status: int = 200
    fields: tuple = ()
    body: bytes = None           # None: one that no other answer has
    interim: tuple = ()          # (status, fields) before the final answer
    plain: bool = True
    dies: bool = False           # the connection closes instead


@dataclasses.dataclass
class Exchange:
    answer: Answer
    seen: str = ANY
    method: str = 'GET'
    ask: tuple = ()              # the client's fields
    path: str = ''               # after the row's own URL
    content: bytes = None        # the client's content
    status: int = None           # of what the client gets; None: of the answer that it must be
    body: bytes = None           # likewise
    has: tuple = ()              # (name, value): a text, a date, or a function that judges the text; or a name alone
    lacks: tuple = ()            # a name, or (name, value)
    sent: tuple = ()             # what the origin must have been asked with; None: without that field; 'method' is no field
    interim: tuple = None        # the interim answers that the client must get
    clients: int = 1             # so many at once
    after: int = 0               # seconds that pass before it
    takes: int = 0               # seconds that pass before the origin answers


@dataclasses.dataclass
class Row:
    id: str
    case: str                    # the public suite's name for the same behaviour, or None when it has none
    rfc: str
    kind: str
    why: str
    exchanges: list
    against: str = None          # why the daemon is not meant to pass it
    section: str = None

    @property
    def needs_clock(self):
        return any(e.after or e.takes for e in self.exchanges)


def store(*fields, status=200, body=None, ask=(), method='GET', path='', content=None, **more):
    """An exchange that reaches the origin and fills the store, or tries to. first: interim answers before; got: the content
    that the client gets, when it is not all that the origin sends."""
    plain = more.pop('plain', True)
    before = more.pop('first', ())
    return Exchange(Answer(status, tuple(fields), body, before, plain), ORIGIN, method, tuple(ask), path, content,
                    body=more.pop('got', None), **more)


def again(seen, *ask, answer=None, **more):
    """The question again; what must be seen now."""
    return Exchange(answer or Answer(), seen, ask=ask, **more)


def answer(*fields, status=200, body=None, **more):
    return Answer(status, tuple(fields), body, **more)


DEAD = Answer(dies=True)


def cc(value):
    return ('Cache-Control', value)


def etag(value='"v1"'):
    return ('ETag', value)


NOW = ('Date', at(0))
FRESH = (cc('max-age=100000'), ('Expires', at(100000)), ('Last-Modified', at(0)), NOW)
OVER = (('Expires', at(-5000)), ('Last-Modified', at(-100000)), NOW)     # stale when it comes


def age(seconds):
    return ('Age', str(seconds))


def at_least(number):
    def judge(value):
        return value.isdigit() and int(value) >= number
    judge.__doc__ = f'a number of at least {number}'
    return judge


def rows_of(section, rows):
    for row in rows:
        row.section = section
    return rows
