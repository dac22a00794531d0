"""A License Server as far as it takes to synchronize over the network, written from PROTOCOL.md (P) as `--guide` says: one
verb after the other. It checks far less than section 11 wants; tests/peer has a whole one.
"""

import base64
import hashlib
import json
import os
import ssl
import time
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

CURVE, SIGNATURE = ec.SECP384R1(), ec.ECDSA(hashes.SHA384())  # P 3.1, 4.2
SUITE = hpke.Suite(hpke.KEM.P384, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM)  # P 7.3


def init(flags):
    """P 15.1, 3.3"""
    trust = json.loads(Path(flags["trust"]).read_bytes())
    state = {"id": flags["id"], "trust": trust, "key": pem(ec.generate_private_key(CURVE))}
    save(flags, state | {"outstanding": None, "receipt": None, "licenses": {}})
    return {"outcome": "done"}


def status(flags):
    """P 3.2, 17.1, 17.6"""
    state = load(flags)
    receipt = claims_of(state["receipt"]) if state["receipt"] else {}
    left = receipt and max(0, receipt["synchronize_by"] - int(time.time()))
    return {
        "state": "unsynchronized" if not receipt else "synchronized" if left else "overdue",
        "key_thumbprint": thumbprint(jwk(private(state["key"]))),
        "days_left": -(-left // 86_400) if receipt else None,
        "licenses": list(state["licenses"]),
        **{name: receipt.get(name) for name in ("key_generation", "sequence", "synchronize_by")},
    }


def synchronize(flags):
    """P 13.2 to 13.4"""
    state = load(flags)
    trust = state["trust"]
    tls = ssl.create_default_context(cadata=trust["ca_certificate"])
    https = HTTPSConnection(trust["https"].removeprefix("https://"), context=tls, timeout=10)
    https.request("POST", "/synchronize", outstanding(flags, state), {"Content-Type": "application/jose"})
    answer = https.getresponse()
    body = answer.read().decode()
    if answer.status != 200:
        refusal = verified(json.loads(body)["refusal"], trust)  # P 13.6
        return {"outcome": "refused", "code": refusal["code"]}
    receipt = verified(body, trust)
    http = HTTPConnection(trust["http"].removeprefix("http://"), timeout=10)
    http.request("GET", f"/payloads/{receipt['payload_name']}")
    licenses = opened(http.getresponse().read(), receipt, state)
    before = state["licenses"]
    save(flags, state | {"receipt": body, "licenses": licenses, "outstanding": None})  # P 11.9
    changed = [number for number in licenses.keys() & before if licenses[number] != before[number]]
    changes = {"added": list(licenses.keys() - before), "removed": list(before.keys() - licenses), "changed": changed}
    return {"outcome": "synchronized", "code": "synchronized", "changes": changes}


def outstanding(flags, state):
    """The request that is stored, or a new one, stored before it leaves (P 5, 12.1)."""
    if not state["outstanding"]:
        key, sealing, now = private(state["key"]), ec.generate_private_key(CURVE), int(time.time())
        header = {"alg": "ES384", "typ": "solme-sync-request+jwt", "jwk": jwk(key)}
        claims = {
            "version": 1, "iss": state["id"], "aud": state["trust"]["main_server_id"], "jti": encode(os.urandom(16)),
            "iat": now, "sealing_jwk": jwk(sealing), "last_receipt": state["receipt"], "high_water_mark": now,
            "product": "first-steps", "product_version": "1",
        }  # fmt: skip
        signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(key.sign(signed.encode(), SIGNATURE))
        jws = f"{signed}.{encode(r.to_bytes(48, 'big') + s.to_bytes(48, 'big'))}"
        state["outstanding"] = {"jws": jws, "sealing_key": pem(sealing)}
        save(flags, state)
    return state["outstanding"]["jws"]


def verified(jws, trust):
    """What a trusted key has signed (P 4, 11.1)."""
    signed, _, signature = jws.rpartition(".")
    kid = json.loads(decode(jws.split(".")[0]))["kid"]
    x, y = next((decode(key["x"]), decode(key["y"])) for key in trust["signing_jwks"] if thumbprint(key) == kid)
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, b"\x04" + x + y)
    r, s = (int.from_bytes(half, "big") for half in (decode(signature)[:48], decode(signature)[48:]))
    key.verify(encode_dss_signature(r, s), signed.encode(), SIGNATURE)
    return claims_of(jws)


def opened(payload, receipt, state):
    """The licenses in a payload (P 7)."""
    fields = ("solme-sync-v1 allocation", receipt["iss"], receipt["aud"], receipt["request_digest"], receipt["jti"])
    info = b"".join(len(field).to_bytes(2, "big") + field.encode() for field in fields)
    allocation = json.loads(SUITE.decrypt(payload, private(state["outstanding"]["sealing_key"]), info))
    return {license["number"]: license for license in allocation["licenses"]}


def claims_of(jws):
    return json.loads(decode(jws.split(".")[1]))


def thumbprint(jwk):
    """P 3.2: RFC 7638, its members in this order and without spaces."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return encode(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def jwk(key):
    point = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-384"} | {name: encode(getattr(point, name).to_bytes(48, "big")) for name in "xy"}


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def private(text):
    return load_pem_private_key(text.encode(), None)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def load(flags):
    return json.loads((Path(flags["state"]) / "state.json").read_text())


def save(flags, state):
    draft = Path(flags["state"]) / "state.new"
    draft.write_text(json.dumps(state))
    draft.replace(draft.with_name("state.json"))
