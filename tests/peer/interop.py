"""Foreign libraries open our golden messages (`open GOLDEN`), and make messages for us to open (`make DIR`).

JWS and thumbprints by jwcrypto, HPKE by pyhpke and by cryptography. Nothing here is shared with the crates.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hpke
from jwcrypto import jwk, jws
from jwcrypto.common import base64url_decode, base64url_encode
from license_server_peer import FRESH
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey

PYHPKE = CipherSuite.new(KEMId.DHKEM_P384_HKDF_SHA384, KDFId.HKDF_SHA384, AEADId.AES256_GCM)
CRYPTOGRAPHY = hpke.Suite(hpke.KEM.P384, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM)
ENC = 97
PEER = Path(__file__).with_name("license_server_peer.py")


def digest(data: bytes) -> str:
    return base64url_encode(hashlib.sha384(data).digest())


def sealing_info(*fields: str) -> bytes:
    """PROTOCOL.md 7.4."""
    fields = ("solme-sync-v1 allocation", *fields)
    return b"".join(len(field).to_bytes(2, "big") + field.encode() for field in fields)


def private_key(path: Path) -> tuple[jwk.JWK, dict]:
    members = json.loads(path.read_text())
    return jwk.JWK(**members), {name: members[name] for name in ("kty", "crv", "x", "y", "d")}


def verified(message: str, key: jwk.JWK) -> dict:
    token = jws.JWS()
    token.deserialize(message, key, alg="ES384")
    return json.loads(token.payload)


class Golden:
    """The golden files, each checked as its kind says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries = json.loads((folder / "manifest.json").read_text())["files"]
        trust = json.loads((folder / "trust.json").read_text())
        keys = [jwk.JWK(**one) for one in trust["signing_jwks"]]
        self.trusted = {key.thumbprint(): key for key in keys}

    def text(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode("ascii")

    def private_jwk(self, entry: dict) -> None:
        key, _ = private_key(self.folder / entry["file"])
        assert key.thumbprint() == entry["thumbprint"]

    def trust_file(self, entry: dict) -> None:
        assert sorted(self.trusted) == entry["thumbprints"]

    def message(self, entry: dict) -> None:
        message = self.text(entry["file"])
        header = json.loads(base64url_decode(message.split(".")[0]))
        assert header["typ"] == f"solme-sync-{entry['kind']}+jwt"
        key = jwk.JWK(**header["jwk"]) if entry["kind"] == "request" else self.trusted[header["kid"]]
        assert key.thumbprint() == entry["signed_by"]
        assert verified(message, key) == entry["claims"]
        assert digest(message.rpartition(".")[0].encode()) == entry["digest"]

    def allocation(self, entry: dict) -> None:
        assert digest((self.folder / entry["file"]).read_bytes()) == entry["digest"]

    def payload(self, entry: dict) -> None:
        sealed = (self.folder / entry["file"]).read_bytes()
        key, members = private_key(self.folder / entry["opens_with"])
        info, clear = bytes.fromhex(entry["info_hex"]), (self.folder / entry["allocation"]).read_bytes()
        assert (len(sealed), digest(sealed)) == (entry["size"], entry["digest"])
        assert CRYPTOGRAPHY.decrypt(sealed, key.get_op_key("unwrapKey"), info) == clear
        context = PYHPKE.create_recipient_context(sealed[:ENC], KEMKey.from_jwk(members), info=info)
        assert context.open(sealed[ENC:]) == clear

    def problem(self, entry: dict) -> None:
        problem = json.loads((self.folder / entry["file"]).read_text())
        assert problem.get("refusal") == (self.text(entry["carries"]) if "carries" in entry else None)

    def sync_file(self, entry: dict) -> None:
        text = (self.folder / entry["file"]).read_bytes().decode("utf-8-sig").replace("\r", "").replace("\n", "")
        found, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
        assert "".join(found["message"]) == self.text(entry["carries"])
        if "payload" in entry:
            assert base64url_decode("".join(found["payload"])) == (self.folder / entry["payload"]).read_bytes()

    def peer(self) -> None:
        """The peer, with the golden keys and the golden request outstanding, imports the golden response file."""
        request = next(entry for entry in self.entries if entry["file"] == "request-1.jws")
        _, key = private_key(self.folder / "local-server-key.jwk.json")
        _, sealing = private_key(self.folder / "sealing-key-1.jwk.json")
        outstanding = request["claims"] | {"jws": self.text("request-1.jws"), "sealing": sealing}
        state = FRESH | {"id": "DEMO-4711", "trust": json.loads(self.text("trust.json")), "key": key}
        state["outstanding"] = outstanding
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "state.json").write_text(json.dumps(state))
            imported = {"response-file-refusal.json": 12, "response-file-mailed.txt": 0, "response-file.json": 0}
            for name, exit_code in imported.items():
                command = [sys.executable, str(PEER), "import-response", str(self.folder / name), "--state", folder]
                done = subprocess.run(command, capture_output=True, text=True)
                assert done.returncode == exit_code, f"{name}: {done.stdout}{done.stderr}"

    def open_all(self) -> int:
        checks: dict[str, Callable[[dict], None]] = {
            "private-jwk": self.private_jwk, "trust-file": self.trust_file, "request": self.message,
            "receipt": self.message, "refusal": self.message, "allocation": self.allocation, "payload": self.payload,
            "problem": self.problem, "sync-file": self.sync_file}  # fmt: skip
        assert {entry["kind"] for entry in self.entries} == checks.keys(), "a kind of golden file is missing or new"
        for entry in self.entries:
            checks[entry["kind"]](entry)
        self.peer()
        return len(self.entries)


