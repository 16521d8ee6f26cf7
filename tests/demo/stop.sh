#!/bin/bash
# make stop: ends what `make run` left running, each by its pid file, and only if the process is still the one meant.
set -u
run=${OUT:-build}/demo
stop() {   # name, signal, a word of its command line
	local file=$run/$1.pid pid
	[ -s "$file" ] || return 0
	read -r pid <"$file"
	if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -- "$3"; then
		kill "-$2" "$pid"
		for _ in $(seq 100); do
			[ -d "/proc/$pid" ] || break
			sleep 0.05
		done
		[ ! -d "/proc/$pid" ] || { echo "stop: $1 (pid $pid) does not end" >&2; return 1; }
		echo "stopped $1"
	fi
	rm -f "$file"
}
stop proxyd TERM proxyd
stop events TERM events.py
stop nginx QUIT nginx
