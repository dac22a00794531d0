#!/usr/bin/env bash
# Faults of storage on the real programs. strace makes calls fail, so it is installed where it is missing; it has to look
# into programs that let nobody else do so, so this is run as root.
#
#   tests/faults/run.sh PROGRAM    which is both programs: target/release/harness
#
# ONLY=synchronization sweeps the operations in whose name that stands; all of them take ten minutes.
set -euo pipefail
FAULTS_PROGRAM=$(realpath "$1")
export FAULTS_PROGRAM
cd "$(dirname "$0")/../.."
. .ci/needs.sh
needs strace strace

# Each call of each operation is counted in any case: one that nobody sweeps is seen.
ONLY='' COUNT=1 cargo test --locked -p tests --test faults -- --ignored whatever_goes_wrong

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --locked -p tests --test faults -- --ignored --nocapture | tee "$log"
KILLS=200 cargo test --locked -p tests --test faults -- --nocapture killed
grep -Eq '[1-9][0-9]* passed; 0 failed; 0 ignored' "$log" # tests of another name would pass by not being there
