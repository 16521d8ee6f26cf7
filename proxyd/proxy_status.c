/* Proxy-Status. */
#include "proxy_status.h"

struct slice proxy_status_error(enum end end, enum refusal refusal)
{
	static const struct slice errors[END_COUNT] = {
#define END(name, setting, error, doc) SLICE(error),
#include "../conf/tbl/ends.h"
#undef END
	};

	switch (refusal) {
	case REFUSAL_proxy_loop: return errors[END_loop];
	case REFUSAL_no_route: case REFUSAL_method_not_allowed: return SLICE("http_request_denied");
	default: return errors[end];
	}
}
