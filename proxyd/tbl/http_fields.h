/* HTTP_FIELDS(X): X(id, "name", flags): every field that proxyd itself looks at. See http_head.h. */
#define HTTP_FIELDS(X) \
	X(accept,              "accept",              0) \
	X(accept_encoding,     "accept-encoding",     0) \
	X(accept_language,     "accept-language",     0) \
	X(age,                 "age",                 0) \
	X(authorization,       "authorization",       HTTP_KEEP) \
	X(cache_control,       "cache-control",       HTTP_KEEP) \
	X(cache_status,        "cache-status",        0) \
	X(cache_tag,           "cache-tag",           0) \
	X(cdn_cache_control,   "cdn-cache-control",   HTTP_KEEP) \
	X(cdn_loop,            "cdn-loop",            HTTP_KEEP) \
	X(client_cert,         "client-cert",         0) \
	X(client_cert_chain,   "client-cert-chain",   0) \
	X(connection,          "connection",          HTTP_HOP) \
	X(content_encoding,    "content-encoding",    HTTP_KEEP) \
	X(content_length,      "content-length",      HTTP_KEEP) \
	X(content_location,    "content-location",    0) \
	X(content_range,       "content-range",       HTTP_KEEP) \
	X(content_type,        "content-type",        HTTP_KEEP) \
	X(cookie,              "cookie",              HTTP_KEEP) \
	X(date,                "date",                HTTP_KEEP) \
	X(early_data,          "early-data",          HTTP_KEEP) \
	X(etag,                "etag",                HTTP_KEEP) \
	X(expect,              "expect",              0) \
	X(expires,             "expires",             HTTP_KEEP) \
	X(forwarded,           "forwarded",           HTTP_FWD | HTTP_KEEP) \
	X(host,                "host",                HTTP_KEEP) \
	X(http2_settings,      "http2-settings",      HTTP_HOP) \
	X(if_match,            "if-match",            0) \
	X(if_modified_since,   "if-modified-since",   0) \
	X(if_none_match,       "if-none-match",       0) \
	X(if_range,            "if-range",            0) \
	X(if_unmodified_since, "if-unmodified-since", 0) \
	X(keep_alive,          "keep-alive",          HTTP_HOP) \
	X(last_modified,       "last-modified",       HTTP_KEEP) \
	X(location,            "location",            0) \
	X(max_forwards,        "max-forwards",        0) \
	X(pragma,              "pragma",              0) \
	X(priority,            "priority",            0) \
	X(proxy_authenticate,  "proxy-authenticate",  0) \
	X(proxy_authentication_info, "proxy-authentication-info", 0) \
	X(proxy_authorization, "proxy-authorization", HTTP_KEEP) \
	X(proxy_connection,    "proxy-connection",    HTTP_HOP) \
	X(purge_mode,          "purge-mode",          0) \
	X(purge_prefix,        "purge-prefix",        0) \
	X(purge_token,         "purge-token",         0) \
	X(range,               "range",               HTTP_KEEP) \
	X(referer,             "referer",             0) \
	X(server,              "server",              0) \
	X(set_cookie,          "set-cookie",          HTTP_KEEP) \
	X(surrogate_key,       "surrogate-key",       0) \
	X(te,                  "te",                  HTTP_HOP) \
	X(trailer,             "trailer",             HTTP_HOP) \
	X(transfer_encoding,   "transfer-encoding",   HTTP_HOP) \
	X(upgrade,             "upgrade",             HTTP_HOP) \
	X(user_agent,          "user-agent",          0) \
	X(vary,                "vary",                HTTP_KEEP) \
	X(via,                 "via",                 HTTP_KEEP) \
	X(x_accel_buffering,   "x-accel-buffering",   0) \
	X(x_device_class,      "x-device-class",      0) \
	X(x_forwarded_for,     "x-forwarded-for",     HTTP_FWD | HTTP_KEEP) \
	X(x_forwarded_host,    "x-forwarded-host",    HTTP_FWD | HTTP_KEEP) \
	X(x_forwarded_port,    "x-forwarded-port",    HTTP_FWD | HTTP_KEEP) \
	X(x_forwarded_proto,   "x-forwarded-proto",   HTTP_FWD | HTTP_KEEP) \
	X(x_real_ip,           "x-real-ip",           HTTP_FWD | HTTP_KEEP) \
	X(x_request_id,        "x-request-id",        0)
