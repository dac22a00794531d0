"""The subject contract of harness/SUBJECT.md over the License Server in Python: verbs, flags and words, nothing else."""

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import license_server_peer as peer

VERBS = ("init", "synchronize", "export-request", "import-response", "status", "may-issue")
UNIMPLEMENTED = 89
KNOWN = set("""not-the-main-server receipt-wrong payload-wrong payload-not-found refusal-wrong main-server-trouble
    response-older""".split())


def failure(failed: peer.Failed, verb: str) -> dict:
    _, code, exit_code, _ = failed.args
    if exit_code == peer.REFUSED:
        return {"outcome": "refused", "code": code, "changes": None}
    if exit_code == peer.STATE or verb == "init":
        code = "local-state"
    elif verb == "import-response" and code != "response-older":
        code = "file-not-usable"
    elif code not in KNOWN:
        code = "not-reached"
    return {"outcome": "failed", "code": code, "changes": None}


def licenses(options: SimpleNamespace) -> dict:
    return {one["number"]: one for one in run(options, "status")["licenses"]}


def run(options: SimpleNamespace, verb: str, what: str | None = None) -> dict:
    return peer.run(SimpleNamespace(**vars(options) | {"verb": verb, "what": what}))


def carry_out(options: SimpleNamespace, verb: str) -> dict:
    if verb == "status":
        status = run(options, verb)
        return status | {"licenses": [one["number"] for one in status["licenses"]]}
    if verb == "may-issue":
        return {"may_issue": run(options, verb, options.license)["may_issue"]}
    if verb in ("init", "export-request"):
        run(options, verb, options.out)
        return {"outcome": "done"}
    before = licenses(options)
    done = run(options, verb, options.file)
    after = licenses(options)
    changes = {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(number for number in after.keys() & before.keys() if after[number] != before[number]),
    }
    return {"outcome": done["outcome"], "changes": changes}


def main() -> int:
    verb, *flags = sys.argv[1:]
    if verb not in VERBS:
        print(f"the peer has no {verb}", file=sys.stderr)
        return UNIMPLEMENTED
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path)
    parser.add_argument("--trust", type=Path)
    parser.add_argument("--in", dest="file")
    for name in ("--id", "--out", "--license"):
        parser.add_argument(name)
    options = SimpleNamespace(**vars(parser.parse_args(flags)))
    try:
        answer = carry_out(options, verb)
    except peer.Failed as failed:
        answer = failure(failed, verb)
    except Exception as error:  # as the peer itself does: whatever a library says to what is wrong
        answer = failure(peer.Failed(repr(error), "answer-wrong", peer.FAILED, ""), verb)
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
