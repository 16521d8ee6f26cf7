#!/bin/sh
# Makes the header that page_assets.c includes: the style and the scripts of the page as C strings, and the hashes by which the
# page's Content-Security-Policy allows them and nothing else. Usage: embed.sh FOLDER OF THESE FILES
set -eu
cd "$1"
style() { cat uPlot.css style.css; }
# The licence of uPlot asks to be where it is.
script() { echo '/*'; cat uPlot.LICENSE; echo '*/'; cat uPlot.min.js script.js; }
text() {   # name
	name=$1
	echo "#define PAGE_${name}_HASH \"sha256-$($name | sha256sum | cut -c1-64 | tr a-f A-F | basenc --base16 -d | basenc --base64 -w0)\""
	echo "static const char page_$name[] ="
	# A question mark is escaped as well: two of them begin a trigraph.
	$name | sed -e 's/\\/\\\\/g; s/"/\\"/g; s/?/\\?/g; s/^/"/; s/$/\\n"/'
	echo ";"
}
text style
text script
