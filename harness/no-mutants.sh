#!/usr/bin/env bash
# What ships has no bug on purpose: neither sources nor programs of the License Server and the main server know of a mutant.
# `harness/no-mutants.sh [release|debug]`; the programs of that profile, and the harness, have to be built.
set -euo pipefail
cd "$(dirname "$0")/.."
programs="${CARGO_TARGET_DIR:-target}/${1:-release}"

if grep -rin mutant client/src mock-solme/src; then
    echo "no-mutants: the sources above speak of mutants" >&2
    exit 1
fi

# The name of a mutant on the command line, which only a program that has it holds; and its code, where symbols are left. What
# is also a quirk has a name that ships: a main server that misbehaves when it is told to.
mutants=$(mktemp)
trap 'rm -f "$mutants"' EXIT
quirks=$(grep -oE '"[a-z0-9-]+"' mock-solme/src/quirks/catalogue.rs | tr -d '"')
perl -0777 -ne 'print "$1\n" while /(?:\bmutant\(|^    [A-Z]\w* = )\s*"([^"]+)"/mg' \
    harness/src/license_server_mutants/*.rs harness/src/main_server_mutants/*.rs | grep -vxF -e "$quirks" >"$mutants"
[ "$(wc -l <"$mutants")" -ge 50 ] || { echo "no-mutants: the sources of the harness list too few mutants" >&2; exit 1; }
printf '%s\n' license_server_mutants main_server_mutants >>"$mutants"

holds() { grep -aoF -f "$mutants" "$1" | sort -u; }
# The search finds what it looks for: the harness has all of them.
while read -r name; do
    grep -aqF -e "$name" "$programs/harness" || { echo "no-mutants: the harness itself does not hold $name" >&2; exit 1; }
done <"$mutants"
for program in license-server mock-solme; do
    if holds "$programs/$program"; then
        echo "no-mutants: $program holds the above" >&2
        exit 1
    fi
done
echo "no-mutants: license-server and mock-solme hold none of $(wc -l <"$mutants") names"
