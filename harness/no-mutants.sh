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

# The name of a mutant on the command line, which only a program that has it holds; and its code, where symbols are left.
mutants=$(mktemp)
trap 'rm -f "$mutants"' EXIT
perl -0777 -ne 'print "$1\n" while /(?:\bmutant\(|^    [A-Z]\w* = )\s*"([^"]+)"/mg' \
    harness/src/license_server_mutants/*.rs harness/src/main_server_mutants/*.rs >"$mutants"
[ "$(wc -l <"$mutants")" -ge 50 ] || { echo "no-mutants: the sources of the harness list too few mutants" >&2; exit 1; }
printf '%s\n' license_server_mutants main_server_mutants >>"$mutants"

holds() { grep -aoF -f "$mutants" "$1" | sort -u; }
# The search finds what it looks for: the harness has all of them.
[ "$(holds "$programs/harness" | wc -l)" -eq "$(sort -u "$mutants" | wc -l)" ] || {
    echo "no-mutants: the search does not find the mutants of the harness itself" >&2
    exit 1
}
for program in license-server mock-solme; do
    if holds "$programs/$program"; then
        echo "no-mutants: $program holds the above" >&2
        exit 1
    fi
done
echo "no-mutants: license-server and mock-solme hold none of $(wc -l <"$mutants") names"
