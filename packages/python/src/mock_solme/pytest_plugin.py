"""Fixtures: `mock_solme`, as new in each test, and `mock_solme_server`, the one process behind it.

`mock_solme_args` in the settings of pytest are further words for `mock-solme serve`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from .server import MockSolme

#: Exchanges in the report of a test that failed.
EXCHANGES = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("mock_solme_args", "further words for mock-solme serve", default="")


@pytest.fixture(scope="session")
def mock_solme_server(request: pytest.FixtureRequest) -> Iterator[MockSolme]:
    """A simulator for the whole session."""
    with MockSolme(*shlex.split(request.config.getini("mock_solme_args"))) as main_server:
        yield main_server


@pytest.fixture
def mock_solme(mock_solme_server: MockSolme) -> MockSolme:
    """The same simulator, as at its first start: reset, not restarted."""
    mock_solme_server.reset()
    return mock_solme_server


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    main_server = getattr(item, "funcargs", {}).get("mock_solme")
    if report.when == "call" and report.failed and isinstance(main_server, MockSolme):
        report.sections.append(("mock-solme journal", _journal(main_server)))


def _journal(main_server: MockSolme) -> str:
    try:
        entries = main_server.journal(limit=EXCHANGES)
    except Exception as error:  # the test's own failure is what matters
        return str(error)
    return "\n".join(_line(entry) for entry in entries) or "No License Server has sent anything."


def _line(entry: dict[str, Any]) -> str:
    words = (entry.get(name) for name in ("number", "at", "carrier", "license_server_id", "verdict", "clause", "quirk", "detail"))
    # As JSON: text of others may hold what acts on a terminal.
    return "  ".join(json.dumps(word).strip('"') for word in words if word not in (None, ""))
