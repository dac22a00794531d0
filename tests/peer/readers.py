"""Two readers agree: what the protocol crate takes some bytes for (`cargo run -p tests --example json_readers`, one line of
JSON each on standard input), the peer's reader takes them for as well, and what one refuses the other refuses.
"""

import json
import math
import sys

from license_server_peer import Failed, parse


def means(data: bytes) -> dict | None:
    try:
        found = parse(data)
    except (Failed, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def same(ours: object, theirs: object) -> bool:
    """The same type and value; a number beyond 64 bits is the nearest one to us."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and type(theirs) in (int, float):
        return math.isclose(ours, theirs, rel_tol=1e-15, abs_tol=5e-324)
    return type(ours) is type(theirs) and ours == theirs


def main() -> int:
    read = refused = 0
    for line in sys.stdin:
        case = json.loads(line)
        data = bytes.fromhex(case["input"])
        ours, theirs = case["means"], means(data)
        assert same(ours, theirs), f"{data!r}\nours: {ours}\npeer: {theirs}"
        read, refused = read + (ours is not None), refused + (ours is None)
    print(f"readers agree: {read} read, {refused} refused")
    assert read > 500 and refused > 2_000, "the inputs are not what they were"
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
