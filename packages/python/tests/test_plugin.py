"""The plugin: a test that fails shows the journal."""

import subprocess
import sys
from pathlib import Path

TEST = """
import subprocess
from mock_solme import program

def test_it(mock_solme, tmp_path):
    def run(*words):
        subprocess.run([program("license-server"), "--state", tmp_path / "s", *words], check=True)
    run("init", "--id", mock_solme.demo_id, "--trust", mock_solme.trust_file)
    run("synchronize")
    assert False

def test_silence(mock_solme):
    assert False
"""


def test_a_failure_shows_the_journal(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmock_solme_args = --seed 7\n")
    (tmp_path / "test_it.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 1 and "2 failed" in run.stdout, run.stdout
    assert run.stdout.count("mock-solme journal") == 2
    assert "DEMO-4711  accepted  P 9.10" in run.stdout or "DEMO-4711  accepted" in run.stdout, run.stdout
    assert "No License Server has sent anything." in run.stdout
