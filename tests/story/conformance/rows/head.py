"""What an answer to HEAD changes in the stored answer to GET (RFC 9111 section 4.3.5)."""
from table import CHECK, ORIGIN, STORED, Row, again, age, answer, cc, etag, rows_of, store

OLD = (cc('max-age=20'), age(21), ('Template-A', '1'), etag())
NEW = (cc('max-age=1000'), age(0), ('Template-A', '2'), etag())


def row(id, case, why, *more):
    return Row(id, case, '9111 4.3.5', CHECK, why, [store(*OLD), *more])


def head(*fields, seen=ORIGIN, status=200, **more):
    return again(seen, answer=answer(*fields, status=status), method='HEAD', sent=[('method', 'HEAD')], **more)


ROWS = rows_of('updates by HEAD', [
    row('head-reaches-origin', 'head-writethrough', 'HEAD of a stale answer is asked as HEAD.', head(etag())),
    row('head-keeps-fields', 'head-200-retain', 'A HEAD that does not mention a field takes nothing from the stored answer.',
        head(cc('max-age=1000'), age(0), etag()), again(STORED, has=[('Template-A', '1')])),
    row('head-renews-lifetime', 'head-200-freshness-update', 'A lifetime in a HEAD that names the stored tag renews the stored answer.',
        head(*NEW), again(STORED)),
    row('head-renews-fields', 'head-200-update', 'So do its other fields.', head(*NEW), again(STORED, has=[('Template-A', '2')])),
    row('head-410', 'head-410-update', 'A HEAD with another status renews nothing.', head(*NEW, status=410), again(ORIGIN)),
    row('head-other-tag', None, 'A HEAD that names another tag makes the stored answer stale.',
        head(cc('max-age=1000'), age(0), etag('"v2"')), again(ORIGIN)),
    Row('head-of-stored', None, '9111 4', CHECK, 'HEAD is answered from a stored GET.',
        [store(cc('max-age=60')), again(STORED, method='HEAD')]),
])
