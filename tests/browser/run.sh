#!/usr/bin/env bash
# The pages of the programs, in Chromium.
#
#   tests/browser/run.sh [SCREENSHOTS]     a folder for pictures of the pages, for people to look at
set -euo pipefail
cd "$(dirname "$0")/../.."

. .ci/needs.sh
needs npm npm
needs chromium chromium

programs=${PROGRAMS:-target/release}
export LICENSE_SERVER="$PWD/$programs/license-server" MOCK_SOLME="$PWD/$programs/mock-solme"
[ -x "$LICENSE_SERVER" ] && [ -x "$MOCK_SOLME" ] ||
    cargo build --release --locked --bin license-server --bin mock-solme
work=$(mktemp -d)
"$MOCK_SOLME" serve --data "$work/data" >"$work/ready.json" 2>"$work/log" &
simulator=$!
trap 'kill $simulator; rm -rf "$work"' EXIT
until [ -s "$work/ready.json" ]; do kill -0 $simulator && sleep 0.1; done
if [ $# -gt 0 ]; then mkdir -p "$1"; set -- "$(realpath "$1")"; fi
npm install --silent --no-fund --no-audit --prefix "$work" playwright-core@1.65.1
cp tests/browser/manager.mjs "$work"
CHROMIUM=$(command -v chromium) timeout 240 node "$work/manager.mjs" "$work" "$@"
