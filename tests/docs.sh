#!/bin/sh
# make docs-check: what people read is what the programs do. The manual pages name every option and command; README's
# configurations load, its commands exist; `make help` names every target that is meant to be called.
set -u
cd "$(dirname "$0")/.." || exit 2
out=${OUT:-build}
case $out in /*) ;; *) out=$PWD/$out ;; esac
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
bad=0
wrong() { echo "docs-check: $*" >&2; bad=1; }

# Pages as text: \- is a dash, quotes and fonts do not matter.
page() { sed -e 's/\\-/-/g; s/\\f.//g' -e 's/^\.[A-Z]* //; s/"//g; s/ \([a-z:]\)/ \1/g' "$1"; }
page proxyd/proxyd.8 >"$tmp/proxyd"
for option in $("$out/proxyd" --help | sed -n 's/^  -[A-Za-z], --\([a-z-]*\) .*/\1/p'); do
	grep -qe "--$option\b" "$tmp/proxyd" || wrong "proxyd/proxyd.8 has no --$option"
done
for letter in $("$out/proxyd" --help | sed -n 's/^  -\([A-Za-z]\), --.*/\1/p'); do
	grep -qe "\(^\|[^-]\)-$letter\b" "$tmp/proxyd" || wrong "proxyd/proxyd.8 has no -$letter"
done
# What follows from the tables of commands and options is in the page as the program prints it.
sed -n '/tables:begin/,/tables:end/p' logaudit/logaudit.1 | sed '1d;$d' >"$tmp/tables"
"$out/logaudit" help man >"$tmp/man"
cmp -s "$tmp/tables" "$tmp/man" || wrong "logaudit/logaudit.1 is not what 'logaudit help man' prints between tables:begin and tables:end:" \
	"make docs writes it"

for word in $("$out/proxyd" volume --help | sed -n 's/^  \(--\)\{0,1\}\([a-z-]*\) .*/\1\2/p' | grep -E '^(--|check$|stat$|dump$|top$)'); do
	grep -qe "$word\b" "$tmp/proxyd" || wrong "proxyd/proxyd.8 has no $word of proxyd volume"
done
for word in $("$out/proxyd" volume --help | sed -n '/^What top/,/^A volume/s/^  \([a-z]*\) .*/\1/p'); do
	grep -qe "$word\b" "$tmp/proxyd" || wrong "proxyd/proxyd.8 has no top --by $word"
done

# Targets: those of README and tests/README.md exist, those of .PHONY that people call are in the help.
make -s help >"$tmp/help"
for target in $(grep -oh '`*make [a-z0-9-]*' README.md tests/README.md conf/tbl/README | sed 's/.*make //' | sort -u); do
	grep -q "^$target:" Makefile || wrong "a README says 'make $target', and there is no such target"
done
for target in $(sed -n 's/^\.PHONY: //p' Makefile); do
	case $target in all|help|fuzz-run) continue ;; esac
	grep -q "make $target\b" "$tmp/help" || wrong "make help does not name $target"
done

# README's indented blocks that are configurations load, alone and within http { }.
awk -v tmp="$tmp" '/^    [a-z]/ && !in_block { in_block = 1; n++ }
	!/^    / && !/^$/ { in_block = 0 }
	in_block { print substr($0, 5) >(tmp "/block" n) }' README.md
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/key.pem" -out "$tmp/leaf.pem" -days 2 -subj /CN=example.com \
	-addext subjectAltName=DNS:example.com 2>/dev/null
cat "$tmp/leaf.pem" "$tmp/key.pem" >"$tmp/cert.pem"
configs=0
for block in "$tmp"/block*; do
	grep -q '^server {' "$block" || continue
	configs=$((configs + 1))
	sed "s|/var/[a-z/]*/|$tmp/|; s|size 20g|size 8m|; s|/etc/ssl/[a-z/]*\.pem|$tmp/cert.pem|" "$block" >"$tmp/plain.conf"
	"$out/proxyd" -t -c "$tmp/plain.conf" 2>"$tmp/said" || wrong "a configuration of README.md does not load: $(cat "$tmp/said")"
	{ echo 'events { } http {'; cat "$tmp/plain.conf"; echo '}'; } >"$tmp/http.conf"
	"$out/proxyd" -t -c "$tmp/http.conf" 2>"$tmp/said" || wrong "a configuration of README.md does not load within http: $(cat "$tmp/said")"
done
[ $configs -ge 2 ] || wrong "README.md has $configs configurations, not the two that are known"
[ $bad -eq 0 ] && echo "docs-check: pages, targets and README's configurations are right"
exit $bad
