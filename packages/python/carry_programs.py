"""Puts the programs into the wheel: from SOLME_PROGRAMS, the folder that cargo built them in."""

import os
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAMS = ("mock-solme", "license-server", "harness")


class CarryPrograms(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        if version == "editable":
            return
        folder = os.environ.get("SOLME_PROGRAMS")
        if not folder:
            raise SystemExit("Set SOLME_PROGRAMS to the folder with the programs, which packages/programs.sh builds and prints")
        for program in PROGRAMS:
            path = Path(folder, program)
            if not path.is_file():
                raise SystemExit(f"{path} is missing: packages/programs.sh builds it")
            build_data["shared_scripts"][str(path)] = program
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"


def platform_tag() -> str:
    """Any Python 3 of this machine's platform, and no other."""
    import sysconfig

    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
