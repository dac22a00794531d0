#!/usr/bin/env bash
# The container image of mock-solme, or of license-server, from its static program: as an archive that `docker load` and
# `podman load` read.
#
#   packages/container/build.sh FILE [IMAGE]
set -euo pipefail
file=$(realpath "$1") image=${2:-mock-solme}
cd "$(dirname "$0")/../.."

programs=$(packages/programs.sh)
context=target/container
rm -rf "$context"
mkdir -p "$context/data" "$context/tmp"
chmod 700 "$context/data"
cp "$programs"/{mock-solme,license-server} "$context"
containerfile=packages/container/Containerfile
# Without a program that builds, or runs, containers there is one in the system's packages.
if docker info >/dev/null 2>&1; then
    docker build --quiet --file "$containerfile" --target "$image" --tag "$image" "$context"
    docker save --output "$file" "$image"
else
    # HEALTHCHECK is known to the format of Docker alone.
    buildah() { command buildah --storage-driver vfs "$@"; }
    buildah bud --quiet --isolation chroot --format docker --file "$containerfile" --target "$image" --tag "$image" "$context"
    rm -f "$file"
    buildah push --quiet "$image" "docker-archive:$file:$image:latest"
fi
