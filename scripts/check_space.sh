#!/bin/sh
# Say in one sentence where folder $1 and pip's temporary folder have no room for PyTorch and what
# else the tests need: before minutes of downloads, not behind them.
set -eu
KEPT=7 TEMPORARY=3 # GB, measured as 6.7 and 2.7

free() { df -Pk "$1" | awk 'NR == 2 { printf "%d", $4 / 1e6 }'; }
device() { df -Pk "$1" | awk 'NR == 2 { print $1, $6 }'; }

need() { # $1: folder, $2: GB, $3: what else to do
    [ "$(free "$1")" -ge "$2" ] || {
        echo "masa_ros: installing what the tests need takes $2 GB in $1, and $(free "$1") GB are" \
            "free there: make room$3. ('make demo' does without.)" >&2
        exit 1
    }
}

temporary=${TMPDIR:-/tmp}
if [ "$(device "$1")" = "$(device "$temporary")" ]; then
    need "$1" $((KEPT + TEMPORARY)) ""
else
    need "$1" $KEPT ""
    need "$temporary" $TEMPORARY ", or name another folder in TMPDIR"
fi
