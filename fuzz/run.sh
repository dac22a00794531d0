#!/usr/bin/env bash
# Runs targets from fixtures and seeds, one after the other, and says how many inputs each has tried.
#
#   fuzz/run.sh SECONDS [protocol | programs | TARGET ...]
#
# INPUTS=N ends a target after N inputs, the same ones each time, so that a check of one commit has one verdict.
# Without a nightly compiler the tests run the same targets, over the same inputs, damaged at random.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?how many seconds for each target}
shift

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "No nightly compiler (rustup toolchain install nightly): the targets run as tests, over damaged fixtures."
    cd ..
    cargo test --locked -p solme-sync-protocol --test vectors damaged
    cargo test --locked -p tests --test all damaged
    exit
fi

export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
version=0.13.1
[ "$(cargo fuzz --version 2>/dev/null)" = "cargo-fuzz $version" ] ||
    cargo install --quiet --locked --version "$version" cargo-fuzz

if ! cargo metadata --locked --format-version 1 >/dev/null 2>&1; then
    echo "fuzz/Cargo.lock is not that of the workspace any more. Run cp Cargo.lock fuzz/ && (cd fuzz && cargo metadata >/dev/null), and commit it." >&2
    exit 1
fi

# A target of the protocol alone does not wait for all that the programs are made of.
of() { grep -l "path = \"../$1.rs\"" fuzz_targets/*.rs | xargs -n 1 basename -s .rs; }
case "${*:-all}" in
all) targets="$(of targets) $(of programs)" ;;
protocol) targets=$(of targets) ;;
programs) targets=$(of programs) ;;
*) targets="$*" ;;
esac
features=--no-default-features
for target in $targets; do
    if of programs | grep -x "$target" >/dev/null; then features=; fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=corpus
same=
if [ -n "${INPUTS:-}" ]; then
    corpus="$work/corpus"
    same="-runs=$INPUTS -seed=1"
fi

# The same as seeds() in damage.rs: of a bad file what is bad, and the payload of each message.
mkdir "$work/seeds"
cp ../fixtures/golden/* ../fixtures/scenarios/*.toml seeds/* "$work/seeds"
for bad in ../fixtures/bad/*; do
    out="$work/seeds/$(basename "$bad")"
    sed '1,/^$/d' "$bad" >"$out"
    if sed '/^$/q' "$bad" | grep -q '^body: base64$'; then
        base64 -d "$out" >"$out.decoded"
        mv "$out.decoded" "$out"
    fi
done
for message in "$work"/seeds/*; do
    [ "$(tr -cd . <"$message" | wc -c)" = 2 ] || continue
    # The padding is missing, which base64 complains of after the last byte.
    cut -d. -f2 "$message" | tr -- '-_' '+/' | base64 -d >"$message.payload" 2>/dev/null || true
done

for target in $targets; do
    mkdir -p "$corpus/$target"
    started=$SECONDS
    if ! cargo +nightly fuzz run --sanitizer none $features "$target" "$corpus/$target" "$work/seeds" -- \
        $same -max_total_time="$seconds" -max_len=65536 -timeout=10 -verbosity=0 -print_final_stats=1 2>"$work/log"; then
        cat "$work/log" >&2
        exit 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
    printf '%-16s %10s inputs in %s s\n' "$target" "${runs:?it says nothing of its runs}" "$((SECONDS - started))"
done
