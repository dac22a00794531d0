"""A newcomer's way: the Python skeleton of `harness new-adapter`, grown by whatever `--guide` names next, until ten cases pass.
A guide that cannot be followed so fails this: one that names a verb which is there already or that nobody has written, or wants
something fixed before there is anything to see, or whose own line fails.

    grow.py HARNESS     with a Python that has the packages of tests/peer/requirements.txt
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WRITTEN = Path(__file__).with_name("license_server.py")
PASSED = 10


class Stumble(Exception):
    """What could not be followed, and what was said."""


def run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise Stumble(f"exit code {done.returncode}: {shlex.join(words)}\n{done.stderr}")
    return done.stdout


def find(pattern: str, said: str) -> str:
    found = re.search(pattern, said, re.MULTILINE)
    if not found:
        raise Stumble(f"nothing like {pattern!r} in:\n{said[-4000:]}")
    return found[1]


def implement(adapter: Path, verb: str) -> None:
    """Enters the function into VERBS, as the skeleton says."""
    function, text = verb.replace("-", "_"), adapter.read_text()
    hint = f'    # "{verb}": {function},\n'
    if hint not in text or f"\ndef {function}(flags):" not in WRITTEN.read_text():
        raise Stumble(f"the skeleton has no place for {verb}, or nobody has written it in {WRITTEN.name}")
    text = text.replace(hint, hint.replace("# ", "")).replace("VERBS = {", f"from license_server import {function}\n\nVERBS = {{")
    adapter.write_text(text)


def grow(harness: str, folder: Path) -> None:
    written = run([harness, "new-adapter", "python", str(folder)])
    adapter = folder / "adapter.py"
    shutil.copy(WRITTEN, folder)
    judge = shlex.split(find(r"^  harness (conformance client .*--guide)$", written))
    # The Python that has the libraries, as in a virtual environment.
    at = judge.index("--subject") + 1
    judge[at] = f"{shlex.quote(sys.executable)} {judge[at]}"
    while True:
        said = run([harness, *judge])
        passed = int(find(r"^(\d+) passed", said))
        if passed >= PASSED:
            return print(f"python: {passed} cases pass, as the guide says")
        verb = find(r"^Next: implement (\S+) \(SUBJECT.md\)", said)
        implement(adapter, verb)
        print(f"python: {passed} cases pass; the guide names {verb} next")
        line = shlex.split(find(r"^Then run one of them: harness (.*)$", said))
        if " 0 failed" not in (said := run([harness, *line])):
            raise Stumble(f"{verb} is implemented, and the case that was named fails:\n{said}")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        try:
            grow(sys.argv[1], Path(folder) / "my adapter")
        except Stumble as stumble:
            print(f"The guide cannot be followed: {stumble}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