def signed(claims: dict, kind: str, key: jwk.JWK, **named: object) -> str:
    """With an unknown member in the payload, which a receiver ignores (PROTOCOL.md 2.3)."""
    token = jws.JWS(json.dumps(claims | {"unknown": [1.5, {"ä": None}]}))
    token.add_signature(key, protected=json.dumps({"typ": f"solme-sync-{kind}+jwt", "alg": "ES384"} | named))
    return token.serialize(compact=True)


def make(folder: Path) -> None:
    """A request, and a receipt, a refusal and two payloads for it."""
    local, main, sealing = (jwk.JWK.generate(kty="EC", crv="P-384") for _ in range(3))
    ids = {"iss": "foreign-main-server", "aud": "FOREIGN-1"}
    request = signed(
        {"jti": base64url_encode(bytes(16)), "version": 1, "iss": ids["aud"], "aud": ids["iss"], "iat": 1_800_000_000,
         "sealing_jwk": sealing.export_public(as_dict=True), "last_receipt": None, "high_water_mark": 0,
         "product": "interop.py", "product_version": "1"},
        "request", local, jwk=local.export_public(as_dict=True))  # fmt: skip
    common = ids | {"version": 1, "iat": 1_800_000_002, "key_thumbprint": local.thumbprint(),
                    "request_digest": digest(request.rpartition(".")[0].encode())}  # fmt: skip
    allocation = json.dumps({"licenses": [], "revision": 1, "salt": base64url_encode(bytes(16))}).encode()
    sync_id = base64url_encode(bytes(range(16)))
    info = sealing_info(ids["iss"], ids["aud"], common["request_digest"], sync_id)
    by_cryptography = CRYPTOGRAPHY.encrypt(allocation, sealing.get_op_key("wrapKey"), info)
    enc, context = PYHPKE.create_sender_context(KEMKey.from_jwk(sealing.export_public(as_dict=True)), info=info)
    by_pyhpke = enc + context.seal(allocation)
    receipt = common | {
        "jti": sync_id, "request_id": base64url_encode(bytes(16)), "key_generation": 1, "sequence": 1,
        "allocation_revision": 1, "synchronize_by": common["iat"] + 366 * 86_400, "payload_name": sync_id,
        "payload_size": len(by_pyhpke), "payload_digest": digest(by_pyhpke),
        "allocation_digest": digest(allocation)}  # fmt: skip
    refusal = common | {"code": "key-pair-in-use", "text": "In use – ü.", "cure": "Write a mail."}
    named = {"kid": main.thumbprint()}
    content = {
        "request.jws": request.encode(), "receipt.jws": signed(receipt, "receipt", main, **named).encode(),
        "refusal.jws": signed(refusal, "refusal", main, **named).encode(), "allocation.json": allocation,
        "payload-pyhpke.bin": by_pyhpke, "payload-cryptography.bin": by_cryptography,
        "main-server-key.jwk.json": main.export_public().encode(),
        "local-server.thumbprint": local.thumbprint().encode(),
        "sealing-key.d": sealing.export(as_dict=True)["d"].encode()}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("open", "make"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.verb == "make":
        make(options.folder)
        print(f"messages made in {options.folder}")
    else:
        count = Golden(options.folder).open_all()
        print(f"{count} golden files opened by jwcrypto, pyhpke and cryptography")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
