"""Pragma (RFC 9111 section 5.4): deprecated. It counts in requests only, and only where client directives count."""
from table import CHECK, NOW, STORED, Row, again, at, cc, rows_of, store

HOUR = cc('max-age=3600')


def of_request(id, case, why, value):
    return Row(id, case, '9111 5.4', CHECK, why, [store(HOUR), again(STORED, ('Pragma', value))])


def of_answer(id, case, why, *fields):
    return Row(id, case, '9111 5.4', CHECK, why, [store(*fields), again(STORED)])


ROWS = rows_of('Pragma', [
    of_request('pragma-ask', 'pragma-request-no-cache', 'A client cannot force a fetch with Pragma either.', 'no-cache'),
    of_request('pragma-ask-unknown', 'pragma-request-extension', 'An unknown Pragma means nothing.', 'strange'),
    of_answer('pragma-answer', 'pragma-response-no-cache', 'Pragma in an answer means nothing beside a lifetime.', HOUR,
              ('Pragma', 'no-cache')),
    of_answer('pragma-answer-heuristic', 'pragma-response-no-cache-heuristic', 'Nor beside an estimated one.', NOW,
              ('Last-Modified', at(-10000)), ('Pragma', 'no-cache')),
    of_answer('pragma-answer-unknown', 'pragma-response-extension', 'Nor does an unknown one.', HOUR, ('Pragma', 'strange')),
])
