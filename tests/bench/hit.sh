#!/bin/bash
# Requests per CPU-second for a cached object of 1 KB: proxyd, nginx (proxy_cache) and haproxy (cache), each with one worker
# pinned to core 0 and its access log on (proxyd and nginx to a file, haproxy as usual to a datagram socket, here one that
# nobody reads); wrk on core 1. Rounds alternate, so that a drifting machine is no one's advantage. CPU time is that of the server's process, all threads, from /proc/PID/stat.
#   ROUNDS=3 SECONDS_EACH=5 CONNECTIONS=32 SIZE=1024 CONTROL="public, max-age=3600" bash tests/bench/hit.sh
# TLS=on: over TLS 1.3 with a P-256 certificate. LOAD=full or resumed: a TLS connection for each request, with a handshake of
# that kind, by build/bench/handshakes; LOAD=idle: memory of a connection that has asked once and waits (IDLE=1000 of them);
# LOAD=h2: HTTP/2 with STREAMS=16 requests at once on each connection, by h2load.
# h2o is beside them over TLS; it has no cache of proxied answers and serves the file itself.
# CONTROL=no-store measures answers that pass instead: the origin (on core 1, with wrk) is asked each time. ORIGIN_TLS=on: over
# TLS 1.3, verified, on connections that are kept.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath "${OUT:-build}")
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-5} connections=${CONNECTIONS:-32} size=${SIZE:-1024} control=${CONTROL:-public, max-age=3600} load=${LOAD:-hit} idle=${IDLE:-1000} streams=${STREAMS:-16}
NAME=hit
. tests/bench/run.sh

read -r origin p_proxyd p_nginx p_haproxy p_h2o sink <<<"$(ports 5 1)"
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un);"
mkdir "$run/www" "$run/tmp" "$run/nginx-cache"
head -c "$size" /dev/zero | tr '\0' x >"$run/www/object"
scheme=http tls_nginx= tls_haproxy= tls_proxyd= alpn=http/1.1 origin_scheme=http tls_origin= origin_nginx= origin_haproxy= origin_proxyd=
[ "$load" != h2 ] || alpn=h2,http/1.1
if [ -n "${TLS:-}${ORIGIN_TLS:-}" ]; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$run/key.pem" -out "$run/cert.pem" -days 2 \
		-subj /CN=site.test -addext subjectAltName=DNS:site.test 2>/dev/null
	cat "$run/cert.pem" "$run/key.pem" >"$run/both.pem"
fi
if [ -n "${ORIGIN_TLS:-}" ]; then
	origin_scheme=https
	tls_origin=" ssl; ssl_protocols TLSv1.3; ssl_certificate $run/cert.pem; ssl_certificate_key $run/key.pem"
	origin_nginx="proxy_ssl_trusted_certificate $run/cert.pem; proxy_ssl_verify on; proxy_ssl_name site.test; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3;"
	origin_haproxy=" ssl verify required ca-file $run/cert.pem verifyhost site.test sni str(site.test) ssl-min-ver TLSv1.3"
	origin_proxyd="proxy_ssl_trusted_certificate $run/cert.pem; proxy_ssl_name site.test;"
fi
if [ -n "${TLS:-}" ]; then
	scheme=https
	tls_nginx=" ssl$([ "$load" != h2 ] || echo ' http2'); ssl_protocols TLSv1.3; ssl_certificate $run/cert.pem; ssl_certificate_key $run/key.pem"
	tls_haproxy=" ssl crt $run/both.pem alpn $alpn ssl-min-ver TLSv1.3"
	tls_proxyd=" ssl; ssl_certificate $run/cert.pem; ssl_certificate_key $run/key.pem"
fi
temps="client_body_temp_path $run/tmp/b; proxy_temp_path $run/tmp/p; fastcgi_temp_path $run/tmp/f; uwsgi_temp_path $run/tmp/u; scgi_temp_path $run/tmp/s;"

cat >"$run/origin.conf" <<CONF
$user
daemon off; worker_processes 1; pid $run/origin.pid; error_log $run/origin-error.log;
events { }
http { $temps access_log off; keepalive_requests 1000000000;
	server { listen 127.0.0.1:$origin$tls_origin; root $run/www; location / { add_header Cache-Control "$control"; default_type text/plain; } } }
