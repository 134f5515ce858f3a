#!/bin/sh
# Every paper in three minutes: what `make papers` runs. Two demonstrations at a time, one thread each.
# The exit status is not 0 where a claim does not hold.
set -eu
unweave=${1:-unweave}
folder=${2:-demos}

export OMP_NUM_THREADS=1
names=${3:-}
if [ -z "$names" ]; then
    claims=$("$unweave" demo)
    names=$(echo "$claims" | cut -d ' ' -f 1)
fi
echo "$names" | tr ' ' '\n' \
    | xargs -P 2 -I NAME "$unweave" demo NAME --quiet --output "$folder/NAME.png" --overwrite
