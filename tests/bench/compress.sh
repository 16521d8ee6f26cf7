#!/bin/bash
# Compression on the files of a real site: their sizes before and after, by coding, and requests per CPU-second of one page
# beside nginx. nginx compresses each answer anew (from its own files, and from its cache); proxyd sends the form that it has
# stored. Each server has one worker on core 0 and its access log on; wrk is on core 1, rounds alternate. CPU time is that of the
# server's process from /proc/PID/stat.
#   SITE=/usr/share/doc ROUNDS=3 SECONDS_EACH=3 CONNECTIONS=32 PAGE_BYTES=30000 bash tests/bench/compress.sh
# SITE: a folder with HTML, CSS, JavaScript, SVG, XML, JSON or text. The page is the HTML file nearest to PAGE_BYTES.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath "${OUT:-build}")
site=${SITE:-/usr/share/doc} rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-3} connections=${CONNECTIONS:-32} page_bytes=${PAGE_BYTES:-30000}
NAME=compress
. tests/bench/run.sh

read -r origin p_proxyd p_gzip1 p_gzip5 p_cache5 <<<"$(ports 5)"
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un);"
mkdir "$run/www" "$run/tmp" "$run/nginx-cache"
# The site under plain names: what matters is the bytes.
/usr/bin/python3 - "$site" "$run" "$page_bytes" <<'PYTHON'
import os, shutil, sys
site, run, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
pages, total = [], 0
with open(f'{run}/urls', 'w') as urls:
    for folder, folders, names in os.walk(site):
        folders.sort()
        for name in sorted(names):
            path, ending = os.path.join(folder, name), os.path.splitext(name)[1]
            if ending not in ('.html', '.css', '.js', '.svg', '.xml', '.json', '.txt') or not os.path.isfile(path) or total >= 2000:
                continue
            shutil.copyfile(path, f'{run}/www/{total}{ending}')
            urls.write(f'/{total}{ending}\n')
            if ending == '.html':
                pages.append((abs(os.path.getsize(path) - wanted), f'/{total}{ending}', path, os.path.getsize(path)))
            total += 1
if not pages:
    sys.exit(f'no HTML in {site}')
_, url, path, size = min(pages)
with open(f'{run}/page', 'w') as f:
    f.write(f'{url} {size} {path}\n')
PYTHON
read -r page size path <"$run/page"

