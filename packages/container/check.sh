#!/usr/bin/env bash
# The images as their user has them: built, unpacked, and what is in them run as their configuration says: as its user, in a
# root directory with nothing else. A License Server outside synchronizes with mock-solme; what it keeps survives the next
# start. Then the story of compose.yaml, with the License Server of the other image.
#
#   packages/container/check.sh DIRECTORY     where license-server is: what packages/programs.sh prints
set -euo pipefail
license_server=$(cd "$1" && pwd)/license-server
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "packages/container/check.sh: run it as root: it changes into the image's root directory" >&2; exit 1; }

. .ci/needs.sh
docker info >/dev/null 2>&1 || needs buildah buildah
needs jq jq
needs docker-compose docker-compose

work=$(mktemp -d)
tidy_up() {
    [ -z "${simulator-}" ] || kill "$simulator" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy_up EXIT
for image in mock-solme license-server; do
    mkdir -p "$work/$image/image" "$work/$image/root"
    packages/container/build.sh "$work/image.tar" "$image" >/dev/null
    tar -xf "$work/image.tar" -C "$work/$image/image"
    cp "$work/$image/image/$(jq -r '.[0].Config' "$work/$image/image/manifest.json")" "$work/$image/config.json"
    jq -r '.[0].Layers[]' "$work/$image/image/manifest.json" | while read -r layer; do
        tar -xpf "$work/$image/image/$layer" -C "$work/$image/root"
    done
    size=$(du -sb "$work/$image/root" | cut -f1)
    [ "$size" -le 15000000 ] || { echo "$image has $size bytes; at most 15,000,000 are allowed" >&2; exit 1; }
    echo "container: $image has $size bytes"
done
root=$work/mock-solme/root config=$work/mock-solme/config.json

said() { jq -r ".config.$1" "$config"; }
mapfile -t program < <(said 'Entrypoint[]')
mapfile -t serve < <(said 'Cmd[]')
mapfile -t health < <(said 'Healthcheck.Test[1:][]')
mapfile -t environment < <(said 'Env[]')
inside=(env -i "${environment[@]}" chroot --userspec="$(said User)" "$root")
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
# As in the README: a trust file for the ports of a mapping.
trust=$work/trust.json
"${inside[@]}" "${program[@]}" trust-file --https "https://localhost:$(port https)" --http "http://localhost:$(port http)" >"$trust"
"$license_server" --state "$work/state" init --id DEMO-4711 --trust "$trust" >/dev/null
"$license_server" --state "$work/state" synchronize >/dev/null
kill "$simulator" && wait "$simulator" || true
if "${inside[@]}" "${health[@]}" >/dev/null 2>&1; then exit 1; fi
start
"$license_server" --state "$work/state" synchronize >/dev/null
[ "$("${inside[@]}" "${program[@]}" ids show DEMO-4711 --json | jq .sequence)" = 2 ]
echo "container: serves, says whether it does, and keeps what it had, as user $(said User)"

docker-compose --file packages/container/compose.yaml config >"$work/compose.yaml"
# Not the port and names of this machine.
unshare --net --mount /usr/bin/python3 packages/container/play.py "$work/compose.yaml" "$work" >"$work/story" 2>&1 ||
    { cat "$work/story" >&2; exit 1; }
for line in 'server-a 0' 'server-b 10' '.* is already in use, .*'; do grep -qx "$line" "$work/story"; done
echo "container: the story of compose.yaml goes as it says"
