"""A License Server that shares no code with the crates: written from protocol/PROTOCOL.md, cited as P. For tests."""

import argparse
import hashlib
import json
import os
import re
import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from cryptography.hazmat.primitives import hpke
from jwcrypto import jwk, jws
from jwcrypto.common import base64url_decode, base64url_encode as encode

SUITE = hpke.Suite(hpke.KEM.P384, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM)  # P 7.3
ENDS = {"unsupported-version", "invalid-request"}  # P 10
CODES = ENDS | set("""invalid-signature unknown-license-server-id rate-limited license-server-id-disabled state-diverged
    key-pair-cleared request-already-answered key-pair-in-use main-server-behind temporarily-unavailable""".split())
JOSE, PROBLEM, OCTETS = "application/jose", "application/problem+json", "application/octet-stream"
KINDS = {("443", 200): JOSE, ("8080", 200): OCTETS}  # P 13.3, 13.4; and the statuses of P 10
KINDS |= {("443", status): PROBLEM for status in (400, 403, 404, 409, 410, 429, 503)}
INTEGERS = {"receipt": "iat key_generation sequence allocation_revision synchronize_by payload_size".split(),
            "refusal": ["iat"]}  # fmt: skip
BYTES = {"receipt": {16: ["jti", "request_id", "payload_name"], 32: ["key_thumbprint"],
                     48: ["request_digest", "payload_digest", "allocation_digest"]},
         "refusal": {32: ["key_thumbprint"], 48: ["request_digest"]}}  # fmt: skip
REASONS = set("""malformed-claims wrong-main-server sealing-key-is-signing-key request-id-reused
    last-receipt-not-ours""".split())
REFUSED, FAILED, FILE, STATE, NO = 10, 11, 12, 13, 14  # exit codes, beside 0 done
EMPTY = '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","revision":0,"licenses":[]}'  # before the first synchronization
FRESH = {"outstanding": None, "receipt": None, "allocation": EMPTY, "cleared": False, "mark": 0,
         "clock": 0, "advanced": 0}  # fmt: skip


class Failed(Exception):
    """Message, code, exit code, cure."""


def require(condition: object, message: str, code: str = "answer-wrong", exit_code: int = FAILED) -> None:
    if not condition:
        raise Failed(message, code, exit_code, "Synchronize again, or via file.")


def same(found: dict, **expected: object) -> None:
    for name, value in expected.items():
        require(found[name] == value and type(found[name]) is type(value), f"{name} is {found[name]!r}, not {value!r}")


def distinct(members: list[tuple[str, object]]) -> dict:
    require(len(dict(members)) == len(members), "a member stands twice")  # P 2.2
    return dict(members)


def parse(data: bytes) -> dict:
    parsed = json.loads(
        data.decode(), object_pairs_hook=distinct, parse_float=finite, parse_constant=lambda name: require(False, name)
    )
    json.dumps(parsed, ensure_ascii=False).encode()  # half a surrogate pair has no UTF-8 (P 2.1)
    require(depth(parsed) <= 32, "nested too deep")  # P 18
    return parsed


def finite(text: str) -> float:
    """A number that is beyond every double is none: Python would take it for infinity."""
    require(abs(float(text)) != float("inf"), f"{text} is too large")
    return float(text)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def decode(text: str) -> bytes:
    require(encode(base64url_decode(text)) == text, "not base64url")  # P 2.4
    return base64url_decode(text)


def digest(data: bytes | str) -> str:  # P 2.9; of a message it is that of its signing input (P 4.5)
    return encode(hashlib.sha384(data if isinstance(data, bytes) else data.rpartition(".")[0].encode()).digest())


def well_formed(claims: dict, kind: str) -> None:  # P 6.1, 8.1
    for name in INTEGERS[kind]:
        require(type(claims[name]) is int and 0 <= claims[name] < 2**53, f"{name} is not an integer of P 2.5")
    for size, names in BYTES[kind].items():
        for name in names:
            require(len(decode(claims[name])) == size, f"{name} has not {size} bytes")
    require(all(claims.get(name, 1) > 0 for name in ("sequence", "key_generation")), "counts from 1")
    if kind == "refusal":
        require(all(len(claims[name]) <= 1000 and claims[name] + "" for name in ("text", "cure")), "no text, or too long")
        require(claims.get("reason") in (REASONS if claims["code"] == "invalid-request" else {None}), "no such reason")


