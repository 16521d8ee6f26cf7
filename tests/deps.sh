#!/bin/sh
# What is needed from Debian, and whether it is there. Each row is probed by using it, not by asking the package manager.
#   tests/deps.sh check GROUP...     one sentence for each thing that is missing; exit 1 when there is one
#   tests/deps.sh install GROUP...   installs what is missing with apt-get (through sudo when not root), and nothing else
# Groups: build, run, test, bench.
set -u

# package | how it is probed | probe | groups | what it is for
ROWS='
gcc|tool|gcc|build|the compiler
make|tool|make|build|the build
libc6-dev|header|stdio.h|build|the C library
liblmdb-dev|header|lmdb.h|build|the index of the volumes
libxxhash-dev|header|xxhash.h|build|hashes and checksums
libpcre2-dev|pcre2|pcre2.h|build|patterns of server names and locations
libcsv-dev|header|csv.h|build|the definition of a line of the log
libjansson-dev|header|jansson.h|build|the JSON of logaudit
libssl-dev|header|openssl/ssl.h|build|TLS
zlib1g-dev|header|zlib.h|build|compressed answers (gzip), and compressed logs
libbrotli-dev|header|brotli/encode.h|build|compressed answers (br)
libzstd-dev|header|zstd.h|build|compressed answers (zstd)
libnghttp2-dev|header|nghttp2/nghttp2.h|build|HTTP/2
libcurl4-openssl-dev|header|curl/curl.h|build|OCSP answers over HTTP
nginx|tool|nginx|run test bench|a real web server as the origin
python3|tool|/usr/bin/python3|run test bench|the traffic, and the stories
procps|tool|ps|run|make stop
curl|tool|curl|test|stories with a client of another make
libcmocka-dev|cmocka|cmocka.h|test|unit tests
python3-pytest|python|pytest|test|the stories
python3-pytest-xdist|python|xdist|test|several stories at a time
python3-cryptography|python|cryptography|test|certificates for the stories
openssl|tool|openssl|test bench|a TLS client of another make
python3-brotli|python|brotli|test|stories that read what brotli wrote
zstd|tool|zstd|test|stories that read what zstd wrote
chromium|tool|chromium|test|the page of the report in a real browser
python3-httpx|python|httpx|test|stories with a client of another make
python3-h2|python|h2|test|stories with a client of HTTP/2
nghttp2-client|tool|h2load|test bench|clients of HTTP/2 of another make
clang|tool|clang|test|the second compiler, and the fuzz targets
libclang-rt-dev|fuzzer|-fsanitize=fuzzer,address|test|the fuzz targets
haproxy|tool|haproxy|bench|a peer to measure beside
h2o|tool|h2o|bench|a peer to measure beside, over TLS
wrk|tool|wrk|bench|the load
util-linux|tool|taskset|bench|one core for each side
'

PATH=$PATH:/usr/sbin:/sbin
CC=${CC:-gcc}

have_cc=1
command -v "$CC" >/dev/null 2>&1 || have_cc=

header() {     # what, lines before it
	if [ -z "$have_cc" ]; then   # without a compiler only the file can tell
		ls /usr/include/"$1" /usr/include/*/"$1" >/dev/null 2>&1
		return
	fi
	printf "${2-}#include <$1>\n" | "$CC" -E -x c - >/dev/null 2>&1
}

probe() {      # how, what
	case $1 in
	tool) command -v "$2" >/dev/null 2>&1 ;;
	header) header "$2" ;;
	pcre2) header "$2" '#define PCRE2_CODE_UNIT_WIDTH 8\n' ;;
	cmocka) header "$2" '#include <stdarg.h>\n#include <stddef.h>\n#include <setjmp.h>\n#include <stdint.h>\n' ;;
	python) /usr/bin/python3 -c "import $2" >/dev/null 2>&1 ;;
	fuzzer) echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) { (void)d; (void)n; return 0; }' \
		| clang "$2" -x c - -o /dev/null 2>/dev/null ;;
	esac
}

say() {
	echo "deps: $1 is missing ($2): install the Debian package '$3'" >&2
}

install() {    # packages
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "deps: no apt-get here; install by other means:$*" >&2
		return 1
	fi
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		sudo=sudo
		command -v sudo >/dev/null 2>&1 || { echo "deps: run as root, or install sudo, or: apt-get install$*" >&2; return 1; }
	fi
	echo "deps: installing$*"
	# Only the programs are wanted: no service of theirs is to be started by the installation.
	$sudo env DEBIAN_FRONTEND=noninteractive sh -c '
		policy=/usr/sbin/policy-rc.d
		if [ ! -e $policy ]; then
			trap "rm -f $policy" EXIT
			printf "#!/bin/sh\nexit 101\n" >$policy && chmod 755 $policy
		fi
		log=$(mktemp) && { apt-get -q -y install --no-install-recommends "$@" || { apt-get -q update && apt-get -q -y install --no-install-recommends "$@"; }; } >$log 2>&1
		code=$?
		[ $code -eq 0 ] || tail -n 20 $log >&2
		rm -f $log
		exit $code' sh $*
}

[ $# -ge 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
action=$1
shift
missing=
code=0
old_ifs=$IFS
IFS='
'
for row in $ROWS; do
	IFS='|' read -r package how what groups why <<ROW
$row
ROW
	wanted=
	IFS=' '
	for group in $groups; do
		for asked in "$@"; do [ "$group" = "$asked" ] && wanted=1; done
	done
	if [ -n "$wanted" ] && ! probe "$how" "$what"; then
		missing="$missing $package"
		[ "$action" = check ] && say "$what" "$why" "$package"
	fi
	IFS='
'
done
IFS=$old_ifs
if [ -n "$missing" ]; then
	code=1
	if [ "$action" = install ]; then
		install "$missing"
		code=$?
	fi
fi
exit $code
