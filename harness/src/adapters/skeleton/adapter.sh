#!/bin/sh
# A License Server as a subject of `harness conformance client`. SUBJECT.md is the contract, PROTOCOL.md the
# protocol. Each verb below answers 89, "not implemented", until you write it: print one JSON object, exit with 0.
# What you log to standard error is shown when a case fails. If your program is slow to start, see the workers of SUBJECT.md.
set -eu

verb=$1
shift
state='' id='' trust='' out='' in='' license='' offset=''
while [ $# -gt 0 ]; do
    case $1 in
    --state) state=$2 ;;     # a directory of your own; another one is another server
    --id) id=$2 ;;           # the license server id
    --trust) trust=$2 ;;     # the trust file (P 15)
    --out) out=$2 ;;         # where the request file goes (P 14)
    --in) in=$2 ;;           # the response file
    --license) license=$2 ;; # a license number
    --offset) offset=$2 ;;   # seconds that the local clock is ahead, perhaps negative
    *) echo "unknown flag $1" >&2 && exit 2 ;;
    esac
    shift 2
done

not_implemented() { exit 89; }

case $verb in
# Remember id and trust file in the state directory, make a key pair: {"outcome":"done"}
init) not_implemented ;;
# Post a request to the 443 role, check the receipt, fetch and check the payload from the 8080 role, store both (P 5, 11, 13):
# {"outcome":"synchronized","code":"synchronized","changes":{"added":[],"removed":[],"changed":[]}}
synchronize) not_implemented ;;
# {"state":"unsynchronized","key_thumbprint":"...","key_generation":null,"sequence":null,"synchronize_by":null,
#  "days_left":null,"licenses":[]}
status) not_implemented ;;
# May it issue licenses, or $license, now (P 17)? {"may_issue":false,"code":"unsynchronized"}
may-issue) not_implemented ;;
# From now on the local clock is $offset seconds ahead (P 17): {"outcome":"done"}
set-clock) not_implemented ;;
# Write a request file (P 14): {"outcome":"done"}
export-request) not_implemented ;;
# Read a response file, as synchronize reads an answer: the same JSON
import-response) not_implemented ;;
# Replace the key pair (P 3): {"outcome":"done"}
new-key-pair) not_implemented ;;
*) not_implemented ;;
esac