# Forms: a pattern of a text, a range of an integer, a list [form, least, most], an object's members, or null or a form.
INTEGER, POSITIVE, ID = range(2**53), range(1, 2**53), "[A-Za-z0-9][A-Za-z0-9_-]{0,63}"  # P 2.5, 2.7
COMPONENT = {"id": "[A-Za-z0-9_-]{16}", "name": "(?s:.{1,64})", "max_users": POSITIVE}
LICENSE = {"number": "([A-Z0-9]{5}-){5}[A-Z0-9]{7}", "display": (None, "[ -~]{1,128}"),
           "domain": (None, "[!-~]([ -~]{0,126}[!-~])?"), "components": [COMPONENT, 1, 64],
           "valid_from": INTEGER, "expires_at": (None, INTEGER), "properties": {}}  # fmt: skip
ALLOCATION = {"salt": "[A-Za-z0-9_-]{22}", "revision": INTEGER, "licenses": [LICENSE, 0, 1000]}  # P 7 and 18
ADDRESS = r"([^][/:@?#\\\s]+|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}"
JWK = {"kty": "EC", "crv": "P-384", "x": "[A-Za-z0-9_-]{64}", "y": "[A-Za-z0-9_-]{64}"}  # P 3.1; TRUST: P 15.1
TRUST = {"solme_sync_trust": range(1, 2), "main_server_id": ID, "name": r"[^\x00-\x1f\x7f-\x9f]{1,128}",
         "https": f"https://{ADDRESS}", "http": f"http://{ADDRESS}", "ca_certificate": "(?s:.+)",
         "signing_jwks": [JWK, 1, 65_536]}  # fmt: skip


def fits(value: object, form: object, name: str) -> None:
    match form:
        case (None, inner) if isinstance(form, tuple):
            value is None or fits(value, inner, name)
        case [inner, least, most]:
            require(isinstance(value, list) and least <= len(value) <= most, f"{name}: no array, or of a wrong length")
            for one in value:
                fits(one, inner, name)
        case dict():
            require(isinstance(value, dict) and form.keys() <= value.keys(), f"{name}: no object, or it lacks a member")
            for member, inner in form.items():
                fits(value[member], inner, f"{name}.{member}")
        case range():
            require(type(value) is int and value in form, f"{name} is {value!r}")
        case str():
            require(isinstance(value, str) and re.fullmatch(form, value), f"{name} is not of its form")


def check_allocation(data: bytes) -> dict:  # P 11.8 and 7
    allocation = parse(data)
    fits(allocation, ALLOCATION, "allocation")
    decode(allocation["salt"])
    for one in allocation["licenses"]:
        ids, properties = {part["id"] for part in one["components"]}, one["properties"]
        require("AQDreDAZcXJjzgAE" in ids and len(ids) == len(one["components"]), "no Base, or a component twice")
        require(one["expires_at"] is None or one["expires_at"] > one["valid_from"], "expires before it is valid")
        fits(list(properties), ["(?s:.{1,64})", 0, 64], "names of properties")
        fits(list(properties.values()), ["(?s:.{0,256})", 0, 64], "values of properties")
    require(len({one["number"] for one in allocation["licenses"]}) == len(allocation["licenses"]), "a license twice")
    return allocation


def check_trust(data: bytes) -> dict:  # P 15.1 and 18
    require(len(data) <= 65_536, "the trust file is too long")
    trust = parse(data)
    fits(trust, TRUST, "trust file")
    require(all(int(trust[name].rpartition(":")[2]) < 65_536 for name in ("https", "http")), "no such port")
    for key in trust["signing_jwks"]:
        require(key.keys() == JWK.keys(), "a member that is no part of a key")  # P 2.3
        require(decode(key["x"]) and decode(key["y"]) and jwk.JWK(**key).get_op_key("verify"), "no key on P-384")
    ssl.create_default_context(cadata=trust["ca_certificate"])
    return trust


