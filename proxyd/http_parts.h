/* What the files of the head parser share with each other and with nobody else.
 *
 * The order of judgement, which makes the answer for a head the same however its bytes are cut:
 * - a line is judged when its end has come, or any other control byte: until then it is merely unfinished;
 * - within a line the first fault from the left counts, and nothing right of the first control byte is looked at;
 * - lines are judged in order, up to head_max bytes; what the fields mean is judged when the head is whole. */
#ifndef PROXYD_HTTP_PARTS_H
#define PROXYD_HTTP_PARTS_H

#include "http_class.h"
#include "http_head.h"

/* Start lines. Return the byte after the line's CRLF, or NULL with *ret_why, which means something only when the line
 * can be judged. */
const char *request_line_parse(const char *line, const char *end, struct http_head *head, enum refusal *ret_why);
const char *status_line_parse(const char *line, const char *end, struct http_head *head, enum refusal *ret_why);

/* Why the control byte at p ends a line wrongly; `proper` when it is a CRLF and nothing but its place is wrong. */
enum refusal control_refusal(const char *p, const char *end, enum refusal proper);

/* Splits head->target by the four forms (RFC 9112 section 3.2). */
enum refusal target_split(struct http_head *head);

/* What the fields of a whole head mean: Host, framing, Connection, Expect, Max-Forwards. */
enum refusal request_check(struct http_head *head);
enum refusal response_check(struct http_head *head, enum http_method request_method);

/* Recognises a name of any bytes, any case. readable: how many bytes may be read from name on, at least len. No name we
 * know is longer than FIELD_NAME_MAX. */
enum { FIELD_NAME_MAX = 31 };
enum http_field field_recognise(const char *name, size_t len, size_t readable);

#endif
