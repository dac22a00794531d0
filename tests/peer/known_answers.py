"""The peer's libraries against the vectors of Project Wycheproof, which come as JSON on standard input
(`cargo run -p tests --example wycheproof`). `tests/all/known_answers.rs` holds both cryptographies of the crates against
the same, with the same counts.
"""

import json
import sys
from collections import Counter

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto import jwa, jwk
from jwcrypto.common import base64url_encode

CURVE = ec.SECP384R1()
POINT = 97
SIGNATURE = 96


def verifies(case: dict) -> bool | None:
    """By jwcrypto; `None` where a JWS has no form for it (PROTOCOL.md 4.2)."""
    signature, point = bytes.fromhex(case["signature"]), bytes.fromhex(case["key"])
    if len(signature) != SIGNATURE:
        return None
    x, y = (base64url_encode(half) for half in (point[1:49], point[49:]))
    try:
        jwa.JWA.signing_alg("ES384").verify(
            jwk.JWK(kty="EC", crv="P-384", x=x, y=y), bytes.fromhex(case["text"]), signature
        )
    except InvalidSignature:
        return False
    return True


def agrees(case: dict) -> bool | None:
    """By cryptography; `None` where HPKE has no form for it: a point is not compressed (PROTOCOL.md 7.3)."""
    point = bytes.fromhex(case["point"])
    if len(point) != POINT:
        return None
    private = ec.derive_private_key(int(case["private"], 16), CURVE)
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
    except ValueError:
        return False
    return private.exchange(ec.ECDH(), public).hex() == case["shared"]


def count(cases: list[dict], check) -> Counter:
    found = Counter()
    for case in cases:
        got = check(case)
        assert got is None or got == case["valid"], case
        assert got is not None or not case["valid"] or check is agrees, case
        found["no form" if got is None else "valid" if got else "invalid"] += 1
    return found


def main() -> int:
    vectors = json.load(sys.stdin)
    signatures, agreements = count(vectors["signatures"], verifies), count(vectors["agreements"], agrees)
    print(f"signatures: {dict(signatures)}; agreements: {dict(agreements)}")
    assert signatures == Counter({"valid": 193, "invalid": 68, "no form": 19})
    assert agreements == Counter({"valid": 771, "invalid": 16, "no form": 3})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
