"""The key-pair story, told by the peer to a running simulator.

    peer_story.py [--ready LINE] [COMMAND ...]

COMMAND starts the simulator and prints its ready line (`mock-solme serve`); with --ready it runs already.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from license_server_peer import JOSE, PROBLEM, Peer, decode, encode

ORDER = int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)
PEER = Path(__file__).with_name("license_server_peer.py")


class Story:
    def __init__(self, ready: dict, folder: Path) -> None:
        self.ready, self.folder = ready, folder
        self.id, self.trust = ready["demo_license_server_id"], ready["trust_file"]
        self.passed = self.failed = 0

    def check(self, sentence: str, condition: object, found: object = "") -> None:
        self.passed += bool(condition)
        self.failed += not condition
        print(f"{'ok    ' if condition else 'FAILED'} {sentence}" + ("" if condition else f": {found}"), flush=True)

    def peer(self, name: str, *arguments: str) -> tuple[int, dict]:
        command = [sys.executable, str(PEER), *arguments, "--state", str(self.folder / name)]
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, {"message": done.stdout + done.stderr}

    def expect(self, sentence: str, name: str, *arguments: str, exit_code: int = 0, **members: object) -> dict:
        found_code, found = self.peer(name, *arguments)
        fits = all(found.get(member) == value for member, value in members.items())
        self.check(sentence, found_code == exit_code and fits, f"exit code {found_code}, {found}")
        return found

    def install(self, name: str) -> None:
        state = {"state": "unsynchronized", "license_server_id": self.id}
        self.expect(f"{name} is set up", name, "init", "--id", self.id, "--trust", self.trust, **state)

    def admin(self, path: str, body: bytes) -> bytes:
        headers = {"Authorization": f"Bearer {self.ready['admin_token']}", "Content-Type": "application/json"}
        call = urllib.request.Request(self.ready["admin"] + path, body, headers, method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call, timeout=30) as answer:
            return answer.read()

    def clear(self, thumbprint: str) -> None:
        body = json.dumps({"thumbprint": thumbprint, "even_so": True, "reason": "the peer's story"}).encode()
        self.admin(f"/ids/{self.id}/key-pair/clear", body)

    def state(self, name: str) -> Path:
        return self.folder / name / "state.json"

    def send(self, name: str, message: str) -> tuple[str, bytes]:
        return Peer(self.state(name)).http("443", "POST", "/synchronize", message)

    def tell(self) -> None:
        self.first_synchronization()
        self.resend()
        self.second_server()
        self.files()
        self.tampered()
        self.cleared()
        self.copied()

    def first_synchronization(self) -> None:
        self.install("a")
        no = {"exit_code": 14, "code": "unsynchronized"}
        self.expect("before the first synchronization nothing is issued", "a", "may-issue", **no)
        self.expect("a synchronizes for the first time", "a", "synchronize", outcome="synchronized")
        first = {"state": "synchronized", "sequence": 1, "key_generation": 1}
        status = self.expect("it has the first receipt", "a", "status", **first)
        self.check("366 days are left", status.get("days_left") == 366, status)
        self.check("it has a license", status.get("licenses"), status)
        self.expect("it may issue", "a", "may-issue", may_issue=True)

    def resend(self) -> None:
        """P 9.7: the same bytes again, also for the other signature of P 4.6."""
        request = Peer(self.state("a")).request()
        first = self.send("a", request)
        self.check("the second request is accepted", first[0] == JOSE, first)
        self.check("sent again it gets the same receipt", self.send("a", request) == first)
        input_, _, signature = request.rpartition(".")
        r, s = decode(signature)[:48], int.from_bytes(decode(signature)[48:], "big")
        other = f"{input_}.{encode(r + (ORDER - s).to_bytes(48, 'big'))}"
        self.check("with the other signature it gets the same receipt", self.send("a", other) == first)
        broken = f"{input_}.{encode(r + (s ^ 1).to_bytes(48, 'big'))}"
        answer = self.send("a", broken)
        self.check("with a wrong signature it is refused", b'"invalid-signature"' in answer[1], answer)
        self.expect("a applies the answer and asks once more", "a", "synchronize", outcome="synchronized")
        self.expect("which makes two receipts", "a", "status", sequence=3)
        answer = self.send("a", request)
        self.check("the old request was answered already", b'"request-already-answered"' in answer[1], answer)
        answer = self.send("a", "no request")
        self.check("what is no request is no refusal", answer[0] == PROBLEM and b'"refusal"' not in answer[1], answer)

    def second_server(self) -> None:
        self.install("b")
        refused = {"exit_code": 10, "outcome": "refused", "code": "key-pair-in-use"}
        found = self.expect("b with the same id is refused", "b", "synchronize", **refused)
        self.check("it is told what to do", found.get("cure"), found)
        self.expect("and refused again", "b", "synchronize", **refused)
        self.expect("b issues nothing", "b", "may-issue", exit_code=14, may_issue=False)
        self.expect("a goes on", "a", "synchronize", outcome="synchronized")

    def files(self) -> None:
        """P 14."""
        for name in ("a", "b"):
            self.peer(name, "export-request", str(self.folder / f"{name}.request"))
            response = self.admin("/process-request", (self.folder / f"{name}.request").read_bytes())
            (self.folder / f"{name}.response").write_bytes(response)
        half = self.folder / "half"
        half.write_bytes((self.folder / "a.response").read_bytes()[:500])
        self.expect("half a response file is not usable", "a", "import-response", str(half), exit_code=12)
        response = str(self.folder / "a.response")
        self.expect("a synchronizes via file", "a", "import-response", response, outcome="synchronized")
        self.expect("importing twice is a success", "a", "import-response", response, outcome="synchronized")
        self.expect("which changed nothing", "a", "status", sequence=5, state="synchronized")
        self.expect("b cannot use it", "b", "import-response", response, exit_code=12, outcome="failed")
        refusal = {"exit_code": 10, "code": "key-pair-in-use"}
        self.expect("b is refused via file as well", "b", "import-response", str(self.folder / "b.response"), **refusal)

    def tampered(self) -> None:
        """P 11.12."""
        kept = json.loads(self.state("a").read_text())
        kept["allocation"] = kept["allocation"].replace('"max_users":', '"max_users":9')
        self.state("a").write_text(json.dumps(kept))
        self.expect("a hand-edited allocation is named", "a", "status", state="tampered", licenses=[])
        self.expect("and issues nothing", "a", "may-issue", exit_code=14, code="tampered")
        self.expect("a synchronization heals it", "a", "synchronize", outcome="synchronized")
        self.expect("then it may issue again", "a", "may-issue", may_issue=True)

    def cleared(self) -> None:
        """P 16."""
        thumbprint = self.peer("a", "status")[1]["key_thumbprint"]
        self.clear(thumbprint)
        self.expect("a goes on until it is told", "a", "may-issue", may_issue=True)
        self.install("c")
        self.expect("a new key pair synchronizes after the clear", "c", "synchronize", outcome="synchronized")
        found = self.expect("it is the second generation", "c", "status", key_generation=2, state="synchronized")
        self.check("the sequence goes on", found.get("sequence") == 7, found)
        cleared = {"exit_code": 10, "outcome": "refused", "code": "key-pair-cleared"}
        self.expect("the old key pair is cleared", "a", "synchronize", **cleared)
        self.expect("and stays cleared", "a", "synchronize", **cleared)
        self.expect("a knows it", "a", "status", state="cleared")
        self.expect("a issues nothing more", "a", "may-issue", exit_code=14, code="cleared")
        self.expect("b is refused as before", "b", "synchronize", exit_code=10, code="key-pair-in-use")
        self.clear(thumbprint)
        self.expect("a second clear of the old key pair changes nothing", "c", "synchronize", outcome="synchronized")

    def copied(self) -> None:
        """P 9.12."""
        shutil.copytree(self.folder / "c", self.folder / "copy")
        self.expect("c synchronizes", "c", "synchronize", outcome="synchronized")
        self.expect("a copy of it is found out", "copy", "synchronize", exit_code=10, code="state-diverged")
        self.expect("c is not troubled", "c", "synchronize", outcome="synchronized")


def tell(ready: dict) -> int:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(ready, Path(folder))
        story.tell()
    print(f"{story.passed} passed, {story.failed} failed")
    return 0 if story.passed and not story.failed else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ready", help="the ready line of a simulator that runs already")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.ready:
        return tell(json.loads(options.ready))
    # A group of its own: a command like `cargo run` has the simulator as its child.
    with subprocess.Popen(options.command, stdout=subprocess.PIPE, text=True, start_new_session=True) as simulator:
        try:
            return tell(json.loads(simulator.stdout.readline()))
        finally:
            os.killpg(simulator.pid, signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main())
