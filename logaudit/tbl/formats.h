/* FORMAT(symbol, name, dialect, stamp, layout, detected, caveat): the logs of other programs.
 * dialect: whose notation `layout` is in (tbl/format_dialects.h). "": the names come with the file (keys, or a header line).
 * stamp: which moment the time on the line is: START the request's arrival, END the line's writing (the duration is taken off when the
 * line has one), ANY one of both, whichever program wrote it.
 * detected: by what it is told from the others. caveat: what a reader of the numbers must know; "" for nothing.
 * What each can and cannot answer follows from its layout: tbl/format_fields.h and tbl/format_questions.h. */
FORMAT(common, "common", HTTPD, ANY, "%h %l %u %t \"%r\" %>s %b",
	"a time in brackets, a quoted request, a status and a size end the line",
	"httpd as Debian configures it counts the header section in the size (%O)")
FORMAT(combined, "combined", NGINX, ANY, "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"",
	"as common, with a quoted Referer and User-Agent; further columns are told by their shape",
	"httpd as Debian configures it counts the header section in the size (%O); the time is the request's beginning (httpd, Varnish) or its end (nginx)")
FORMAT(nginx, "nginx", NGINX, END, "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"",
	"by name only: nginx's combined; --format 'nginx:...' takes a log_format", "")
FORMAT(nginx_cache, "nginx_cache", NGINX, END, "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" $upstream_cache_status",
	"as combined, and a column of HIT, MISS, EXPIRED...", "")
FORMAT(nginx_json, "nginx_json", NGINX, END, "",
	"one JSON object a line whose keys are nginx's variables; --format 'nginx:{...}' takes other keys", "")
FORMAT(httpd, "httpd", HTTPD, START, "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"",
	"by name only: httpd's combined as Debian configures it; --format 'httpd:...' takes a LogFormat", "sizes count the header section (%O)")
FORMAT(httpd_us, "httpd_us", HTTPD, START, "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D",
	"by name only: the same with %D, the microseconds it took", "sizes count the header section (%O)")
FORMAT(vhost_combined, "vhost_combined", HTTPD, START, "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"",
	"as combined, with HOST:PORT before it", "sizes count the header section (%O); the host is the server's name, not what the client wrote")
FORMAT(vhost_combined_us, "vhost_combined_us", HTTPD, START, "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D",
	"as vhost_combined, and one whole number behind it", "the number at the end is taken for microseconds (%D); sizes count the header section (%O); the host is the server's name, not what the client wrote")
FORMAT(varnish, "varnish", VARNISH, START, "%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-agent}i\"",
	"as combined, with whole URLs as targets: varnishncsa's own; --format 'varnish:...' takes what -F took", "")
FORMAT(varnish_hitmiss, "varnish_hitmiss", VARNISH, START, "%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-agent}i\" %{Varnish:hitmiss}x",
	"by name only: the same with %{Varnish:hitmiss}x; a pass is a miss there", "what the backend confirmed (304) is a miss there; a hit may be past its time (grace)")
FORMAT(varnish_handling, "varnish_handling", VARNISH, START, "%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-agent}i\" %{Varnish:handling}x",
	"the same with a column of hit, miss, pass, pipe, synth", "what the backend confirmed (304) is a miss there; a hit may be past its time (grace)")
FORMAT(trafficserver, "trafficserver", TRAFFICSERVER, START, "%<cqtq> %<ttms> %<chi> %<crc>/%<pssc> %<psql> %<cqhm> %<cquc> %<caun> %<phr>/%<shn> %<psct>",
	"seconds with milliseconds, a duration and CODE/STATUS, and no HIER_ in it; --format 'trafficserver:...' takes a format of logging.yaml",
	"sizes count the header section")
FORMAT(squid, "squid", SQUID, END, "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt",
	"as trafficserver, with HIER_...; --format 'squid:...' takes a logformat", "sizes count the header section")
FORMAT(haproxy, "haproxy", HAPROXY, START, "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r",
	"ADDRESS:PORT [time with milliseconds] and five timers, wherever in the line: what syslog put before it does not matter; --format 'haproxy:...' takes a log-format",
	"times are without a zone and taken as UTC; sizes count the header section; only answers of HAProxy's own cache are known to be hits, what a server answered may have been looked up or not")
FORMAT(caddy, "caddy", CADDY, END, "",
	"one JSON object a line with the object `request`", "Caddy has no cache of its own: hits are known by Cache-Status in the answer (RFC 9211)")
FORMAT(cloudfront, "cloudfront", W3C, END, "",
	"the lines #Version and #Fields at the top; columns go by the names there", "sizes count the header section, unless sc-content-len is there")
