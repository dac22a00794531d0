#!/usr/bin/env bash
# A License Server on another computer: in a network namespace of its own it has the trust file, and one cable to the main
# server. Where no namespaces may be made, that is said, and nothing is checked.
#
#   tests/elsewhere/run.sh DIRECTORY    where the programs are: target/release
set -euo pipefail
programs=$(cd "$1" && pwd)

here=solme-here-$$ there=solme-there-$$
work=$(mktemp -d)
tidy_up() {
    [ -z "${main_server-}" ] || kill "$main_server" 2>/dev/null || true
    ip netns del "$here" 2>/dev/null || true
    ip netns del "$there" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy_up EXIT
if ! ip netns add "$here" 2>"$work/why"; then
    echo "skipped: no network namespace may be made here: $(cat "$work/why")"
    exit 0
fi
ip netns add "$there"
ip link add main0 netns "$here" type veth peer name site0 netns "$there"
ip -n "$here" addr add 10.77.0.1/24 dev main0
ip -n "$there" addr add 10.77.0.2/24 dev site0
for namespace in "$here" "$there"; do ip -n "$namespace" link set lo up; done
ip -n "$here" link set main0 up
ip -n "$there" link set site0 up

mkfifo "$work/ready"
ip netns exec "$here" "$programs/mock-solme" serve --data "$work/data" --https 0.0.0.0:24443 --http 0.0.0.0:28080 \
    --admin 0.0.0.0:25000 --public-name 10.77.0.1 >"$work/ready" 2>"$work/log" &
main_server=$!
read -r ready <"$work/ready"
grep -q 'open to other machines: 443 role 0.0.0.0:24443' "$work/log"

at_the_site() { ip netns exec "$there" "$@"; }
token=$(sed 's/.*"admin_token":"\([^"]*\)".*/\1/' <<<"$ready")
at_the_site "$programs/mock-solme" --admin-url http://10.77.0.1:25000 --token "$token" trust-file >"$work/trust.json"
at_the_site "$programs/license-server" --state "$work/state" init --id DEMO-4711 --trust "$work/trust.json"
at_the_site "$programs/license-server" --state "$work/state" synchronize
at_the_site "$programs/license-server" --state "$work/state" may-issue
at_the_site "$programs/mock-solme" --admin-url http://10.77.0.1:25000 health
echo "A License Server elsewhere has synchronized."
