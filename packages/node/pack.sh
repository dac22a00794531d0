#!/usr/bin/env bash
# Packs the package with the programs in it.
#
#   packages/node/pack.sh PROGRAMS TO
set -euo pipefail
programs=$(cd "$1" && pwd)
to=$(cd "$2" && pwd)
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp package.json README.md ./*.js ./*.d.ts "$work"
mkdir "$work/bin"
cp "$programs"/{mock-solme,license-server,harness} "$work/bin"
cd "$work"
npm pack --silent --pack-destination "$to"
