#!/bin/bash
# Certificates swapped under load: full TLS handshakes, each with one request, as fast as one client can, while the files of the
# certificate are replaced again and again; before it the same without. Every request must succeed.
#   SECONDS_EACH=10 PAUSE=0.25 bash tests/bench/swap.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath "${OUT:-build}")
seconds=${SECONDS_EACH:-10} pause=${PAUSE:-0.25}
NAME=swap
. tests/bench/run.sh

read -r port <<<"$(ports 1)"
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un);"
for n in $(seq 0 9); do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$run/$n.key" -out "$run/$n.crt" -days 90 \
		-subj /CN=site.test -addext subjectAltName=DNS:site.test 2>/dev/null
	cat "$run/$n.crt" "$run/$n.key" >"$run/$n.made"
done
put() { cp "$run/$1.made" "$run/new" && mv "$run/new" "$run/site.pem"; }
put 0
cat >"$run/proxyd.conf" <<CONF
workers 1;
$user
access_log $run/proxyd.csv;
error_log $run/error.log;
server { listen 127.0.0.1:$port ssl; ssl_certificate $run/site.pem; location / { return 200 "hello\n"; } }
CONF
taskset -c 0 "$out/proxyd" -c "$run/proxyd.conf" >"$run/proxyd.out" 2>&1 &
pids+=($!)
for _ in $(seq 200); do curl -skf --noproxy '*' -o /dev/null "https://127.0.0.1:$port/object" && break; sleep 0.05; done

load() { taskset -c 1 "$out/bench/handshakes" 127.0.0.1 "$port" full "$seconds" >"$run/$1.txt"; }
swap() { local n=0; while [ ! -e "$run/over" ]; do n=$((n + 1)); put $((n % 10)); echo "$n" >"$run/swaps"; sleep "$pause"; done; }
tell() {
	awk -v what="$2" '/requests in/ { n = $1 } /Requests\/sec/ { rate = $2 } /Non-2xx/ { bad = $NF }
		END { printf "%-28s %8d requests, each with a full handshake, %8.0f/s, %d failed\n", what, n, rate, bad }' "$run/$1.txt"
}
load still
swap &
pids+=($!)
load swapped
touch "$run/over"
tell still "without swaps"
tell swapped "$(cat "$run/swaps") files put there"
echo "certificates taken: $(grep -c 'is new: serial' "$run/error.log"), refused: $(grep -c 'certificate refused' "$run/error.log" || true)"
echo "serial numbers in the log: $(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } $1 == "req" { print $(at["tls_serial"]) }' "$run/proxyd.csv" | sort -u | wc -l)"
