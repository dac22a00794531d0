#!/usr/bin/env python3
"""A License Server as a subject of `harness conformance client`.

SUBJECT.md is the contract, PROTOCOL.md the protocol. A verb that is not in VERBS answers 89, "not implemented".
To implement one, write a function that returns the JSON to print, and enter it below. What you log to standard error is
shown when a case fails, and an exception fails it.

The cryptography is P-384 (ECDSA, ECDH), SHA-384 and HPKE (RFC 9180); `pip install cryptography` has all of it, HPKE in
cryptography.hazmat.primitives.hpke (version 48 or newer).
"""

import json
import sys
import traceback

NOT_IMPLEMENTED = 89


# Each function takes the verb's flags, without "--": flags["state"] is a directory of your own; another one is another server.
#
# def init(flags):
#     """Remembers flags["id"] and the trust file flags["trust"] (P 15), and makes a key pair."""
#     return {"outcome": "done"}
#
# def synchronize(flags):
#     """Posts a request to the 443 role, checks the receipt, fetches the payload, stores both (P 5, 11, 13)."""
#     changes = {"added": [], "removed": [], "changed": []}
#     return {"outcome": "synchronized", "code": "synchronized", "changes": changes}
#
# def status(flags):
#     return {"state": "unsynchronized", "key_thumbprint": "...", "key_generation": None, "sequence": None,
#             "synchronize_by": None, "days_left": None, "licenses": []}
#
# def may_issue(flags):
#     """May it issue licenses, or the one in flags.get("license"), now (P 17)?"""
#     return {"may_issue": False, "code": "unsynchronized"}
#
# def set_clock(flags):
#     """From now on the local clock is int(flags["offset"]) seconds ahead (P 17)."""
#     return {"outcome": "done"}
#
# def export_request(flags):
#     """Writes a request file to flags["out"] (P 14)."""
#     return {"outcome": "done"}
#
# def import_response(flags):
#     """Reads the response file flags["in"] as synchronize reads an answer, and returns the same."""
#
# def new_key_pair(flags):
#     """Replaces the key pair (P 3)."""
#     return {"outcome": "done"}

VERBS = {
    # "init": init,
    # "synchronize": synchronize,
    # "status": status,
    # "may-issue": may_issue,
    # "set-clock": set_clock,
    # "export-request": export_request,
    # "import-response": import_response,
    # "new-key-pair": new_key_pair,
}


def answer(words):
    """What a verb answers, with the exit code of a process."""
    verb, *flags = words
    if verb not in VERBS:
        return {"exit_code": NOT_IMPLEMENTED}
    named = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2])}
    try:
        return {"exit_code": 0, "json": VERBS[verb](named)}
    except Exception:
        return {"exit_code": 1, "stderr": traceback.format_exc()}


def main() -> int:
    if sys.argv[1:] == ["worker"]:  # A verb a line (SUBJECT.md): Python and its libraries are loaded once, not for each.
        print(json.dumps({"worker": 1}), flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)
        return 0
    said = answer(sys.argv[1:])
    if "json" in said:
        print(json.dumps(said["json"]))
    sys.stderr.write(said.get("stderr", ""))
    return said["exit_code"]


if __name__ == "__main__":
    raise SystemExit(main())
