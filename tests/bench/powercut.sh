#!/bin/bash
# IMAGES power cuts of one volume, one after the other: tests/unit/cachestore_powercut.c says what is cut and what is checked.
#   bash tests/bench/powercut.sh [IMAGES] [SEED]
set -euo pipefail
cd "$(dirname "$0")/../.."
export IMAGES=${1:-200} SEED=${2:-$RANDOM}
echo "+ powercut.sh $IMAGES $SEED"
make -s "${OUT:-build}/unit/cachestore_powercut"
exec "${OUT:-build}/unit/cachestore_powercut"
