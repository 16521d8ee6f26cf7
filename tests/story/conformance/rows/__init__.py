"""The table: one file a theme, one list of rows a file."""
from . import (age, authorization, collapse, conditional, directives, expires, expires_parsing, fields, freshness, head,
               heuristic, interim, invalidation, methods, other, partial, parsing, pragma, request_directives, stale,
               status, targeted, updates, vary, vary_parsing)

ROWS = [row for theme in (freshness, parsing, age, expires, expires_parsing, directives, request_directives, pragma, heuristic,
                          status, authorization, vary, vary_parsing, conditional, fields, updates, head, invalidation, methods,
                          partial, stale, interim, targeted, collapse, other) for row in theme.ROWS]
