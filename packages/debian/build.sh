#!/usr/bin/env bash
# The Debian package of license-server, from a program that is built already.
#
#   packages/debian/build.sh PROFILE FILE [OPTIONS OF cargo deb]     release, or dev; where the package goes
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=$1 file=$2
shift 2

program=target/${profile/#dev/debug}/license-server
rm -rf target/debian
mkdir -p target/debian/man
"$program" man-pages target/debian/man >/dev/null
for shell in bash fish zsh; do
    "$program" completions "$shell" >"target/debian/license-server.$shell"
done
cargo deb --quiet --locked --no-build --profile "$profile" --package license-server --output "$file" "$@" >/dev/null
