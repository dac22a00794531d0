#!/usr/bin/env bash
# The Debian package as an operator has it, in a Debian of its own: looked at by lintian, installed, used, upgraded, removed
# and purged. The state survives all but a purge with a word.
#
#   packages/debian/check.sh PROFILE     of programs that are built already: release, or dev
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=$1
[ "$(id -u)" = 0 ] || { echo "packages/debian/check.sh: run it as root: it installs into a root directory of its own" >&2; exit 1; }

. .ci/needs.sh
needs lintian lintian
needs mmdebstrap mmdebstrap
cargo deb --version >/dev/null 2>&1 || cargo install --quiet --locked --version 3.8.0 cargo-deb

work=$(mktemp -d)
trap 'kill ${simulator:-} 2>/dev/null || true; rm -rf "$work"' EXIT
package=$work/license-server_0.1.0-1.deb next=$work/license-server_0.1.0-2.deb
packages/debian/build.sh "$profile" "$package"
packages/debian/build.sh "$profile" "$next" --deb-version 0.1.0-2
# Its changelog is of the version before.
lintian --allow-root --fail-on error,warning "$package"
echo "debian: $(du -k "$package" | cut -f1) kB, and lintian has nothing to say"

root=$work/root
mmdebstrap --quiet --variant=minbase --include=adduser,ca-certificates "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root"
"target/${profile/#dev/debug}/mock-solme" serve --data "$work/data" >"$work/ready.json" 2>"$work/log" &
simulator=$!
until [ -s "$work/ready.json" ]; do kill -0 $simulator && sleep 0.1; done
cp "$work/data/trust.json" "$package" "$next" "$root/tmp"
inside() { DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$root" "$@"; }
server() { inside runuser -u license-server -- license-server --config /etc/license-server/config.toml "$@"; }
state=$root/var/lib/license-server

inside dpkg --install /tmp/license-server_0.1.0-1.deb >/dev/null
[ "$(stat -c %a "$state")" = 700 ]
[ -s "$root/usr/share/man/man1/license-server.1.gz" ] && [ -s "$root/usr/share/bash-completion/completions/license-server" ]
server init --id DEMO-4711 --trust /tmp/trust.json >/dev/null
server synchronize >/dev/null
server may-issue >/dev/null
echo "debian: installed; its user synchronizes and may issue"

echo '# changed by hand' >>"$root/etc/license-server/config.toml"
inside dpkg --install /tmp/license-server_0.1.0-2.deb >/dev/null
server may-issue >/dev/null
grep -q '# changed by hand' "$root/etc/license-server/config.toml"
inside dpkg --remove license-server >/dev/null
[ -s "$state/signing-key.pem" ]
inside dpkg --install /tmp/license-server_0.1.0-2.deb >/dev/null
server may-issue >/dev/null
echo "debian: state and settings survive an upgrade and a removal"

inside dpkg --purge license-server >"$work/said" 2>&1
grep -q 'was kept' "$work/said"
[ -d "$state" ] && [ ! -e "$root/etc/license-server/config.toml" ]
inside dpkg --install /tmp/license-server_0.1.0-2.deb >/dev/null
server may-issue >/dev/null
echo 'license-server license-server/remove-state boolean true' | inside debconf-set-selections
inside dpkg --purge license-server >/dev/null 2>&1
[ ! -e "$state" ]
echo "debian: a purge keeps the state, and removes it after a word"