CONF
cat >"$run/nginx.conf" <<CONF
$user
daemon off; master_process off; worker_processes 1; pid $run/nginx.pid; error_log $run/nginx-error.log;
events { worker_connections 4096; }
http { $temps
	keepalive_requests 1000000000; open_file_cache max=1000; tcp_nodelay on;
	upstream origin { server 127.0.0.1:$origin; keepalive 64; }
	proxy_http_version 1.1; proxy_set_header Connection "";
	proxy_cache_path $run/nginx-cache keys_zone=zone:10m;
	access_log $run/nginx-access.log combined buffer=64k;
	server { listen 127.0.0.1:$p_nginx$tls_nginx; location / { proxy_pass $origin_scheme://origin; proxy_cache zone; $origin_nginx } } }
CONF
cat >"$run/haproxy.cfg" <<CONF
global
	nbthread 1
	maxconn 1024
	log 127.0.0.1:$sink local0 info
defaults
	mode http
	log global
	option httplog
	timeout connect 5s
	timeout client 60s
	timeout server 60s
cache zone
	total-max-size 64
	max-object-size 1000000
	max-age 3600
frontend f
	bind 127.0.0.1:$p_haproxy$tls_haproxy
	http-request cache-use zone
	http-response cache-store zone
	default_backend b
backend b
	http-request cache-use zone
	http-response cache-store zone
	server o 127.0.0.1:$origin$origin_haproxy
CONF
cat >"$run/proxyd.conf" <<CONF
workers 1;
access_log $run/proxyd.csv;
volume main { path $run/volume; size 64m; }
server { listen 127.0.0.1:$p_proxyd$tls_proxyd; location / { proxy_pass $origin_scheme://127.0.0.1:$origin; proxy_cache main; $origin_proxyd } }
CONF

cat >"$run/h2o.conf" <<CONF
num-threads: 1
access-log: $run/h2o-access.log
listen:
  host: 127.0.0.1
  port: $p_h2o
  ssl: { certificate-file: $run/cert.pem, key-file: $run/key.pem, minimum-version: TLSv1.3 }
hosts:
  default:
    paths: { "/": { file.dir: $run/www } }
CONF
names="proxyd nginx haproxy"
[ -z "${TLS:-}" ] || [ "$control" = no-store ] || [ "$load" = idle ] || names="$names h2o"

/usr/bin/python3 -c 'import signal, socket, sys; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("127.0.0.1", int(sys.argv[1]))); signal.pause()' "$sink" &
pids+=($!)
answers() { local s=$scheme; [ "$1" != "$origin" ] || s=$origin_scheme; curl -skf --noproxy '*' -o /dev/null "$s://127.0.0.1:$1/object"; }
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
echo "+ each on core 0: proxyd -c proxyd.conf | nginx -c nginx.conf | haproxy -f haproxy.cfg"
start origin "$origin" 1 nginx -p "$run" -e "$run/origin-error.log" -c "$run/origin.conf"
start proxyd "$p_proxyd" 0 "$out/proxyd" -c "$run/proxyd.conf"
start nginx "$p_nginx" 0 nginx -p "$run" -e "$run/nginx-error.log" -c "$run/nginx.conf"
start haproxy "$p_haproxy" 0 haproxy -db -f "$run/haproxy.cfg"
case $names in *h2o) start h2o "$p_h2o" 0 h2o -m worker -c "$run/h2o.conf" ;; esac
for port in "$p_proxyd" "$p_nginx" "$p_haproxy"; do answers "$port"; answers "$port"; done

# Anonymous memory before and after so many connections that have asked once; the rest of the run does not matter then.
if [ "$load" = idle ]; then
	echo "+ $idle connections that have asked once and wait"
	for name in proxyd nginx haproxy; do
		pid_var=pid_$name port_var=p_$name
		/usr/bin/python3 - "${!pid_var}" "${!port_var}" "$idle" "$scheme" "$name" <<'PYTHON'
import re, socket, ssl, sys
pid, port, count, scheme, name = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
def memory():
    with open(f'/proc/{pid}/status') as f:
        return int(re.search(r'RssAnon:\s+(\d+)', f.read())[1]) * 1024
def ask():
    s = socket.create_connection(('127.0.0.1', port))
    if scheme == 'https':
        s = context.wrap_socket(s, server_hostname='site.test')
    s.sendall(b'GET /object HTTP/1.1\r\nHost: site.test\r\n\r\n')
    got = b''
    while not got.endswith(b'xxxx'):
        got += s.recv(65536)
    return s
warm = [ask() for _ in range(50)]
before = memory()
held = [ask() for _ in range(count)]
print(f'{name:8} {(memory() - before) / count:8.0f} bytes a connection')
PYTHON
	done
	exit 0
fi
ticks() { awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
hertz=$(getconf CLK_TCK)
command=(wrk -t1 -c"$connections" -d"${seconds}s" "$scheme://127.0.0.1:PORT/object")
case $load in
	full | resumed) command=("$out/bench/handshakes" 127.0.0.1 PORT "$load" "$seconds") ;;
	h2) command=(h2load -t1 -c"$connections" -m"$streams" -D"$seconds" "$scheme://127.0.0.1:PORT/object") ;;
esac
echo "+ $rounds rounds of: taskset -c 1 ${command[*]}   ($size bytes)"
: >"$run/results"
for round in $(seq "$rounds"); do
	for name in $names; do
		pid_var=pid_$name port_var=p_$name
		before=$(ticks "${!pid_var}")
		taskset -c 1 "${command[@]/PORT/${!port_var}}" >"$run/wrk.txt"
		after=$(ticks "${!pid_var}")
		awk -v name=$name -v round="$round" -v cpu="$(((after - before)))" -v hertz="$hertz" '
			/requests in/ { n = $1 } /^requests:/ { n = $2; bad = $2 - $8 } /^finished in/ { rate = $4 } /Requests\/sec/ { rate = $2 } /Non-2xx/ { bad = $NF } /Socket errors/ { errors = $0 }
			END { printf "%s %d %d %.2f %.0f %.0f %d%s\n", name, round, n, cpu / hertz, n / (cpu / hertz), rate, bad, errors }' "$run/wrk.txt" | tee -a "$run/results" >/dev/null
	done
done
echo
awk -v all="$names" '
	{ n[$1]++; sum[$1] += $5; rate[$1] += $6; bad[$1] += $7; if ($5 > best[$1]) best[$1] = $5; if (!low[$1] || $5 < low[$1]) low[$1] = $5 }
	END {
		printf "%-8s %12s %22s %10s %8s %s\n", "server", "req/CPU-s", "(lowest to highest)", "req/s", "errors", "proxyd is"
		count = split(all, names, " ")
		for (i = 1; i <= count; i++) { s = names[i]; printf "%-8s %12.0f %11.0f to %7.0f %10.0f %8d %.2f x\n", s, sum[s] / n[s], low[s], best[s], rate[s] / n[s], bad[s], (sum["proxyd"] / n["proxyd"]) / (sum[s] / n[s]) }
	}' "$run/results"
echo
echo "machine: $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores; $(nginx -v 2>&1); $(haproxy -v | head -1)"
