#!/usr/bin/env bash
# Runs every model with the carriers below and compares each RESULT with what is expected. Needs ProVerif 2.05 as `proverif`
# on the PATH, or in $PROVERIF.
set -euo pipefail
cd "$(dirname "$0")"
pv=${PROVERIF:-proverif}
command -v "$pv" >/dev/null || {
    echo "no ProVerif: README.md beside this script says where it comes from" >&2
    exit 2
}
# file, carrier, expected results in the order of the queries (t: proved, f: attack found)
expected() {
    cat <<'X'
1-bound public ttttt fff
1-bound tls ttttt ftf
2-first public ftt
2-first tls ftt
3-first-secret-id public ff
3-first-secret-id tls tf
4-id-secret public f
4-id-secret tls t
5-main-key-stolen public tft
5-main-key-stolen tls ttt
6a-clear-reserved public ttff
6a-clear-reserved tls ttff
6b-clear-free public ftff
6b-clear-free tls ftff
7-clone public tttff
8-control-no-one-time-key public tf
8-control-no-one-time-key tls tt
9-control-no-salt public f
9-control-no-salt tls t
9-salted public t
9-salted tls t
X
}
passed=0 failed=0
while read -r file carrier want; do
    want=${want// /}
    got=$("$pv" -lib "carrier-$carrier.pvl" -lib protocol.pvl "$file.pv" |
        sed -n 's/^RESULT.* is true\.$/t/p; s/^RESULT.* is false\.$/f/p; s/^RESULT.*cannot be proved\.$/?/p' | tr -d '\n')
    if [ "$got" = "$want" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "$file $carrier: expected $want, got $got"; fi
done < <(expected)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
