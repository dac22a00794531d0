"""The simulator as a process of one's own: it starts on free ports, and ends with the program that started it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import urllib.error
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .admin import AdminApi, Json

#: Seconds that it may take to be ready, and to end.
STARTS_WITHIN = 30.0
ENDS_WITHIN = 10.0

#: Bytes of the log that are shown.
LOG_AT_MOST = 1 << 20


class MockSolmeError(Exception):
    """The simulator cannot be used."""


class MainServerDied(MockSolmeError):
    """The simulator is not running; its log is in the message."""

    def __init__(self, what: str, log: str) -> None:
        super().__init__(f"{what}\n{log.rstrip() or '(its log is empty)'}")
        self.log = log


def program(name: str) -> str:
    """The path of a program of this package: `mock-solme`, `license-server` or `harness`.

    An environment variable, `MOCK_SOLME_PROGRAM` for example, names another.
    """
    variable = name.upper().replace("-", "_") + "_PROGRAM"
    if named := os.environ.get(variable):
        return named
    for scheme in (None, f"{os.name}_user"):
        scripts = sysconfig.get_path("scripts") if scheme is None else sysconfig.get_path("scripts", scheme)
        if found := shutil.which(name, path=scripts):
            return found
    if found := shutil.which(name):
        return found
    raise MockSolmeError(f"{name} is not installed; reinstall the wheel, or set {variable} to its path")


class MockSolme(AdminApi):
    """A simulator that runs from the `with` to its end.

    `args` are further words for `mock-solme serve`, `("--seed", "7")` say; `data` keeps everything in that directory.
    """

    def __init__(self, *args: str, data: str | os.PathLike[str] | None = None) -> None:
        self._args: Sequence[str] = args if data is None else (*args, "--data", os.fspath(data))
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._ready: Json = {}

    def start(self) -> MockSolme:
        """Starts it and waits until it is ready."""
        if self._process is not None:
            raise MockSolmeError("this simulator is running already; stop() it first, or make another MockSolme()")
        self._log = tempfile.TemporaryFile()
        command = [program("mock-solme"), "serve", "--exit-with-stdin", *self._args]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._log)
        except OSError as error:
            self._log.close()
            raise MockSolmeError(f"{command[0]} cannot be started: {error}") from error
        line = self._first_line(self._process)
        try:
            self._ready = json.loads(line)
        except ValueError:
            log = self.log()
            self.stop()
            raise MainServerDied("mock-solme did not get ready:", log) from None
        AdminApi.__init__(self, self._ready["admin"], self._ready["admin_token"])
        return self

    def stop(self) -> None:
        """Ends it. Whatever it kept in memory is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended before
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        if self._log is not None:
            self._log.close()

    def __enter__(self) -> MockSolme:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @staticmethod
    def _first_line(process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        too_late = threading.Timer(STARTS_WITHIN, process.kill)
        too_late.daemon = True
        too_late.start()
        try:
            return process.stdout.readline()
        finally:
            too_late.cancel()

    # --- the ready line

    @property
    def https(self) -> str:
        """Address of the 443 role."""
        return self._of_ready("https")

    @property
    def http(self) -> str:
        """Address of the 8080 role."""
        return self._of_ready("http")

    @property
    def smtp(self) -> str:
        """Where mail to licensing@solme.se is taken, as HOST:PORT."""
        return self._of_ready("smtp")

    @property
    def trust_file(self) -> Path:
        """What a License Server is set up with."""
        return Path(self._of_ready("trust_file"))

    @property
    def main_server_id(self) -> str:
        """Its id."""
        return self._of_ready("main_server_id")

    @property
    def demo_id(self) -> str:
        """The demo license server id, with licenses allocated to it; not there with `--empty`."""
        return self._of_ready("demo_license_server_id")

    @property
    def seed(self) -> int:
        """Repeats what it made up: MockSolme("--seed", str(seed))."""
        return self._of_ready("seed")

    def _of_ready(self, member: str) -> Any:
        if not self._ready:
            raise MockSolmeError("the simulator is not started; use `with MockSolme() as main_server:`")
        if member not in self._ready:
            raise MockSolmeError(f"its ready line has no {member}")
        return self._ready[member]

    # --- its process

    @property
    def pid(self) -> int:
        """The id of its process."""
        if self._process is None:
            raise MockSolmeError("the simulator is not started; use `with MockSolme() as main_server:`")
        return self._process.pid

    def log(self) -> str:
        """What it has logged so far; more with RUST_LOG=info."""
        if self._log is None or self._log.closed:
            return ""
        # Not read(): the process writes where our file position is.
        return os.pread(self._log.fileno(), LOG_AT_MOST, 0).decode("utf-8", "replace")

    def _call(self, *args: Any, **named: Any) -> bytes:
        self._of_ready("admin")
        try:
            return super()._call(*args, **named)
        except (urllib.error.URLError, ConnectionError) as error:
            status = None
            if self._process is not None:
                try:
                    status = self._process.wait(1)  # it may be about to end
                except subprocess.TimeoutExpired:
                    raise error from None
            how = "was stopped" if status is None else f"has ended with status {status}"
            raise MainServerDied(f"mock-solme {how}:", self.log()) from error
