#!/usr/bin/env bash
# The stage in a real browser: stage.mjs, with Chromium of the system's packages.
#
#   tests/browser/stage.sh HARNESS [SCREENSHOTS]     HARNESS is the program, for example target/release/harness
set -euo pipefail
cd "$(dirname "$0")/../.."

. .ci/needs.sh
needs npm npm
needs chromium chromium

[ $# -ge 1 ] || {
    echo "tests/browser/stage.sh: name the program: target/release/harness" >&2
    exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-fund --no-audit --prefix "$work" playwright-core@1.65.1
cp tests/browser/stage.mjs "$work"
# Where the stage keeps its port and token.
export XDG_STATE_HOME=$work/state
CHROMIUM=$(command -v chromium) node "$work/stage.mjs" "$(realpath "$1")" "${@:2}"
