#!/usr/bin/env bash
# The release archive as its user has it: checked, unpacked, and its programs used with nothing else installed. What each says
# that it is made of is what its bill of materials says. Built again in another folder, it has the same bytes.
#
#   packages/release/check.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

. .ci/needs.sh
needs jq jq
rust-audit-info --version >/dev/null 2>&1 || cargo install --quiet --locked --version 0.5.4 rust-audit-info

work=$(mktemp -d)
trap 'kill ${simulator:-} 2>/dev/null || true; rm -rf "$work"' EXIT
archive=$(packages/release/build.sh "$work/first")
cd "$work/first"
sha256sum --quiet --check SHA256SUMS
tar -xzf "$archive" -C "$work"
unpacked=$work/$(basename "$archive" .tar.gz)

for program in license-server mock-solme harness; do
    path=$unpacked/bin/$program
    if readelf --program-headers "$path" | grep INTERP; then
        echo "$program is not static" >&2
        exit 1
    fi
    for folder in "$OLDPWD" "${CARGO_HOME:-$HOME/.cargo}"; do
        if grep -aoF -m 3 "$folder/" "$path"; then
            echo "$program holds a path of this machine" >&2
            exit 1
        fi
    done
    # Whatever is inside is in the bill. What the bill has besides, procedural macros and what they are made of, has built it.
    rust-audit-info "$path" | jq '.packages[] | select(.root != true)' >"$work/audited"
    jq -r '"\(.name) \(.version)"' "$work/audited" | sort >"$work/known"
    jq -r 'select(.kind != "build") | "\(.name) \(.version)"' "$work/audited" | sort >"$work/inside"
    jq -r '.components[] | "\(.name) \(.version)"' "$program.cdx.json" | sort >"$work/bill"
    [ "$(wc -l <"$work/inside")" -gt 50 ]
    if ! comm -13 "$work/bill" "$work/inside" | diff - /dev/null || ! comm -23 "$work/bill" "$work/known" | diff - /dev/null; then
        echo "the packages above are in $program and not in its bill, or in its bill alone" >&2
        exit 1
    fi
    [ -s "$unpacked/share/man/man1/$program.1" ] && [ -s "$unpacked/share/zsh/site-functions/_$program" ]
    echo "release: $program has $(stat -c %s "$path") bytes, is static, and of $(wc -l <"$work/inside") packages"
done
grep -q 'aws-lc-sys' "$unpacked/share/doc/license-server-sync/LICENSES-THIRD-PARTY.txt"

license_server=("$unpacked/bin/license-server" --state "$work/state")
env -i "$unpacked/bin/mock-solme" serve --data "$work/data" >"$work/ready" &
simulator=$!
until [ -s "$work/ready" ]; do kill -0 $simulator && sleep 0.1; done
env -i "${license_server[@]}" init --id DEMO-4711 --trust "$work/data/trust.json" >/dev/null
env -i "${license_server[@]}" synchronize >/dev/null
env -i "${license_server[@]}" may-issue >/dev/null
env -i "$unpacked/bin/harness" list client >"$work/listed" # not piped: grep would not read it to the end
grep -q '^1\.1/' "$work/listed"
echo "release: what was unpacked synchronizes and may issue"

# What is committed and what is changed, in another folder; nothing of what was built.
cd "$OLDPWD"
mkdir "$work/elsewhere"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xf - -C "$work/elsewhere"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) env -u CARGO_TARGET_DIR "$work/elsewhere/packages/release/build.sh" "$work/second" >/dev/null
cmp "$archive" "$work/second/$(basename "$archive")"
diff -r "$work/first" "$work/second"
echo "release: built again in another folder, it has the same bytes"
