#!/usr/bin/env bash
# The package as a user has it: packed, installed into an empty folder, and used by node:test; and the test of its README.
#
#   packages/node/check.sh PROGRAMS    where the programs are: target/release
set -euo pipefail
programs=$(cd "$1" && pwd)
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./pack.sh "$programs" "$work"
mkdir "$work/project"
cp -r test "$work/project/test"
sed -n '/^```js$/,/^```$/p' README.md | grep -v '^```' >"$work/project/test/readme.test.mjs"

cd "$work/project"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "$work"/mock-solme-*.tgz
npm install --silent --no-audit --no-fund --save-dev typescript@5.9.3 @types/node@20
npx tsc --noEmit --strict --module nodenext --target es2022 --types node test/types.ts
node --test test/*.test.*
