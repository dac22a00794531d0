"""The verbs of harness/SUBJECT.md, over the peer."""

import time
from pathlib import Path
from types import SimpleNamespace

import license_server_peer as peer

# The names that the peer has in common with SUBJECT.md.
KNOWN = {"not-the-main-server", "payload-not-found", "response-older"}
OFFSET = "clock-offset"


class Traced(peer.Peer):
    """The peer has one name for whatever fails in section 11; what it looked at by then tells the names apart."""

    looked_at = "local-state"

    def http(self, role: str, *request: object) -> tuple[str, bytes]:
        kind, body = super().http(role, *request)
        message = "refusal-wrong" if kind == peer.PROBLEM else "receipt-wrong"
        Traced.looked_at = message if role == "443" else "payload-wrong"
        return kind, body


peer.Peer = Traced


def failure(failed: peer.Failed, verb: str) -> dict:
    message, code, exit_code, _ = failed.args
    if exit_code == peer.REFUSED:
        return {"outcome": "refused", "code": code}
    if exit_code == peer.STATE or verb == "init":
        code = "local-state"
    elif verb == "import-response" and code != "response-older":
        code = "file-not-usable"
    elif code.endswith("-failed"):
        code = "not-reached"
    elif code not in KNOWN:
        code = Traced.looked_at
    return {"outcome": "failed", "code": code, "message": message}


def changes(before: dict, after: dict) -> dict:
    common = before.keys() & after.keys()
    changed = [number for number in common if before[number] != after[number]]
    return {"added": list(after.keys() - before), "removed": list(before.keys() - after), "changed": changed}


def said(verb: str, flags: dict) -> dict:
    state = Path(flags["--state"])

    def run(verb: str, what: str | None = None) -> dict:
        trust = Path(flags.get("--trust", ""))
        return peer.run(SimpleNamespace(verb=verb, what=what, state=state, trust=trust, id=flags.get("--id")))

    def licenses() -> dict:
        return {one["number"]: one for one in run("status")["licenses"]}

    match verb:
        case "set-clock":
            (state / OFFSET).write_text(flags["--offset"])
            return {"outcome": "done"}
        case "status":
            return run(verb) | {"licenses": list(licenses())}
        case "may-issue":
            return run(verb, flags.get("--license"))
        case "init" | "export-request":
            run(verb, flags.get("--out"))
            return {"outcome": "done"}
    before = licenses()
    return run(verb, flags.get("--in")) | {"changes": changes(before, licenses())}


def carry_out(verb: str, flags: dict) -> dict:
    offset = Path(flags["--state"]) / OFFSET
    ahead = int(offset.read_text()) if offset.exists() else 0
    Traced.looked_at = "local-state"
    peer.time = SimpleNamespace(time=lambda: time.time() + ahead)  # what the peer takes for its local clock
    try:
        return said(verb, flags)
    except peer.Failed as failed:
        return failure(failed, verb)
    except Exception as error:  # as the peer itself does: whatever a library says to what is wrong
        return failure(peer.Failed(repr(error), "answer-wrong", peer.FAILED, ""), verb)
