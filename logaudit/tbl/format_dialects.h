/* DIALECT(symbol, prefix, stamp, doc): notations for layouts. prefix: in --format 'PREFIX:LAYOUT'; "" when there is none. */
DIALECT(NGINX, "nginx", END, "log_format of nginx: $variable, ${variable}; or a JSON object of such")
DIALECT(HTTPD, "httpd", START, "LogFormat of httpd: %h, %>s, %{Header}i")
DIALECT(VARNISH, "varnish", START, "-F of varnishncsa: as httpd, with %{Varnish:...}x")
DIALECT(SQUID, "squid", END, "logformat of Squid: %>a, %6tr, %Ss")
DIALECT(TRAFFICSERVER, "trafficserver", START, "format of Traffic Server: %<chi>")
DIALECT(HAPROXY, "haproxy", START, "log-format of HAProxy: %ci, %{+Q}r")
DIALECT(CADDY, "", END, "Caddy's JSON: keys joined by >")
DIALECT(W3C, "", END, "W3C extended log file format: #Fields")
