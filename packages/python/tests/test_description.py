"""The client against the description of the admin API: what it sends and what it reads is in there."""

from __future__ import annotations

import inspect
import json
import typing
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mock_solme import AdminApi, By, MockSolme

TIME = "2027-01-31T12:00:00Z"
#: What every parameter of every method is given, by name; else by type.
SAMPLES: dict[str, Any] = {
    "license_server_id": "SITE-1",
    "thumbprint": "A" * 43,
    "reserve_for": "A" * 43,
    "quirk": "drop-reply",
    "components": {"Base": 5},
    "contacts": ["it@customer.example"],
    "properties": {"customer": "Customer"},
    "where": {"operation": "synchronize"},
    "when": {"next": 1},
    "parameters": {},
    "members": {"name": None, "contacts": ["it@customer.example"]},
    "https": "https://main-server.example:443",
    "http": "http://main-server.example:8080",
    "request_file": b"{}",
}
LICENSE = "AVIX1-00000-00000-00000-00000-DEMO001"


class Answer(dict[str, Any]):
    """An answer that notes what is read of it."""

    def __init__(self, read: set[str]) -> None:
        self.read = read

    def __missing__(self, member: str) -> str:
        self.read.add(member)
        return TIME


class Call(typing.NamedTuple):
    method: str
    path: Sequence[str]
    body: Any
    query: Mapping[str, Any]
    read: set[str]


class Recorder(AdminApi):
    """Calls nobody."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "token")
        self.calls: list[Call] = []

    def _json(
        self, method: str, path: Sequence[str], body: Any = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        self.calls.append(Call(method, path, body, query or {}, set()))
        return Answer(self.calls[-1].read)

    def _call(
        self, method: str, path: Sequence[str], body: bytes | None = None, query: Mapping[str, Any] | None = None
    ) -> bytes:
        self.calls.append(Call(method, path, body, query or {}, set()))
        return b""


def sample(name: str, kind: Any) -> Any:
    if name in SAMPLES:
        return SAMPLES[name]
    if kind is By:
        return By("operator", "a reason")
    kinds = typing.get_args(kind) or (kind,)
    if int in kinds:
        return 1
    if bool in kinds:
        return True
    if datetime in kinds:
        return datetime(2027, 1, 31, 12, tzinfo=timezone.utc)
    if timedelta in kinds:
        return timedelta(days=1)
    assert str in kinds, f"no sample of {name}: {kind}"
    return LICENSE if name == "number" else "text"


def methods() -> list[str]:
    return [name for name, _ in inspect.getmembers(AdminApi, inspect.isfunction) if not name.startswith("_")]


@pytest.fixture(scope="module")
def description() -> Iterator[Any]:
    with MockSolme("--empty") as main_server, urllib.request.urlopen(f"{main_server.admin}/openapi.json") as answer:
        yield json.load(answer)


def operation(description: Any, call: Call) -> Any:
    for path, operations in description["paths"].items():
        parts = path.strip("/").split("/")
        if len(parts) == len(call.path) and all(
            part.startswith("{") or part == given for part, given in zip(parts, call.path)
        ):
            return operations[call.method.lower()]
    raise AssertionError(f"{call.method} /{'/'.join(call.path)} is not described")


def resolved(description: Any, schema: Any) -> Any:
    return description["components"]["schemas"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema


@pytest.mark.parametrize("name", methods())
def test_what_a_method_sends_and_reads_is_described(description: Any, name: str) -> None:
    method = getattr(AdminApi, name)
    hints = typing.get_type_hints(method)
    positional, named = [], {}
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        value = sample(parameter.name, hints[parameter.name])
        if parameter.kind is parameter.VAR_KEYWORD:
            named.update(value)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    client = Recorder()
    method(client, *positional, **named)
    assert client.calls
    for call in client.calls:
        described = operation(description, call)
        queries = {parameter["name"] for parameter in described.get("parameters", []) if parameter["in"] == "query"}
        assert set(call.query) <= queries
        if isinstance(call.body, dict):
            schema = described["requestBody"]["content"]["application/json"]["schema"]
            Draft202012Validator(schema).validate(call.body)
        elif call.body is not None:
            assert "requestBody" in described
        done = next(answer for status, answer in described["responses"].items() if status.startswith("2"))
        for schema in (media["schema"] for media in done["content"].values()):
            assert call.read <= set(resolved(description, schema).get("properties", {}))


def test_what_an_error_says_is_described(description: Any) -> None:
    assert {"code", "detail", "cure"} <= set(description["components"]["schemas"]["Problem"]["required"])
