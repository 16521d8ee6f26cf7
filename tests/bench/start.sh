#!/bin/bash
# Seconds until a volume with a million small objects is ready, warm and cold, and the memory of an object. The volume is made
# in START_FOLDER (13 GB, most of it never written), and is removed unless START_KEEP=1. START_OBJECTS: how many.
set -eu
OUT=${OUT:-build}
folder=${START_FOLDER:-$(mktemp -d)}
make -s OUT="$OUT" "$OUT/bench/start"
trap '[ "${START_KEEP:-0}" = 1 ] || rm -rf "$folder/volume"; rmdir "$folder" 2>/dev/null || :' EXIT
"$OUT/bench/start" "$folder/volume" "${START_OBJECTS:-1000000}" 5
