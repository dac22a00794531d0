#!/usr/bin/env bash
# The release archive, with bills of materials and checksums beside it. The same commit gives the same bytes, in whatever
# folder it is built.
#
#   packages/release/build.sh DIRECTORY
set -euo pipefail
mkdir -p "$1"
to=$(realpath "$1")
cd "$(dirname "$0")/../.."
cargo cyclonedx --version >/dev/null 2>&1 || cargo install --quiet --locked --version 0.5.9 cargo-cyclonedx

programs=$(packages/programs.sh)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=$("$programs/license-server" --version | cut -d' ' -f2)
name=license-server-sync-$version-$(uname -m)-linux
work=$(mktemp -d)
bills=(client/license-server.cdx.json mock-solme/mock-solme.cdx.json harness/harness.cdx.json)
trap 'rm -rf "$work" ./*/*_bin.cdx.json' EXIT

share=$work/$name/share
doc=$share/doc/license-server-sync
mkdir -p "$work/$name/bin" "$share"/man/man1 "$share"/bash-completion/completions "$share"/fish/vendor_completions.d \
    "$share"/zsh/site-functions "$doc"
for program in license-server mock-solme harness; do
    install -m 755 "$programs/$program" "$work/$name/bin/$program"
    "$programs/$program" man-pages "$share/man/man1" >/dev/null
    "$programs/$program" completions bash >"$share/bash-completion/completions/$program"
    "$programs/$program" completions fish >"$share/fish/vendor_completions.d/$program.fish"
    "$programs/$program" completions zsh >"$share/zsh/site-functions/_$program"
done
install -m 644 packages/release/README.md "$work/$name"
install -m 644 LICENSE-MIT LICENSE-APACHE CHANGELOG.md MANUAL.md protocol/PROTOCOL.md harness/SUBJECT.md \
    client/service/config.toml client/service/license-server.service "$doc"
target=$(rustc -vV | sed -n 's/^host: //p')
python3 packages/release/licenses.py "$target" >"$doc/LICENSES-THIRD-PARTY.txt"

# The bills are written beside each Cargo.toml, with the path of this folder in them.
cargo cyclonedx --quiet --format json --spec-version 1.5 --describe binaries --no-build-deps --target "$target"
for bill in "${bills[@]}"; do
    sed "s|file://$PWD|file:///src|g" "${bill%.cdx.json}_bin.cdx.json" >"$to/$(basename "$bill")"
done

tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
    -C "$work" -cf - "$name" | gzip -9n >"$to/$name.tar.gz"
(cd "$to" && sha256sum "$name.tar.gz" ./*.cdx.json | sed 's|\./||' >SHA256SUMS)
echo "$to/$name.tar.gz"
