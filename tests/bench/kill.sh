#!/bin/bash
# kill -9 at random moments under load, ROUNDS times: tests/story/torture.py says what is checked. Exit 1 at the first wrong byte,
# failed start, lost object that was committed, or purge that did not outlive the kill.
#   bash tests/bench/kill.sh [ROUNDS] [SEED]
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath "${OUT:-build}")
rounds=${1:-200} seed=${2:-$RANDOM}
echo "+ kill.sh $rounds $seed   (the seed decides which moments are tried, not what the kernel makes of them)"
export PROXYD=$out/proxyd PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 tests/story/torture.py "$rounds" --seed "$seed"
