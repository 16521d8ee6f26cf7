#!/bin/bash
# make run: a real origin (nginx and a stream beside it), proxyd with a volume in front, traffic, the audit of its log.
# Leaves everything running and prints the addresses; `make stop` ends it. PORT=8080 chooses the address.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/demo out=${OUT:-build}
export PATH=$PATH:/usr/sbin:/sbin OUT=$out
bash $here/stop.sh
rm -rf "$out/demo"
mkdir -p "$out/demo/tmp" "$out/demo/www"
run=$(realpath "$out/demo")

# The usual ports, or free ones when somebody has them.
read -r PORT NGINX_PORT EVENTS_PORT METRICS_PORT <<<"$(/usr/bin/python3 - "${PORT:-8080}" <<'PYTHON'
import socket
import sys
taken = []
for port in range(int(sys.argv[1]), int(sys.argv[1]) + 4):
    for candidate in (port, 0):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(('127.0.0.1', candidate))
        except OSError:
            continue
        taken.append(s)
        break
print(*(s.getsockname()[1] for s in taken))
PYTHON
)"
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un);"
for name in nginx proxyd; do
	sed -e "s|@RUN@|$run|g; s|@WWW@|$run/www|g; s|@USER@|$user|; s|@PORT@|$PORT|g" \
		-e "s|@NGINX_PORT@|$NGINX_PORT|g; s|@EVENTS_PORT@|$EVENTS_PORT|g; s|@METRICS_PORT@|$METRICS_PORT|g" \
		$here/$name.conf.in >"$run/$name.conf"
done

wait_for() {   # what, command: succeeds within 10 s
	local what=$1
	shift
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "run: $what did not come within 10 s" >&2
	bash $here/stop.sh
	return 1
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

echo "== the origin: nginx on 127.0.0.1:$NGINX_PORT, a stream on 127.0.0.1:$EVENTS_PORT"
/usr/bin/python3 $here/site.py "$run/www"
nginx -p "$run" -e "$run/nginx-error.log" -c "$run/nginx.conf"
/usr/bin/python3 $here/events.py "$EVENTS_PORT" "$run/events.pid" >/dev/null 2>"$run/events-error.log" &
wait_for 'nginx' answers "$NGINX_PORT"
wait_for 'the stream' test -s "$run/events.pid"

echo "== proxyd: -t, then the daemon"
"$out/proxyd" -t -c "$run/proxyd.conf"
"$out/proxyd" -c "$run/proxyd.conf" >/dev/null 2>"$run/proxyd-stderr.log" </dev/null &
wait_for 'proxyd' grep -qs 'ready: listening' "$run/proxyd-error.log" "$run/proxyd-stderr.log"

echo "== traffic"
/usr/bin/python3 $here/traffic.py "$PORT" | tee "$run/traffic.txt"
sent=$(awk '$2 == "requests" { print $1 }' "$run/traffic.txt")

# Three counts of one truth: what was sent, the lines of the log, and what the origin's own log has.
column='NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } $1 == "req"'
lines() { awk -F, "$column { n++ } END { print n + 0 }" "$run/access.csv"; }
asked() { awk -F, -v nginx="127.0.0.1:$NGINX_PORT" "$column && \$at[\"origin\"] == nginx { n += \$at[\"origin_tries\"] } END { print n + 0 }" "$run/access.csv"; }
served() { wc -l <"$run/nginx-access.log"; }
agree() { [ "$(lines)" -eq "$sent" ] && [ "$(asked)" -eq "$(served)" ]; }
wait_for 'the last line of the log' agree || { echo "sent $sent, lines $(lines); asked nginx $(asked), nginx served $(served)" >&2; exit 1; }

echo
echo "== logaudit report"
"$out/logaudit" report "$run/access.csv"
"$out/logaudit" report --html "$run/report.html" "$run/access.csv"
echo
echo "== logaudit check"
code=0
"$out/logaudit" check "$run/access.csv" || code=$?
[ $code -le 1 ] || exit $code
echo
echo "== the counts"
echo "requests sent by the clients   $sent"
echo "lines of the access log        $(lines)"
echo "requests proxyd sent to nginx  $(asked)   (by proxyd's log)"
echo "requests nginx served          $(served)   (by nginx's own log)"
echo
echo "proxyd goes on:  http://127.0.0.1:$PORT/          curl -H 'Host: harbour.test' -I http://127.0.0.1:$PORT/articles/0.html"
echo "metrics:         http://127.0.0.1:$METRICS_PORT/metrics"
echo "access log:      $run/access.csv"
echo "the same as a page, with plots: $run/report.html   (open it in a browser)"
echo "make stop        ends proxyd and its origin"
