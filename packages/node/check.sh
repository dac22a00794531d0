#!/usr/bin/env bash
# The package as a user has it: packed, installed into an empty folder, and used by node:test; and the tests of its README and
# of the README of all.
#
#   packages/node/check.sh PROGRAMS    where the programs are: what packages/programs.sh prints
set -euo pipefail
programs=$(cd "$1" && pwd)
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./pack.sh "$programs" "$work"
mkdir "$work/project"
cp -r test "$work/project/test"
js_of() { sed -n '/^```js$/,/^```$/p' "$1" | grep -v '^```'; }
js_of README.md >"$work/project/test/readme.test.mjs"
{
    echo 'import assert from "node:assert/strict"; import { test } from "node:test";'
    js_of ../../README.md
} >"$work/project/test/readme_of_all.test.mjs"

cd "$work/project"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "$work"/mock-solme-*.tgz
npm install --silent --no-audit --no-fund --save-dev typescript@5.9.3 @types/node@20
npx tsc --noEmit --strict --module nodenext --target es2022 --types node test/types.ts
node --test test/*.test.*