class Peer:
    def __init__(self, path: Path, kept: dict | None = None) -> None:
        require(kept or path.exists(), f"no state in {path.parent}: run init", "not-initialized", STATE)
        self.path, self.kept, self.clock = path, kept or json.loads(path.read_text()), int(time.time())
        self.now, self.behind = max(self.kept["mark"], self.clock), self.kept["mark"] - self.clock > 86_400  # P 17.2, 17.4
        advanced = self.kept["advanced"] + max(0, self.clock - self.kept["clock"])
        self.save(mark=self.now, clock=self.clock, advanced=advanced)  # P 17.3, 17.5
        self.trust, self.key = self.kept["trust"], jwk.JWK(**self.kept["key"])
        self.keys = {key.thumbprint(): key for key in (jwk.JWK(**one) for one in self.trust["signing_jwks"])}
        self.last, self.licenses, self.tampered = {}, {}, False
        try:  # P 11.12
            allocation = self.kept["allocation"].encode()
            if self.kept["receipt"]:
                self.last = self.answer(self.kept["receipt"], "receipt")
                same(self.last, allocation_digest=digest(allocation), key_thumbprint=self.key.thumbprint())
            self.licenses = {one["number"]: one for one in check_allocation(allocation)["licenses"]}
        except Exception:  # whatever a library says to it
            self.last, self.tampered = {}, True

    def save(self, **changes: object) -> None:
        self.kept |= changes
        draft = self.path.with_suffix(".new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.kept, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.path)

    def answer(self, text: str, kind: str) -> dict:  # P 11.1, 11.2, 11.10: what a trusted key has signed
        header, claims, signature = map(decode, text.split("."))
        require(len(text) <= 8192 and len(signature) == 96, "too long, or its signature is not 96 bytes")
        require(len(header) <= 1024, "its header is too long")
        wanted = {"alg": "ES384", "typ": f"solme-sync-{kind}+jwt", "kid": parse(header).get("kid")}
        require(parse(header) == wanted, f"not the header of a {kind}")
        require(wanted["kid"] in self.keys, "signed by a key that is not trusted")
        jws.JWS().deserialize(text, self.keys[wanted["kid"]], alg="ES384")
        claims = parse(claims)
        same(claims, version=1, iss=self.trust["main_server_id"], aud=self.kept["id"])
        well_formed(claims, kind)
        return claims

    def request(self) -> str:
        """P 12.1, 12.2: the outstanding request, or a new one, stored before it leaves."""
        if not self.kept["outstanding"]:
            sealing = jwk.JWK.generate(kty="EC", crv="P-384")
            claims = {"version": 1, "iss": self.kept["id"], "aud": self.trust["main_server_id"], "iat": self.clock,
                      "jti": encode(os.urandom(16)), "sealing_jwk": sealing.export_public(as_dict=True),
                      "last_receipt": self.kept["receipt"], "high_water_mark": self.now,
                      "product": "license-server-peer", "product_version": "1"}  # fmt: skip
            header = {"alg": "ES384", "typ": "solme-sync-request+jwt", "jwk": self.key.export_public(as_dict=True)}
            token = jws.JWS(json.dumps(claims))
            token.add_signature(self.key, protected=json.dumps(header))
            self.save(advanced=0, outstanding=claims | {"jws": token.serialize(True), "sealing": sealing.export(as_dict=True)})
        return self.kept["outstanding"]["jws"]

    def receive(self, text: str, payload: bytes | None = None) -> None:
        """P 11.1 to 11.9 and 11.11. A payload that did not come along is fetched."""
        claims, last, asked = self.answer(text, "receipt"), self.last, self.kept["outstanding"] or {"jti": 0, "jws": ""}
        if last and digest(text) == digest(self.kept["receipt"]):
            return require(payload is not None, "the receipt that was applied last, and not of this request")
        require(claims["sequence"] >= last.get("sequence", 0), "older than the one applied last", "response-older")
        same(claims, request_id=asked["jti"], request_digest=digest(asked["jws"]), key_thumbprint=self.key.thumbprint())
        if last:
            same(claims, sequence=last["sequence"] + 1, key_generation=last["key_generation"])
            require(claims["allocation_revision"] >= last["allocation_revision"], "with an older allocation")
        require(claims["key_generation"] > 0 and type(claims["iat"]) is int, "no key generation, or no time")
        same(claims, synchronize_by=claims["iat"] + 366 * 86_400)
        payload = payload or self.http("8080", "GET", f"/payloads/{encode(decode(claims['payload_name']))}")[1]
        same(claims, payload_size=len(payload), payload_digest=digest(payload))
        fields = ("solme-sync-v1 allocation", claims["iss"], claims["aud"], claims["request_digest"], claims["jti"])
        info = b"".join(len(field).to_bytes(2, "big") + field.encode() for field in fields)  # P 7.4
        clear = SUITE.decrypt(payload, jwk.JWK(**asked["sealing"]).get_op_key("unwrapKey"), info)
        same(claims, allocation_digest=digest(clear), allocation_revision=check_allocation(clear)["revision"])
        iat, mark = claims["iat"], max(claims["iat"], self.now)
        if asked["high_water_mark"] > iat:  # P 17.5
            mark = min(mark, max(iat, min(iat, asked["iat"]) + self.kept["advanced"]))
        self.save(receipt=text, allocation=clear.decode(), outstanding=None, mark=mark)

    def refused(self, text: str) -> None:
        """P 11.10 and 12.3 to 12.6. The state is whole or not read at all, so the stored request verifies."""
        refusal, asked = self.answer(text, "refusal"), self.kept["outstanding"] or {"jws": ""}
        same(refusal, request_digest=digest(asked["jws"]), key_thumbprint=self.key.thumbprint())
        require((code := refusal["code"]) in CODES, f"a code that is not known: {code}")  # P 10.1
        cleared = self.kept["cleared"] or code == "key-pair-cleared"  # P 12.6
        self.save(outstanding=None if code in ENDS else asked, cleared=cleared)
        text, cure = (re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", refusal[name]) for name in ("text", "cure"))  # P 8.3
        raise Failed(text, code, REFUSED, cure)

    def http(self, role: str, method: str, path: str, body: str | None = None) -> tuple[str, bytes]:  # P 13
        at = self.trust["https" if role == "443" else "http"].partition("//")[2]
        tls = ssl.create_default_context(cadata=self.trust["ca_certificate"])  # trusts nothing else
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        connection = HTTPSConnection(at, timeout=10, context=tls) if role == "443" else HTTPConnection(at, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": JOSE} if body else {})
            answer = connection.getresponse()
            body, found = answer.read(2**23 + 1), f"port {role}: {answer.status}"
            require(answer.length == 0 or answer.chunked or body[2**23 :], f"{found}, broken off", f"{role}-failed")
            require(found != "port 8080: 404", "the payload is not there", "payload-not-found")
            kind = answer.headers.get_content_type() + answer.headers.get("Content-Encoding", "")  # P 13.5, 13.8
            require(kind == KINDS.get((role, answer.status)), f"{found}, {kind}", "not-the-main-server")
            return kind, body
        except (OSError, HTTPException) as error:
            raise Failed(f"port {role}: {error}", f"{role}-failed", FAILED, "Open the port, or use a file.") from error

    def exchange(self, again: bool = True) -> None:
        kind, body = self.http("443", "POST", "/synchronize", self.request())
        if kind == PROBLEM:
            require(len(body) <= 32_768, "a problem document that is too long")  # P 18
            return self.refused(parse(body)["refusal"])
        try:
            return self.receive(body.decode())
        except Failed as failed:
            require(again and failed.args[1] == "payload-not-found", *failed.args[:3])
            return self.exchange(again=False)  # P 13.5

    def import_response(self, text: str) -> None:  # P 14.4 and 14.5
        response, _ = json.JSONDecoder(object_pairs_hook=distinct).raw_decode(text, text.index("{"))
        same(response, solme_sync_file="response", version=1)
        require(all(isinstance(response.get(name, []), list) for name in ("message", "payload")), "not an array")
        message, payload = "".join(response["message"]), response.get("payload")
        return self.receive(message, decode("".join(payload))) if payload else self.refused(message)

    def status(self) -> dict:
        by = self.last.get("synchronize_by")
        state = "unsynchronized" if not by else "synchronized" if self.now < by else "overdue"  # P 17.1
        state = "tampered" if self.tampered else "cleared" if self.kept["cleared"] else state  # P 17.8
        shown = {name: self.last.get(name) for name in ("key_generation", "sequence", "synchronize_by")}
        return shown | {"license_server_id": self.kept["id"], "state": state, "key_thumbprint": self.key.thumbprint(),
                        "last_synchronized_at": self.last.get("iat"), "licenses": list(self.licenses.values()),
                        "days_left": by and max(0, -((self.now - by) // 86_400))}  # fmt: skip

    def may_issue(self, number: str | None) -> dict:
        valid = [one for one in self.licenses.values() if one["valid_from"] <= self.now < (one["expires_at"] or 2**53)]
        code = "local-clock-wrong" if self.behind else self.status()["state"]
        if code == "synchronized":
            code = "may-issue" if any(number in (None, one["number"]) for one in valid) else "no-such-license-valid"
        return {"may_issue": code == "may-issue", "code": code, "message": code, "cure": "Synchronize."}


def run(options: argparse.Namespace) -> dict:
    path, verb = options.state / "state.json", options.verb
    if verb == "init":
        trust = check_trust(options.trust.read_bytes())
        key = jwk.JWK.generate(kty="EC", crv="P-384").export(as_dict=True)
        kept = json.loads(path.read_text()) if path.exists() else FRESH | {"id": options.id, "trust": trust, "key": key}
        same(kept, id=options.id)
        same(trust, main_server_id=kept["trust"]["main_server_id"])
        keys = [{jwk.JWK(**one).thumbprint() for one in of["signing_jwks"]} for of in (trust, kept["trust"])]
        require(keys[0] == keys[1], "the trust file of another main server")  # P 15.3
        path.parent.mkdir(parents=True, exist_ok=True)
        Peer(path, kept | {"trust": trust})
    peer, done = Peer(path), {"outcome": "synchronized", "code": None, "message": "Synchronized.", "cure": None}
    if verb == "export-request":
        file = {"solme_sync_file": "request", "version": 1, "message": re.findall(".{1,64}", peer.request())}
        Path(options.what).write_text(json.dumps(file | {"about": [f"Request of {peer.kept['id']}"]}, indent=2))
    elif verb == "import-response":
        require(len(data := Path(options.what).read_bytes()) <= 2**24, "the file is too long")  # P 18
        peer.import_response(re.sub("[\r\n]", "", data.decode("utf-8-sig")))
    elif verb == "synchronize":
        earlier = peer.kept["outstanding"]
        peer.exchange()
        try:
            Peer(path).exchange() if earlier else None  # P 12.5
        except Exception as error:
            if isinstance(error, Failed) and error.args[2] == REFUSED:
                raise
            done["message"] = f"Synchronized. One more request failed: {error}"
    shown = peer.may_issue(options.what) if verb == "may-issue" else peer.status()
    return done if verb in ("synchronize", "import-response") else shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices="init synchronize status may-issue export-request import-response".split())
    parser.add_argument("what", nargs="?", help="a license number, or a file")
    for name, kind in (("--state", Path), ("--trust", Path), ("--id", str)):
        parser.add_argument(name, type=kind)
    options = parser.parse_intermixed_args()
    try:
        status = 0 if (result := run(options)).get("may_issue", True) else NO
    except Exception as error:  # whatever a library says to an answer that is wrong
        other = (repr(error), "answer-wrong", FAILED, "Synchronize again, or via file.")
        text, code, status, cure = error.args if isinstance(error, Failed) else other
        status = FILE if (status, options.verb) == (FAILED, "import-response") else status
        result = {"outcome": "refused" if status == REFUSED else "failed", "code": code, "message": text, "cure": cure}
    print(json.dumps(result))
    return status


if __name__ == "__main__":
    raise SystemExit(main())
