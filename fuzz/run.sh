#!/usr/bin/env bash
# Runs targets from the corpus of fixtures.
#
#   fuzz/run.sh SECONDS [TARGET ...]
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?how many seconds for each target}
shift
[ $# -gt 0 ] || set -- request receipt refusal jwk json allocation file trust problem text

corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
cp ../fixtures/golden/* ../fixtures/bad/* "$corpus"
for target in "$@"; do
    echo "== $target"
    mkdir -p "corpus/$target"
    cargo +nightly fuzz run "$target" "corpus/$target" "$corpus" -- -max_total_time="$seconds" -max_len=65536 -verbosity=0 -print_final_stats=1
done
