# What the benchmarks that start servers share; sourced. NAME is the benchmark's.
#   $run: a folder of its own; ${pids[@]}: what was started and is ended with the script, as is the folder
run=$(mktemp -d "${TMPDIR:-/tmp}/bench-$NAME.XXXXXX")
chmod 755 "$run"
export PATH=$PATH:/usr/sbin:/sbin
pids=()
clean() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	rm -rf "$run"
}
trap clean EXIT

# So many free ports: of TCP, then of datagrams.
ports() {
	/usr/bin/python3 - "$1" "${2:-0}" <<'PYTHON'
import socket, sys
taken = [socket.socket() for _ in range(int(sys.argv[1]))] + [socket.socket(type=socket.SOCK_DGRAM) for _ in range(int(sys.argv[2]))]
for s in taken:
    s.bind(('127.0.0.1', 0))
print(*(s.getsockname()[1] for s in taken))
PYTHON
}
