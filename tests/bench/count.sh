#!/bin/bash
# Nothing is lost and nothing is counted twice: REQUESTS requests by wrk over a few hundred URLs make exactly as many lines;
# the metrics equal the sums of the log; the hit ratio of logaudit equals awk's; the origin's own log confirms how many
# requests reached it. Exit 1 when one of these is not so.
#   REQUESTS=100000 URLS=400 SECONDS_MAX=20 bash tests/bench/count.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath "${OUT:-build}")
requests=${REQUESTS:-100000} urls=${URLS:-400} connections=50 seconds=${SECONDS_MAX:-20}
NAME=count
. tests/bench/run.sh
read -r origin port metrics <<<"$(ports 3)"
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un);"
mkdir "$run/tmp"
cat >"$run/origin.conf" <<CONF
$user
daemon off; worker_processes 1; pid $run/origin.pid; error_log $run/origin-error.log;
events { worker_connections 1024; }
http {
	client_body_temp_path $run/tmp/b; proxy_temp_path $run/tmp/p; fastcgi_temp_path $run/tmp/f; uwsgi_temp_path $run/tmp/u; scgi_temp_path $run/tmp/s;
	log_format one '\$status \$request_uri'; access_log $run/origin.log one;
	server { listen 127.0.0.1:$origin; default_type text/plain;
		location / { add_header Cache-Control "max-age=3600"; return 200 "\$request_uri is a page of some length ................................................\n"; }
		location /private/ { add_header Cache-Control "private"; return 200 "\$request_uri\n"; } } }
CONF
cat >"$run/proxyd.conf" <<CONF
workers auto;
access_log $run/access.csv;
metrics 127.0.0.1:$metrics;
volume main { path $run/volume; size 64m; }
server { listen 127.0.0.1:$port; location / { proxy_pass http://127.0.0.1:$origin; proxy_cache main; } }
CONF
# Exactly so many requests: each of wrk's connections asks until the count is reached, and is silent from then on. One URL in twenty is
# of a page that may not be stored.
cat >"$run/bounded.lua" <<LUA
local asked, total, urls = 0, $requests, $urls
local seed = 12345
function request()
	seed = (seed * 1103515245 + 12345) % 2147483648
	local n = math.floor((seed / 2147483648) ^ 3 * urls)
	return wrk.format("GET", n % 20 == 7 and "/private/" .. n or "/page/" .. n)
end
function delay() if asked >= total then return 3600000 end asked = asked + 1 return 0 end
LUA
wait_for() {
	local what=$1
	shift
	for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.05; done
	echo "count: $what did not come within 10 s" >&2
	return 1
}
nginx -p "$run" -e "$run/origin-error.log" -c "$run/origin.conf" & pids+=($!)
"$out/proxyd" -c "$run/proxyd.conf" 2>"$run/stderr" & pids+=($!)
wait_for 'the origin' bash -c "exec 3<>/dev/tcp/127.0.0.1/$origin"
wait_for 'proxyd' grep -q 'ready: listening' "$run/stderr"

echo "+ wrk -t1 -c$connections -s bounded.lua http://127.0.0.1:$port   ($requests requests over $urls URLs, then silence until ${seconds} s are over)"
wrk -t1 -c$connections -d${seconds}s --timeout 20s -s "$run/bounded.lua" "http://127.0.0.1:$port" >"$run/wrk.txt"
grep -E 'requests in|Non-2xx|Socket errors' "$run/wrk.txt" || true
sent=$(awk '/requests in/ { print $1 }' "$run/wrk.txt")
column='NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } $1 == "req"'
lines() { awk -F, "$column { n++ } END { print n + 0 }" "$run/access.csv"; }
all_there() { [ "$(lines)" -ge "$requests" ]; }
wait_for "line $requests" all_there || true
code=0
same() {       # what, one, other
	if [ "$2" = "$3" ]; then printf 'ok   %-62s %s\n' "$1" "$2"; else printf 'BAD  %-62s %s and %s\n' "$1" "$2" "$3"; code=1; fi
}
same 'requests sent, and those asked for' "$sent" "$requests"
same 'lines of the log (without the header and other records)' "$(lines)" "$requests"
curl -sf --noproxy '*' "http://127.0.0.1:$metrics/metrics" >"$run/scrape"
counter() { awk -v name="proxyd_$1_total" '{ split($1, part, "{") } part[1] == name { n += $NF } END { printf "%d", n }' "$run/scrape"; }
sum() { awk -F, "$column { n += $1 } END { printf \"%d\", n }" "$run/access.csv"; }
same 'metrics: requests' "$(counter requests)" "$(lines)"
same 'metrics: hits' "$(counter hits)" "$(sum '$at["cache"] == "hit"')"
same 'metrics: collapsed' "$(counter collapsed)" "$(sum '$at["cache"] == "collapsed"')"
same 'metrics: misses' "$(counter misses)" "$(sum '$at["cache"] == "miss"')"
same 'metrics: hits_for_miss' "$(counter hits_for_miss)" "$(sum '$at["cache"] == "hit_for_miss"')"
same 'metrics: body_bytes_out' "$(counter body_bytes_out)" "$(sum '$at["body_out"]')"
same 'metrics: origin_tries' "$(counter origin_tries)" "$(sum '$at["origin_tries"]')"
"$out/logaudit" report --json "$run/access.csv" >"$run/report.json"
same 'hits of logaudit report --json, and of awk' "$(/usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["totals"]["hits"])' "$run/report.json")" "$(sum '$at["cache"] == "hit"')"
same 'requests that reached the origin: the log, and nginx' "$(sum '$at["origin_tries"]')" "$(wc -l <"$run/origin.log")"
same 'fetches of cacheable pages, and different pages' "$(grep -c ' /page/' "$run/origin.log")" "$(grep ' /page/' "$run/origin.log" | sort -u | wc -l)"
if "$out/logaudit" metrics --scrape "$run/scrape" "$run/access.csv" >"$run/metrics.txt"; then echo 'ok   logaudit metrics: no difference'; else cat "$run/metrics.txt"; code=1; fi
exit $code
