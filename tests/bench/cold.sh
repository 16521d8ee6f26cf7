#!/bin/bash
# What cold reads cost those who ask for what is in memory: a volume of several times the memory that its daemon may have (a
# memory cgroup), on a disk that is made slower (tests/shim/disk.c: each read that may wait takes DELAY_US more). One worker on
# core 0; wrk on core 1 asks for one hot object, for random cold ones, and for both at once. Latency is wrk's.
#   SECONDS_EACH=5 OBJECTS=24000 SIZE=16384 MEMORY=96m DELAY_US=2000 THREADS="1 4 16" bash tests/bench/cold.sh
# Without a memory cgroup that can be made here it says so, and the shim lets nothing come from the page cache instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath "${OUT:-build}")
seconds=${SECONDS_EACH:-5} objects=${OBJECTS:-24000} size=${SIZE:-16384} memory=${MEMORY:-96m} delay=${DELAY_US:-2000} threads=${THREADS:-1 4 16}
NAME=cold
. tests/bench/run.sh
group=
trap 'clean; [ -z "$group" ] || rmdir "$group" 2>/dev/null || true' EXIT

read -r origin port metrics <<<"$(ports 3)"

# A group of our own, of either version of cgroups; the daemon moves itself into it.
group_make() {
	local v1 v2 base
	v1=$(awk -F: '$2 == "memory" { print $3 }' /proc/self/cgroup)
	v2=$(awk -F: '$1 == "0" { print $3 }' /proc/self/cgroup)
	for base in "/sys/fs/cgroup/memory$v1" "/sys/fs/cgroup$v2"; do
		mkdir "$base/bench-cold.$$" 2>/dev/null || continue
		group=$base/bench-cold.$$
		{ echo "$memory" >"$group/memory.limit_in_bytes"; } 2>/dev/null && return
		{ echo "$memory" >"$group/memory.max"; } 2>/dev/null && return
		rmdir "$group"
		group=
	done
}
group_make
cold=0
if [ -n "$group" ]; then
	echo "memory: a cgroup of $memory ($group)"
else
	echo "memory: no memory cgroup can be made here; the shim lets nothing come from the page cache instead"
	cold=1
fi

mkdir "$run/www" "$run/tmp"
head -c "$size" /dev/urandom >"$run/www/object"
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un);"
temps="client_body_temp_path $run/tmp/b; proxy_temp_path $run/tmp/p; fastcgi_temp_path $run/tmp/f; uwsgi_temp_path $run/tmp/u; scgi_temp_path $run/tmp/s;"
cat >"$run/origin.conf" <<CONF
$user
daemon off; worker_processes 1; pid $run/origin.pid; error_log $run/origin-error.log;
events { }
http { $temps access_log off; keepalive_requests 1000000000;
	server { listen 127.0.0.1:$origin; root $run/www; location / { add_header Cache-Control "max-age=86400"; default_type text/plain; try_files /object =404; } } }
CONF
config() {     # threads
	cat >"$run/proxyd.conf" <<CONF
workers 1;
access_log $run/proxyd.csv;
metrics 127.0.0.1:$metrics;
volume main { path $run/volume; size $((objects * (size + 4096) * 5 / 4 / 1048576 + 32))m; ram 8m; io_threads $1; }
server { listen 127.0.0.1:$port; location / { proxy_pass http://127.0.0.1:$origin; proxy_cache main; } }
CONF
}
answers() { curl -sf --noproxy '*' -o /dev/null "http://127.0.0.1:$1/hot"; }
wait_for() {
	for _ in $(seq 400); do answers "$1" && return; sleep 0.05; done
	echo "bench: nothing answers on port $1:" >&2
	cat "$run"/*.out >&2
	exit 1
}
# The page of tests/shim/disk.c: cold and delay_us are at these bytes (tests/story/disk.py says where).
page() {
	/usr/bin/python3 - "$run" "$cold" "$delay" <<'PYTHON'
import sys
sys.path.insert(0, 'tests/story')
sys.dont_write_bytecode = True
from disk import Disk
disk = Disk(sys.argv[1])
disk.set('cold', int(sys.argv[2]))
disk.set('delay_us', int(sys.argv[3]))
PYTHON
}
start() {      # with or without the group and the slow disk
	if [ "$1" = slow ]; then
		page
		{ [ -z "$group" ] || echo "$BASHPID" >"$group/cgroup.procs"
		  DISK_SHIM=$run/disk LD_PRELOAD=$out/shim/disk.so exec taskset -c 0 "$out/proxyd" -c "$run/proxyd.conf"; } >"$run/proxyd.out" 2>&1 &
	else
		taskset -c 0 "$out/proxyd" -c "$run/proxyd.conf" >"$run/proxyd.out" 2>&1 &
	fi
	daemon=$!
	pids+=("$daemon")
	wait_for "$port"
}
stop() { kill "$daemon"; wait "$daemon" 2>/dev/null || true; }
gauge() { curl -s --noproxy '*' "http://127.0.0.1:$metrics/metrics" | awk -v name="proxyd_$1" 'index($1, name) == 1 { print $2; exit }'; }

taskset -c 1 nginx -p "$run" -e "$run/origin-error.log" -c "$run/origin.conf" >"$run/origin.out" 2>&1 &
pids+=($!)
wait_for "$origin"

cat >"$run/fill.lua" <<LUA
local at = 0
request = function() at = at % $objects + 1; return wrk.format("GET", "/o/" .. at) end
LUA
cat >"$run/cold.lua" <<LUA
math.randomseed(os.time())
request = function() return wrk.format("GET", "/o/" .. math.random($objects)) end
LUA
config 4
start fast
for _ in $(seq 60); do
	[ "$(gauge volume_objects)" -lt "$objects" ] || break
	taskset -c 1 wrk -t1 -c4 -d2s -s "$run/fill.lua" "http://127.0.0.1:$port" >/dev/null
done
echo "volume: $(gauge volume_objects) objects of $size bytes; disk: $delay us more for each read that waits; ram 8m"
stop
[ -z "$group" ] || sync

measure() {    # name, connections, script or -, url
	local script=()
	[ "$3" = - ] || script=(-s "$3")
	taskset -c 1 wrk -t1 -c"$2" -d"${seconds}s" --latency "${script[@]}" "$4" >"$run/wrk-$1.txt"
}
show() {       # threads, what, file
	awk -v threads="$1" -v what="$2" '
		$1 == "50%" { p50 = $2 } $1 == "99%" { p99 = $2 } /Requests\/sec/ { rate = $2 } /Non-2xx/ { bad = $NF }
		END { printf "%10s  %-28s %10s %10s %12.0f %8d\n", threads, what, p50, p99, rate, bad }' "$run/wrk-$3.txt"
}
echo
printf '%10s  %-28s %10s %10s %12s %8s\n' io_threads what p50 p99 requests/s errors
for n in $threads; do
	config "$n"
	start slow
	measure alone 4 - "http://127.0.0.1:$port/hot"
	measure cold 64 "$run/cold.lua" "http://127.0.0.1:$port"
	measure beside-cold 64 "$run/cold.lua" "http://127.0.0.1:$port" &
	other=$!
	measure beside 4 - "http://127.0.0.1:$port/hot"
	wait "$other"
	show "$n" "in memory, alone" alone
	show "$n" "cold, 64 clients, alone" cold
	show "$n" "in memory, beside cold" beside
	show "$n" "cold, beside memory" beside-cold
	echo "            of the answers so far from disk: $(gauge tier_disk_total), given up for the origin: $(gauge disk_late_total), misses: $(gauge misses_total)"
	stop
done
echo
echo "machine: $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores"
