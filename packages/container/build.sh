#!/usr/bin/env bash
# The container image of mock-solme, from a static program: as an archive that `docker load` and `podman load` read.
#
#   packages/container/build.sh FILE
set -euo pipefail
file=$(realpath "$1")
cd "$(dirname "$0")/../.."

target=x86_64-unknown-linux-gnu
RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --quiet --profile dist --locked --target "$target" --package mock-solme --bin mock-solme
context=target/container
rm -rf "$context"
mkdir -p "$context/data" "$context/tmp"
chmod 700 "$context/data"
cp "target/$target/dist/mock-solme" "$context"
# Without a program that builds, or runs, containers there is one in the system's packages.
if docker info >/dev/null 2>&1; then
    docker build --quiet --file packages/container/Containerfile --tag mock-solme "$context"
    docker save --output "$file" mock-solme
else
    # HEALTHCHECK is known to the format of Docker alone.
    buildah() { command buildah --storage-driver vfs "$@"; }
    buildah bud --quiet --isolation chroot --format docker --file packages/container/Containerfile --tag mock-solme "$context"
    rm -f "$file"
    buildah push --quiet mock-solme "docker-archive:$file:mock-solme:latest"
fi
