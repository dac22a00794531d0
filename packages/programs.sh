#!/usr/bin/env bash
# The three programs as they are handed out: static, small, without symbols, with the list of their dependencies inside, and
# the same bytes in whatever folder they are built. Prints the folder where they are.
#
#   packages/programs.sh
set -euo pipefail
cd "$(dirname "$0")/.."
cargo auditable --version >/dev/null 2>&1 || cargo install --quiet --locked --version 0.7.7 cargo-auditable >&2

target=$(rustc -vV | sed -n 's/^host: //p')
built=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
# No path of this machine, neither of Rust's files nor of C's.
paths=("${CARGO_HOME:-$HOME/.cargo}=/cargo" "$PWD=/src" "$built=/target")
export RUSTFLAGS="-C target-feature=+crt-static ${paths[*]/#/--remap-path-prefix=}"
export CFLAGS="${paths[*]/#/-ffile-prefix-map=}"
cargo auditable build --quiet --profile dist --locked --target "$target" \
    --bin license-server --bin mock-solme --bin harness >&2
echo "$built/$target/dist"
