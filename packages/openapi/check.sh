#!/usr/bin/env bash
# The description of the admin API: valid OpenAPI 3.1, the one that a running simulator has, and true. What it describes is
# sent, malformed input included, to a simulator that a License Server has used: no 5xx, and every answer as described.
# Before, the exchanges of that License Server are exported for browsers, and held against the schema of HAR 1.2.
#
#   packages/openapi/check.sh DIRECTORY    where the programs are: target/release
set -euo pipefail
programs=$(cd "$1" && pwd)
cd "$(dirname "$0")"

work=$(mktemp -d)
tidy_up() {
    [ -z "${simulator-}" ] || kill "$simulator" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy_up EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --requirement requirements.txt

mock_solme="$programs/mock-solme"
"$mock_solme" openapi >"$work/openapi.json"
"$work/venv/bin/openapi-spec-validator" "$work/openapi.json"

# A simulator with something of everything: a key pair, exchanges, a clear request, mails.
mkfifo "$work/ready" "$work/stdin"
"$mock_solme" serve --exit-with-stdin --seed 1 <"$work/stdin" >"$work/ready" 2>"$work/log" &
simulator=$!
exec 9>"$work/stdin"
read -r ready <"$work/ready" || { cat "$work/log" >&2; exit 1; }
of_ready() { "$work/venv/bin/python" -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$ready" "$1"; }
url=$(of_ready admin) MOCK_SOLME_TOKEN=$(of_ready admin_token)
export MOCK_SOLME_ADMIN_URL="$url" MOCK_SOLME_TOKEN
license_server() { "$programs/license-server" --state "$work/state" "$@" >/dev/null; }
license_server init --id DEMO-4711 --trust "$(of_ready trust_file)"
license_server synchronize
license_server request-clear --smtp "$(of_ready smtp)" --from it@customer.example

"$work/venv/bin/python" - "$url/openapi.json" "$work/openapi.json" <<'END'
import json, sys, urllib.request
with urllib.request.urlopen(sys.argv[1]) as served, open(sys.argv[2]) as printed:
    assert json.load(served) == json.load(printed), "another description is served than is printed"
END

# The exchanges above for a browser: by the schema of HAR 1.2.
"$mock_solme" journal --har "$work/seen.har.json" >/dev/null
(cd "$work" && npm init --yes >/dev/null && npm install --silent --no-audit --no-fund har-validator@5.1.5 && node --eval '
const har = require("./seen.har.json");
if (!har.log.entries.some((entry) => entry.response.content.encoding === "base64")) throw new Error("no payload in it");
require("har-validator").har(har).catch((error) => { console.error(error.errors); process.exit(1); });')

# What is described, sent; nothing else may come of it than is described.
config=$PWD/schemathesis.toml
(cd "$work" && venv/bin/schemathesis --config-file "$config" run --max-time 60 --url "$url" openapi.json)
"$mock_solme" health >/dev/null
