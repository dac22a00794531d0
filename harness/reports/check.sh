#!/usr/bin/env bash
# The reports of a hostile subject, and of an honest one beside it, as their consumers read them: TAP by prove, JUnit by the
# schema of Jenkins' xUnit plugin, the HTML page by the Nu Html Checker, and by a person in Chromium (page.mjs). The page of a
# fleet as well (fleet.mjs).
#
#   harness/reports/check.sh [HARNESS ...]    without it: cargo run --bin harness
set -euo pipefail
cd "$(dirname "$0")/../.."

. .ci/needs.sh
needs prove perl
needs xmllint libxml2-utils
needs java default-jre-headless
needs npm npm
needs chromium chromium

if [ $# -eq 0 ]; then
    set -- cargo run --locked --quiet --bin harness --
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "harness/reports/check.sh: $*" >&2
    exit 1
}

# Both conform, or one does not: judged so, the exit code is 0 or 1.
judged() {
    local code=0
    "$@" >"$work/text" 2>&1 || code=$?
    [ "$code" -le 1 ] || { cat "$work/text"; fail "exit code $code"; }
}
judge=("$@" conformance client --seed 1 --verb-limit 5 --only '1.*' --only '2.*')
hostile="sh harness/reports/hostile.sh"
judged "${judge[@]}" --subject "$hostile" --subject ours \
    --tap "$work/two.tap" --junit "$work/two.xml" --html "$work/two.html"
if LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$work"/text "$work"/two.*; then
    fail "control characters in a report"
fi
judged "${judge[@]}" --subject ours --tap "$work/one.tap" --junit "$work/one.xml" --html "$work/one.html"
judged "${judge[@]}" --subject "$hostile" --tap "$work/hostile.tap" --tap-version 14 --html "$work/hostile.html"

# A main server can be as hostile. It needs the harness as one word.
printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$work/harness"
chmod +x "$work/harness"
judged "$@" conformance server --seed 1 --only '9.5' --only '16.*' --subject ours \
    --subject "sh harness/reports/hostile-main-server.sh '$work/harness'" \
    --tap "$work/main.tap" --junit "$work/main.xml" --html "$work/main.html"
if LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$work"/text "$work"/main.*; then
    fail "control characters in a report of a main server"
fi

# prove takes what conforms, fails what does not, and has nothing to say about the form.
prove "$work/one.tap"
prove "$work/two.tap" >"$work/proved" 2>&1 && fail "prove passes what does not conform"
if grep -iE 'parse error|bad plan|unplanned|out of sequence|bailout|unknown' "$work/proved"; then
    cat "$work/proved"
    fail "prove does not like the TAP"
fi
points=$(grep -cE '^(not )?ok ' "$work/two.tap")
grep -q "Tests=$points" "$work/proved" || { cat "$work/proved"; fail "prove counts another number than $points"; }
echo "TAP: prove reads $points points"

"$@" fleet --servers 20 --rate 40 --duration 4s --faults restart-main-server@1s,storm@2s,thief=10%,clears=5% \
    --html "$work/fleet.html" >/dev/null
"$@" scenario fixtures/scenarios/leaked-id.toml --junit "$work/story.xml" >/dev/null
xmllint --noout --nonet --schema harness/reports/junit.xsd "$work"/*.xml

npm install --silent --no-fund --no-audit --prefix "$work" playwright-core@1.65.1 vnu-jar@26.9.27
# It does not know hashes in a policy; Chromium does, and page.mjs listens to what it complains about.
java -jar "$work/node_modules/vnu-jar/build/dist/vnu.jar" --Werror \
    --filterpattern '.*violates Content Security Policy.*' "$work"/*.html
echo "HTML: valid"
cp harness/reports/page.mjs harness/reports/fleet.mjs "$work"
CHROMIUM=$(command -v chromium) node "$work/page.mjs" "$work/two.html"
CHROMIUM=$(command -v chromium) node "$work/page.mjs" "$work/hostile.html" >/dev/null
CHROMIUM=$(command -v chromium) node "$work/fleet.mjs" "$work/fleet.html"
