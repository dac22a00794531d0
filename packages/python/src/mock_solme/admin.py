"""The admin API, a method for each call. Answers are its JSON; times in it are RFC 3339."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

Json = dict[str, Any]

#: Seconds that a call may take.
TIMEOUT = 60.0


class AdminError(Exception):
    """The main server did not do it."""

    def __init__(self, status: int, code: str, detail: str, cure: str) -> None:
        super().__init__(f"{code}: {detail} {cure}".strip())
        self.status = status
        #: The word to decide by.
        self.code = code
        self.detail = detail
        #: What to do next.
        self.cure = cure


class By(NamedTuple):
    """Who does it and why, for the audit."""

    operator: str = "operator"
    reason: str | None = None


class AdminApi:
    """A simulator that runs anywhere, by the address and the token of its ready line."""

    def __init__(self, url: str, token: str) -> None:
        self.admin = url.rstrip("/")
        self.admin_token = token
        # It is this machine, or one that was named: no proxy is asked for it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    # --- license server ids

    def ids(self, *, after: str = "", limit: int = 100) -> list[Json]:
        """The ids after `after`."""
        return self._json("GET", ["ids"], query={"after": after, "limit": limit})

    def id(self, license_server_id: str) -> Json:
        """What is known of an id."""
        return self._json("GET", ["ids", license_server_id])

    def add_id(
        self,
        license_server_id: str | None = None,
        *,
        name: str | None = None,
        contacts: Sequence[str] = (),
        reserve_for: str | None = None,
        operator: str = "operator",
    ) -> Json:
        """Adds an id; one is made up if none is named."""
        body = _given(license_server_id=license_server_id, name=name, reserve_for=reserve_for, operator=operator)
        return self._json("POST", ["ids"], body | {"contacts": list(contacts)})

    def change_id(self, license_server_id: str, *, operator: str = "operator", **members: Any) -> Json:
        """Changes `name` or `contacts`; `name=None` removes it."""
        return self._json("PATCH", ["ids", license_server_id], members | {"operator": operator})

    def disable_id(self, license_server_id: str, by: By = By()) -> Json:
        """From now on it is refused."""
        return self._json("POST", ["ids", license_server_id, "disable"], _by(by))

    def enable_id(self, license_server_id: str, by: By = By()) -> Json:
        """It is served again."""
        return self._json("POST", ["ids", license_server_id, "enable"], _by(by))

    def reset_id(self, license_server_id: str, by: By = By()) -> Json:
        """Forgets key pairs and requests of the id; what is allocated to it stays."""
        return self._json("POST", ["ids", license_server_id, "reset"], {"operator": by.operator})

    # --- licenses

    def licenses(self, license_server_id: str) -> Json:
        """The licenses that are allocated to an id, and their revision."""
        return self._json("GET", ["ids", license_server_id, "licenses"])

    def add_license(
        self,
        license_server_id: str,
        *,
        number: str | None = None,
        components: Mapping[str, int] | None = None,
        display: str | None = None,
        domain: str | None = None,
        valid_from: datetime | None = None,
        expires_at: datetime | None = None,
        properties: Mapping[str, str] | None = None,
        by: By = By(),
    ) -> Json:
        """Allocates a license: by default one for Base, with a number that is made up."""
        body = _given(
            number=number,
            display=display,
            domain=domain,
            valid_from=None if valid_from is None else _time(valid_from),
            expires_at=None if expires_at is None else _time(expires_at),
            components=None if components is None else _components(components),
            properties=None if properties is None else dict(properties),
        )
        return self._json("POST", ["ids", license_server_id, "licenses"], body | _by(by))

    def remove_license(self, license_server_id: str, number: str, by: By = By()) -> Json:
        """Takes a license back."""
        return self._json("DELETE", ["ids", license_server_id, "licenses", number], {"operator": by.operator})

    # --- the key pair

    def key_pair(self, license_server_id: str) -> Json:
        """The key pair in use, and those that were cleared."""
        return self._json("GET", ["ids", license_server_id, "key-pair"])

    def clear_key_pair(
        self,
        license_server_id: str,
        thumbprint: str | None = None,
        *,
        even_so: bool = True,
        reserve_for: str | None = None,
        by: By = By(reason="by a test"),
    ) -> Json:
        """Clears the key pair in use, or the one named: the id is free for another."""
        body = _given(thumbprint=thumbprint, reserve_for=reserve_for) | {"even_so": even_so} | _by(by)
        return self._json("POST", ["ids", license_server_id, "key-pair", "clear"], body)

    def reserve_for(self, license_server_id: str, thumbprint: str | None, by: By = By()) -> Json:
        """Reserves a free id for one key pair, or lifts its reservation."""
        body = {"reserve_for": thumbprint, "operator": by.operator}
        return self._json("POST", ["ids", license_server_id, "key-pair", "reserve"], body)

    # --- mail

    def clear_requests(self, license_server_id: str | None = None, *, limit: int = 100) -> list[Json]:
        """Requests by e-mail to clear a key pair."""
        return self._json("GET", ["clear-requests"], query=_given(id=license_server_id, limit=limit))

    def approve_clear_request(
        self, number: int, *, even_so: bool = True, reserve: bool = False, by: By = By(reason="by a test")
    ) -> Json:
        """Clears the key pair that it names."""
        body = {"even_so": even_so, "reserve": reserve} | _by(by)
        return self._json("POST", ["clear-requests", str(number), "approve"], body)

    def reject_clear_request(self, number: int, by: By = By(reason="by a test")) -> Json:
        """Leaves the key pair in use."""
        return self._json("POST", ["clear-requests", str(number), "reject"], _by(by))

    def outbox(self, *, limit: int = 100) -> list[Json]:
        """Mails that the licensing desk has answered with."""
        return self._json("GET", ["outbox"], query={"limit": limit})

    def mail(self, number: int) -> Json:
        """One mail of the outbox, with its text."""
        return self._json("GET", ["outbox", str(number)])

    # --- files, trust

    def process_request(self, request_file: bytes) -> bytes:
        """Turns a request file into a response file; a refusal makes one too."""
        return self._call("POST", ["process-request"], request_file)

    def trust_for(self, *, https: str | None = None, http: str | None = None) -> Json:
        """The trust file for License Servers that reach it at other addresses, behind a port mapping say."""
        return self._json("POST", ["trust-file"], _given(https=https, http=http))

    # --- time

    def now(self) -> datetime:
        """Main server time."""
        return _datetime(self._json("GET", ["clock"])["now"])

    def set_clock(self, now: datetime) -> datetime:
        """Makes it that time now."""
        return _datetime(self._json("PUT", ["clock"], {"now": _time(now)})["now"])

    def advance_clock(self, by: timedelta) -> datetime:
        """Moves main server time; back, if negative."""
        seconds = by // timedelta(seconds=1)
        return _datetime(self._json("POST", ["clock", "advance"], {"seconds": seconds})["now"])

    # --- quirks

    def quirks(self) -> list[Json]:
        """Every way to misbehave, and the clause that it tests."""
        return self._json("GET", ["quirks"])

    def arm(
        self,
        quirk: str,
        *,
        where: Mapping[str, Any] | None = None,
        when: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Json:
        """From now on the main server misbehaves: `arm("drop-reply", when={"next": 1})`."""
        body = {"quirk": quirk, "where": dict(where or {}), "when": dict(when or {}), "with": dict(parameters or {})}
        return self._json("POST", ["quirks", "faults"], body)

    def armed(self) -> list[Json]:
        """What is armed, how often it has fired, and what is left."""
        return self._json("GET", ["quirks", "faults"])

    def disarm(self, number: int | None = None) -> Any:
        """Disarms one fault, or all."""
        return self._json("DELETE", ["quirks", "faults"] if number is None else ["quirks", "faults", str(number)])

    # --- what happened

    def journal(self, license_server_id: str | None = None, *, limit: int = 100) -> list[Json]:
        """The newest exchanges: the verdict, and the clause that decided it."""
        return self._json("GET", ["journal"], query=_given(id=license_server_id, limit=limit))

    def audit(self, license_server_id: str | None = None, *, limit: int = 100) -> list[Json]:
        """What was changed, by whom and why."""
        return self._json("GET", ["audit"], query=_given(id=license_server_id, limit=limit))

    def reset(self) -> None:
        """Forgets everything, as at the first start; clock and quirks too."""
        self._json("POST", ["reset"])

    # --- the wire

    def _json(
        self, method: str, path: Sequence[str], body: Json | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        return json.loads(self._call(method, path, None if body is None else json.dumps(body).encode(), query))

    def _call(
        self, method: str, path: Sequence[str], body: bytes | None = None, query: Mapping[str, Any] | None = None
    ) -> bytes:
        url = self.admin + "".join("/" + urllib.parse.quote(part, safe="") for part in path)
        if query:
            url += "?" + urllib.parse.urlencode(query)
        headers = {"Authorization": f"Bearer {self.admin_token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise _problem(error.code, error.read()) from None


def _problem(status: int, body: bytes) -> AdminError:
    try:
        problem = json.loads(body)
        return AdminError(status, problem["code"], problem["detail"], problem.get("cure", ""))
    except (ValueError, KeyError, TypeError):
        return AdminError(status, "not-the-admin-api", f"Status {status} without a problem document.", "Check the URL.")


def _given(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value is not None}


def _by(by: By) -> Json:
    return _given(operator=by.operator, reason=by.reason)


def _components(components: Mapping[str, int]) -> list[Json]:
    return [{"name": name, "max_users": users} for name, users in components.items()]


def _time(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone; use datetime(..., tzinfo=timezone.utc)")
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _datetime(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
