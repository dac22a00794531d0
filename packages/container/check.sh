#!/usr/bin/env bash
# The image as its user has it: built, unpacked, and what is in it run as its configuration says: as its user, in a root
# directory with nothing else. A License Server outside synchronizes with it; what it keeps survives the next start.
#
#   packages/container/check.sh DIRECTORY     where license-server is: target/release
set -euo pipefail
license_server=$(cd "$1" && pwd)/license-server
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "packages/container/check.sh: run it as root: it changes into the image's root directory" >&2; exit 1; }

. .ci/needs.sh
docker info >/dev/null 2>&1 || needs buildah buildah
needs jq jq

work=$(mktemp -d)
tidy_up() {
    [ -z "${simulator-}" ] || kill "$simulator" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy_up EXIT
packages/container/build.sh "$work/image.tar" >/dev/null
mkdir "$work/image" "$work/root"
tar -xf "$work/image.tar" -C "$work/image"
config=$work/image/$(jq -r '.[0].Config' "$work/image/manifest.json")
jq -r '.[0].Layers[]' "$work/image/manifest.json" | while read -r layer; do tar -xpf "$work/image/$layer" -C "$work/root"; done
size=$(du -sb "$work/root" | cut -f1)
[ "$size" -le 15000000 ] || { echo "the image has $size bytes; at most 15,000,000 are allowed" >&2; exit 1; }

said() { jq -r ".config.$1" "$config"; }
mapfile -t program < <(said 'Entrypoint[]')
mapfile -t serve < <(said 'Cmd[]')
mapfile -t health < <(said 'Healthcheck.Test[1:][]')
mapfile -t environment < <(said 'Env[]')
inside=(env -i "${environment[@]}" chroot --userspec="$(said User)" "$work/root")
start() {
    mkfifo "$work/ready"
    "${inside[@]}" "${program[@]}" "${serve[@]}" >"$work/ready" 2>"$work/log" &
    simulator=$!
    read -r ready <"$work/ready" || { cat "$work/log" >&2; exit 1; }
    rm "$work/ready"
}

# Any free ports, since others may have those of the image; the same at the next start.
serve=("${serve[@]//:[0-9]*/:0}")
start
port() { jq -r ".$1" <<<"$ready" | sed 's/.*://'; }
serve[2]=0.0.0.0:$(port https) serve[4]=0.0.0.0:$(port http)
"${inside[@]}" "${health[@]}" >/dev/null
trust=$work/root/data/trust.json
"$license_server" --state "$work/state" init --id DEMO-4711 --trust "$trust" >/dev/null
"$license_server" --state "$work/state" synchronize >/dev/null
kill "$simulator" && wait "$simulator" || true
if "${inside[@]}" "${health[@]}" >/dev/null 2>&1; then exit 1; fi
start
"$license_server" --state "$work/state" synchronize >/dev/null
[ "$("${inside[@]}" "${program[@]}" ids show DEMO-4711 --json | jq .sequence)" = 2 ]
echo "container: $size bytes; serves, says whether it does, and keeps what it had, as user $(said User)"
