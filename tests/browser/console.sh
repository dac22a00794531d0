#!/usr/bin/env bash
# The console of mock-solme in a real browser: console.mjs, with Chromium of the system's packages.
#
#   tests/browser/console.sh PROGRAMS [SCREENSHOTS]     PROGRAMS is the folder of the programs, for example target/release
set -euo pipefail
cd "$(dirname "$0")/../.."

. .ci/needs.sh
needs npm npm
needs chromium chromium

[ $# -ge 1 ] || {
    echo "tests/browser/console.sh: name the folder of the programs: target/release" >&2
    exit 2
}
programs=$(realpath "$1")
if [ $# -gt 1 ]; then mkdir -p "$2"; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-fund --no-audit --prefix "$work" playwright-core@1.65.1
cp tests/browser/console.mjs "$work"
CHROMIUM=$(command -v chromium) timeout 600 node "$work/console.mjs" "$programs" "${@:2}"
