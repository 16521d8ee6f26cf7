"""How Expires is read (RFC 9110 section 5.6.7): three forms of a date and nothing else."""
from table import NOW, OPTIMAL, ORIGIN, REQUIRED, STORED, Row, again, rows_of, store


def good(id, case, why, value):
    return Row(id, case, '9110 5.6.7', OPTIMAL, why, [store(('Expires', value), NOW, plain=False), again(STORED)])


def bad(id, case, why, *values):
    return Row(id, case, '9111 5.3', REQUIRED, why, [store(*[('Expires', v) for v in values], NOW, plain=False), again(ORIGIN)])


ROWS = rows_of('parsing of Expires', [
    good('date-32-bits', 'freshness-expires-32bit', 'A date beyond 31 bits of seconds is a date.', 'Tue, 19 Jan 2038 14:14:08 GMT'),
    good('date-far', 'freshness-expires-far-future', 'So is one in two hundred and sixty years.', 'Sun, 21 Nov 2286 04:46:39 GMT'),
    good('date-9999', None, 'And the last one that four digits can say.', 'Fri, 31 Dec 9999 23:59:59 GMT'),
    good('date-rfc850', 'freshness-expires-rfc850', 'The form with the long weekday and a year of two digits.',
         'Thursday, 18-Aug-50 02:01:18 GMT'),
    good('date-asctime', 'freshness-expires-ansi-c', 'The form of asctime, with a space for a missing digit.', 'Thu Aug  8 02:01:18 2050'),
    good('date-weekday-case', 'freshness-expires-wrong-case-weekday', 'A weekday in capitals is read.', 'THU, 18 Aug 2050 02:01:18 GMT'),
    good('date-month-case', 'freshness-expires-wrong-case-month', 'A month in capitals is read.', 'Thu, 18 AUG 2050 02:01:18 GMT'),
    good('date-zone-case', 'freshness-expires-wrong-case-tz', 'A zone in odd case is read.', 'Thu, 18 Aug 2050 02:01:18 gMT'),
    bad('date-utc', 'freshness-expires-invalid-utc', 'UTC is not GMT.', 'Thu, 18 Aug 2050 02:01:18 UTC'),
    bad('date-other-zone', 'freshness-expires-invalid-aest', 'No other zone is.', 'Thu, 18 Aug 2050 02:01:18 AEST'),
    bad('date-two-digits', 'freshness-expires-invalid-2-digit-year', 'Two digits of the year belong to another form.',
        'Thu, 18 Aug 50 02:01:18 GMT'),
    bad('date-no-comma', 'freshness-expires-invalid-no-comma', 'The comma belongs to the form.', 'Thu 18 Aug 2050 02:01:18 GMT'),
    bad('date-spaces', 'freshness-expires-invalid-multiple-spaces', 'One space, not two.', 'Thu, 18  Aug  2050 02:01:18 GMT'),
    bad('date-dashes', 'freshness-expires-invalid-date-dashes', 'No dashes in this form.', 'Thu, 18-Aug-2050 02:01:18 GMT'),
    bad('date-points', 'freshness-expires-invalid-time-periods', 'Colons, not points.', 'Thu, 18 Aug 2050 02.01.18 GMT'),
    bad('date-one-digit-hour', 'freshness-expires-invalid-1-digit-hour', 'An hour has two digits.', 'Thu, 18 Aug 2050 2:01:18 GMT'),
    bad('date-two-lines', 'freshness-expires-invalid-multiple-lines', 'Two lines of Expires that are no dates do not make one.',
        'Thu, 18 Aug 2050 2:01:18 GMT', 'Thu, 18 Aug 2050 2:01:19 GMT'),
    bad('date-1900', None, 'A date of 1900 is past, not wrapped around.', 'Mon, 01 Jan 1900 00:00:00 GMT'),
])