temps="client_body_temp_path $run/tmp/b; proxy_temp_path $run/tmp/p; fastcgi_temp_path $run/tmp/f; uwsgi_temp_path $run/tmp/u; scgi_temp_path $run/tmp/s;"
types='gzip_types text/css text/plain text/xml application/javascript application/json application/xml image/svg+xml; gzip_proxied any;'
nginx_conf() {   # name, what stands in http
	cat >"$run/$1.conf" <<CONF
$user
daemon off; master_process off; worker_processes 1; pid $run/$1.pid; error_log $run/$1-error.log;
events { worker_connections 4096; }
http { $temps include /etc/nginx/mime.types; keepalive_requests 1000000000; open_file_cache max=4000; tcp_nodelay on; sendfile on;
	access_log $run/$1-access.log combined buffer=64k; $2 }
CONF
}
nginx_conf origin "access_log off; server { listen 127.0.0.1:$origin; root $run/www; add_header Cache-Control 'max-age=3600'; }"
nginx_conf gzip1 "gzip on; gzip_comp_level 1; $types server { listen 127.0.0.1:$p_gzip1; root $run/www; }"
nginx_conf gzip5 "gzip on; gzip_comp_level 5; $types server { listen 127.0.0.1:$p_gzip5; root $run/www; }"
nginx_conf cache5 "gzip on; gzip_comp_level 5; $types proxy_cache_path $run/nginx-cache keys_zone=zone:10m;
	upstream o { server 127.0.0.1:$origin; keepalive 64; } proxy_http_version 1.1; proxy_set_header Connection '';
	server { listen 127.0.0.1:$p_cache5; location / { proxy_pass http://o; proxy_cache zone; proxy_cache_valid 1h; } }"
cat >"$run/proxyd.conf" <<CONF
workers 1;
access_log $run/proxyd.csv;
volume main { path $run/volume; size 512m; ram 256m; }
server { listen 127.0.0.1:$p_proxyd; compress on; location / { proxy_pass http://127.0.0.1:$origin; proxy_cache main; } }
CONF

answers() { curl -sf --noproxy '*' -o /dev/null "http://127.0.0.1:$1$page"; }
start() {      # name, port, core, command...
	local name=$1 port=$2 core=$3
	shift 3
	taskset -c "$core" "$@" >"$run/$name.out" 2>&1 &
	pids+=($!)
	eval "pid_$name=$!"
	for _ in $(seq 200); do answers "$port" && return; sleep 0.05; done
	echo "bench: $name does not answer:" >&2
	cat "$run/$name.out" >&2
	exit 1
}
start origin "$origin" 1 nginx -p "$run" -e "$run/origin-error.log" -c "$run/origin.conf"
start proxyd "$p_proxyd" 0 "$out/proxyd" -c "$run/proxyd.conf"
for name in gzip1 gzip5 cache5; do
	port_var=p_$name
	start $name "${!port_var}" 0 nginx -p "$run" -e "$run/$name-error.log" -c "$run/$name.conf"
done

# ---- sizes: by the log. What had to be compressed for one request is the form on its way; what is made in the background, the stored one. ----

ask_all() { sed "s|^|url = http://127.0.0.1:$p_proxyd|; s|\$|\noutput = /dev/null|" "$run/urls" | curl -s --noproxy '*' -H "Accept-Encoding: $1" -K -; }
# coding, kind of record: how many bodies, their bytes before and after.
log_sum() {
	/usr/bin/python3 - "$run/proxyd.csv" "$1" "$2" <<'PYTHON'
import csv, sys
seen, plain, coded = set(), 0, 0
with open(sys.argv[1], newline='') as f:
    for row in csv.DictReader(f):
        if row['rec/1'] != sys.argv[3] or row['coding'] != sys.argv[2] or row['key'] in seen or (sys.argv[3] == 'req' and row['compressed'] != '1'):
            continue
        seen.add(row['key'])
        plain += int(row['plain_bytes'])
        coded += int(row['body_out' if sys.argv[3] == 'req' else 'object_bytes'])
print(len(seen), plain, coded)
PYTHON
}
echo "+ $(wc -l <"$run/urls") files of $site, through proxyd with \`compress on\`, each until its compressed form is stored"
printf '%-6s %8s %14s %14s %9s   %s\n' coding files 'plain bytes' 'bytes' share form
for coding in gzip br zstd; do
	for _ in $(seq 60); do
		ask_all "$coding"
		asked=$(log_sum $coding req)
		made=$(log_sum $coding compress)
		[ "${asked%% *}" -gt "${made%% *}" ] || break
	done
	awk -v c=$coding -v asked="$asked" -v made="$made" 'BEGIN {
		split(asked, x, " "); split(made, y, " ")
		printf "%-6s %8d %14d %14d %8.1f%%   on its way\n", c, x[1], x[2], x[3], 100 * x[3] / x[2]
		printf "%-6s %8d %14d %14d %8.1f%%   stored\n", c, y[1], y[2], y[3], 100 * y[3] / y[2] }'
done

# ---- requests per CPU-second of one page ----

ticks() { awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
hertz=$(getconf CLK_TCK)
echo
echo "+ $rounds rounds of: taskset -c 1 wrk -t1 -c$connections -d${seconds}s -H 'Accept-Encoding: CODING' http://127.0.0.1:PORT$page   ($path, $size bytes)"
: >"$run/results"
measure() {    # row, name of the server, coding
	local pid_var=pid_$2 port_var=p_$2 before after bytes
	bytes=$(curl -s --noproxy '*' -H "Accept-Encoding: $3" -o /dev/null -w '%{size_download}' "http://127.0.0.1:${!port_var}$page")
	before=$(ticks "${!pid_var}")
	taskset -c 1 wrk -t1 -c"$connections" -d"${seconds}s" -H "Accept-Encoding: $3" "http://127.0.0.1:${!port_var}$page" >"$run/wrk.txt"
	after=$(ticks "${!pid_var}")
	awk -v row="$1" -v cpu="$((after - before))" -v hertz="$hertz" -v bytes="$bytes" '
		/requests in/ { n = $1 } /Requests\/sec/ { rate = $2 } /Non-2xx/ { bad += $NF } /Socket errors/ { bad++ }
		END { printf "%s|%.0f|%.0f|%d|%d\n", row, n / (cpu / hertz), rate, bytes, bad }' "$run/wrk.txt" >>"$run/results"
}
for round in $(seq "$rounds"); do
	measure 'proxyd, stored gzip' proxyd gzip
	measure 'proxyd, stored br' proxyd br
	measure 'proxyd, stored zstd' proxyd zstd
	measure 'proxyd, plain' proxyd identity
	measure 'nginx, files, gzip 1' gzip1 gzip
	measure 'nginx, files, gzip 5' gzip5 gzip
	measure 'nginx, proxy_cache, gzip 5' cache5 gzip
	measure 'nginx, files, plain' gzip5 identity
done
awk -F'|' '
	!n[$1]++ { order[++rows] = $1 }
	{ sum[$1] += $2; rate[$1] += $3; bytes[$1] = $4; bad[$1] += $5; if ($2 > best[$1]) best[$1] = $2; if (!low[$1] || $2 < low[$1]) low[$1] = $2 }
	END {
		printf "%-28s %12s %24s %10s %8s %7s\n", "server", "req/CPU-s", "(lowest to highest)", "req/s", "bytes", "errors"
		for (i = 1; i <= rows; i++) { r = order[i]
			printf "%-28s %12.0f %12.0f to %8.0f %10.0f %8d %7d\n", r, sum[r] / n[r], low[r], best[r], rate[r] / n[r], bytes[r], bad[r] } }' "$run/results"
echo
echo "machine: $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores; $(nginx -v 2>&1)"
