#!/usr/bin/env bash
# Each skeleton of `harness new-adapter` runs, is judged, and is told what to implement next; whoever follows that in Python
# comes to ten cases that pass; and the action's step judges and leaves its reports.
#
#   packages/adapters.sh HARNESS
set -euo pipefail
harness=$(realpath "$1")
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for language in python node shell go; do
    "$harness" new-adapter "$language" "$work/$language" >"$work/next"
    if [ "$language" = go ]; then
        command -v go >/dev/null || { echo "go: skipped, there is no Go here"; continue; }
        (cd "$work/go" && GOFLAGS=-mod=mod GOCACHE="$work/cache" go build -o adapter .)
    fi
    subject=$(sed -n 's/^ *harness conformance client --subject \(.*\) --guide$/\1/p' "$work/next")
    "$harness" conformance client --subject "$subject" --guide --only '13.1/*' >"$work/said" && exit 1
    grep -q 'Next: implement init ' "$work/said"
    grep -q '0 failed' "$work/said"
    echo "$language: judged, and told what is next"
done

"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement ../tests/peer/requirements.txt
"$work/venv/bin/python" first-steps/grow.py "$harness"

export HARNESS=$harness SUITE=client ONLY='13.1/*' GITHUB_STEP_SUMMARY="$work/step"
SUBJECT=ours REPORTS="$work/ours" action/judge.sh >/dev/null
SUBJECT="$work/shell/adapter.sh" REPORTS="$work/theirs" action/judge.sh >/dev/null && exit 1
for report in report.xml report.html report.json summary.md; do [ -s "$work/theirs/$report" ]; done
grep -q 'conforms' "$work/step"
echo "The action's step judges, and leaves its reports."
