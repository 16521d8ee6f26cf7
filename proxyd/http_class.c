/* The table of byte classes: computed by the compiler from the grammars, one expression a class. */
#include "http_class.h"

#define DIGIT(c) ((c) >= '0' && (c) <= '9')
#define ALPHA(c) (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')
#define HEX(c) (DIGIT(c) || (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'f'))
#define BLANK(c) ((c) == ' ' || (c) == '\t')
#define VALUE(c) (((c) >= 0x20 && (c) != 0x7f) || (c) == '\t')
#define QUOTED(c) (VALUE(c) && (c) != '"' && (c) != '\\')
#define TOKEN(c) (DIGIT(c) || ALPHA(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || (c) == '&' || (c) == '\'' \
	|| (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' || (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' \
	|| (c) == '~')
#define UNRESERVED(c) (DIGIT(c) || ALPHA(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define SUB_DELIM(c) ((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' || (c) == '*' \
	|| (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=')
#define URI(c) (UNRESERVED(c) || SUB_DELIM(c) || (c) == '%' || (c) == ':' || (c) == '/' || (c) == '?' || (c) == '[' \
	|| (c) == ']' || (c) == '@')
/* A comma in Host is the mark of two joined lines: some read the first, some the last. */
#define REGNAME(c) ((UNRESERVED(c) || SUB_DELIM(c)) && (c) != ',')

#define CLASS(c) \
	(TOKEN(c) ? HTTP_TOKEN : 0) | (URI(c) ? HTTP_URI : 0) | (VALUE(c) ? HTTP_VALUE : 0) \
	| (REGNAME(c) ? HTTP_REGNAME : 0) | (DIGIT(c) ? HTTP_DIGIT : 0) | (HEX(c) ? HTTP_HEX : 0) \
	| (BLANK(c) ? HTTP_BLANK : 0) | (QUOTED(c) ? HTTP_QUOTED : 0),
#define CLASS_4(c) CLASS(c) CLASS((c) + 1) CLASS((c) + 2) CLASS((c) + 3)
#define CLASS_16(c) CLASS_4(c) CLASS_4((c) + 4) CLASS_4((c) + 8) CLASS_4((c) + 12)
#define CLASS_64(c) CLASS_16(c) CLASS_16((c) + 16) CLASS_16((c) + 32) CLASS_16((c) + 48)

const uint8_t http_class[256] = { CLASS_64(0) CLASS_64(64) CLASS_64(128) CLASS_64(192) };
