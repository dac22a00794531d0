"""The subject contract of harness/SUBJECT.md over the peer: it translates flags and words, and is the peer's clock.

    subject.py VERB [--flag value]...
    subject.py worker    imports the libraries once, and carries out the verbs that come as lines

To start Python costs 20 ms, to import the libraries 80 ms, and the suite has 3,000 verbs.
"""

import json
import sys

VERBS = ("init", "synchronize", "export-request", "import-response", "status", "may-issue", "set-clock")
UNIMPLEMENTED = 89


def answer(arguments: list[str]) -> dict:
    """Exit code, and what is printed."""
    verb, *flags = arguments
    if verb not in VERBS:
        return {"exit_code": UNIMPLEMENTED}
    import subject_verbs  # not above: a verb that is not implemented has no use for it

    return {"exit_code": 0, "json": subject_verbs.carry_out(verb, dict(zip(flags[::2], flags[1::2], strict=True)))}


def main() -> int:
    if sys.argv[1:] == ["worker"]:
        print(json.dumps({"worker": 1}), flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)
        return 0
    said = answer(sys.argv[1:])
    if "json" in said:
        print(json.dumps(said["json"]))
    return said["exit_code"]


if __name__ == "__main__":
    raise SystemExit(main())
