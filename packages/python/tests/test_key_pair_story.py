"""The key-pair story with the real License Server: a leaked id is refused, a reinstalled server is let in after a clear."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from mock_solme import AdminError, By, MockSolme, program

REFUSED = 10


class LicenseServer:
    def __init__(self, main_server: MockSolme, state: Path) -> None:
        self.state = state
        self("init", "--id", main_server.demo_id, "--trust", str(main_server.trust_file))

    def __call__(self, *words: str) -> tuple[int, dict]:
        command = [program("license-server"), "--json", "--state", str(self.state), *words]
        run = subprocess.run(command, capture_output=True, check=False)
        return run.returncode, json.loads(run.stdout)


def test_one_key_pair_owns_the_id_until_it_is_cleared(mock_solme: MockSolme, tmp_path: Path) -> None:
    server_a = LicenseServer(mock_solme, tmp_path / "a")
    assert server_a("synchronize")[1]["outcome"] == "synchronized"
    owner = mock_solme.key_pair(mock_solme.demo_id)["key_thumbprint"]

    thief = LicenseServer(mock_solme, tmp_path / "b")
    status, said = thief("synchronize")
    assert (status, said["code"]) == (REFUSED, "key-pair-in-use")
    assert mock_solme.key_pair(mock_solme.demo_id)["key_thumbprint"] == owner

    reinstalled = LicenseServer(mock_solme, tmp_path / "c")
    assert reinstalled("synchronize")[1]["code"] == "key-pair-in-use"
    reinstalled("request-clear", "--from", "it@customer.example", "--smtp", mock_solme.smtp)
    (asked,) = mock_solme.clear_requests()
    with pytest.raises(AdminError) as caution:
        mock_solme.approve_clear_request(asked["id"], even_so=False)
    assert caution.value.status == 409
    mock_solme.approve_clear_request(asked["id"], by=By("olle", "called back"))
    assert mock_solme.outbox()
    assert reinstalled("synchronize")[0] == 0
    assert reinstalled("may-issue")[0] == 0
    assert server_a("synchronize")[1]["code"] == "key-pair-cleared"
    verdicts = [entry["verdict"] for entry in mock_solme.journal(mock_solme.demo_id)]
    assert verdicts.count("key-pair-in-use") == 2


def test_a_response_file_and_a_quirk(mock_solme: MockSolme, tmp_path: Path) -> None:
    server = LicenseServer(mock_solme, tmp_path / "a")
    request, response = tmp_path / "request.solme", tmp_path / "response.solme"
    server("export-request", str(request))
    response.write_bytes(mock_solme.process_request(request.read_bytes()))
    assert server("import-response", str(response))[0] == 0

    number = mock_solme.add_license(mock_solme.demo_id, components={"Base": 5})["number"]
    mock_solme.arm("drop-reply", when={"next": 1})
    server("synchronize")
    server("synchronize")
    assert [fault["fired"] for fault in mock_solme.armed()] == [1]
    assert number in server("status")[1]["licenses"] or server("may-issue", number)[0] == 0


def test_a_year_passes(mock_solme: MockSolme) -> None:
    before = mock_solme.now()
    assert mock_solme.advance_clock(timedelta(days=366)) - before >= timedelta(days=366)


def test_the_next_test_finds_it_as_new(mock_solme: MockSolme, mock_solme_server: MockSolme) -> None:
    assert mock_solme is mock_solme_server
    assert mock_solme.journal() == [] and mock_solme.armed() == []
    assert mock_solme.key_pair(mock_solme.demo_id)["key_thumbprint"] is None
