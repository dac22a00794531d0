"""What of third parties is in the programs, and its licenses: each text once, with the crates that come with it.

    licenses.py TARGET

The texts are those in the crates' own packages; deny.toml says which licenses there may be. cargo-about would do the same, and
takes minutes to install.
"""

import json
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("license-server", "mock-solme", "solme-sync-harness")
NAMES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
RULE = "=" * 80


def packages(target: str) -> list[dict]:
    """What is linked into a program: no build scripts, no procedural macros' own needs, no tests."""
    words = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    metadata = json.loads(subprocess.check_output(words))
    known = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [id for id in metadata["workspace_members"] if known[id]["name"] in PROGRAMS]
    found = set()
    while waiting:
        id = waiting.pop()
        if id not in found:
            found.add(id)
            needs = (dep for dep in nodes[id]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"]))
            waiting += [dep["pkg"] for dep in needs]
    foreign = [known[id] for id in found if known[id]["source"]]
    return sorted(foreign, key=lambda package: (package["name"], package["version"]))


def main(target: str) -> None:
    by_text: dict[str, list[str]] = {}
    without: list[str] = []
    for package in packages(target):
        folder = Path(package["manifest_path"]).parent
        beside = [path for path in folder.iterdir() if path.name.upper().startswith(NAMES)]
        files = sorted(path for path in [*beside, *folder.glob("LICENSES/*")] if path.is_file())
        line = f"{package['name']} {package['version']}  {package['license']}  {package['repository'] or ''}".rstrip()
        for path in files:
            by_text.setdefault(path.read_text(errors="replace").strip(), []).append(line)
        if not files:
            without.append(line)
    print("What of third parties is in these programs, and its licenses.")
    for text, lines in sorted(by_text.items(), key=lambda entry: entry[1]):
        print("", RULE, *lines, "", text, sep="\n")
    if without:
        print("", RULE, *without, "", "Without a license file in their packages; LICENSE-MIT and LICENSE-APACHE have these texts.", sep="\n")
    odd = [line for line in without if "MIT" not in line]
    if odd:
        raise SystemExit(f"no license text: {odd}; write it into packages/release")


main(sys.argv[1])
