#!/usr/bin/env bash
# What action.yml does: judges a subject and leaves the reports. The exit code is the verdict.
#
#   HARNESS=... SUITE=client SUBJECT=./my-adapter REPORTS=reports packages/action/judge.sh
set -euo pipefail
: "${HARNESS:?the harness}" "${SUITE:?client or server}" "${SUBJECT:?the command of the subject}" "${REPORTS:?a folder}"

mkdir -p "$REPORTS"
words=(conformance "$SUITE" --subject "$SUBJECT" --guide)
words+=(--junit "$REPORTS/report.xml" --html "$REPORTS/report.html" --json "$REPORTS/report.json")
words+=(--markdown "$REPORTS/summary.md")
if [ -n "${DEVIATIONS-}" ]; then words+=(--deviations "$DEVIATIONS"); fi
if [ -n "${ONLY-}" ]; then words+=(--only "$ONLY"); fi

verdict=0
"$HARNESS" "${words[@]}" || verdict=$?
if [ -s "$REPORTS/summary.md" ] && [ -n "${GITHUB_STEP_SUMMARY-}" ]; then
    cat "$REPORTS/summary.md" >>"$GITHUB_STEP_SUMMARY"
fi
exit "$verdict"
