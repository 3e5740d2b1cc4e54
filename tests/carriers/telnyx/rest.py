"""Telnyx's REST API on loopback, as far as calls need it: it checks who asks, and answers as it does."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from tests.carriers.telnyx.wire import OURS
from tests.webhooks.receiver import Got, Receiver, as_json

Reply = tuple[int, Any]

API_KEY = "KEY-of-telnyx-4711"
ACCOUNT = "account"


@dataclass(frozen=True)
class Asked:
    """A request that was let in."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class Api:
    """The API, whatever it is asked by.

    Attributes:
        asked: what was asked, in order.
        numbers: that the account has.
        call_control: its Call Control applications.
        texml: its TeXML applications.
        profiles: its outbound voice profiles.
        calls: ids of calls that can be steered.
        placed: is told of each call that is placed; names it.
        steered: is told of each command: the call's id, the command and the request.
    """

    asked: list[Asked] = field(default_factory=list)
    numbers: list[dict[str, Any]] = field(default_factory=lambda: [number("n1", OURS, "app1")])
    call_control: dict[str, dict[str, Any]] = field(default_factory=lambda: {"app1": application("app1", "Mine")})
    texml: dict[str, dict[str, Any]] = field(default_factory=dict)
    profiles: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "p1", "name": "Default", "enabled": True}])
    calls: set[str] = field(default_factory=set)
    placed: Callable[[dict[str, Any]], str] | None = None
    steered: Callable[[str, str, dict[str, Any]], None] | None = None

    def of(self, method: str, end: str) -> list[Any]:
        """The bodies of the requests to a path."""
        return [one.body for one in self.asked if one.method == method and one.path.endswith(end)]

    def answer(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """Answer a request; `headers` by lower-case name."""
        parts = urlsplit(target)
        if headers.get("authorization") != f"Bearer {API_KEY}":
            return error(401, "10009", "Authentication failed", headers.get("authorization", ""))
        form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        body = dict(parse_qsl(content.decode())) if form else json.loads(content or b"null")
        self.asked.append(Asked(method, parts.path, dict(parse_qsl(parts.query)), body))
        return self._resource(parts.path.split("/")[2:], body)

    def _resource(self, path: list[str], body: Any) -> Reply:
        match path:
            case ["calls"]:
                return self._place(body)
            case ["calls", call_id, "actions", action]:
                return self._steer(call_id, action, body or {})
            case ["texml", "Accounts", account, "Calls", call_id] if account == ACCOUNT:
                return self._steer(call_id, "update", body)
            case ["phone_numbers", *rest]:
                return self._number(rest, body)
            case ["call_control_applications", *rest]:
                return self._applications(self.call_control, rest, body)
            case ["texml_applications", *rest]:
                return self._applications(self.texml, rest, body)
            case ["messages"]:
                return 200, {"data": {"record_type": "message", "id": "m1", "to": [{"phone_number": body["to"]}]}}
            case ["outbound_voice_profiles"]:
                return listed(self.profiles)
            case _:
                return error(404, "10005", "Resource not found")

    def _place(self, body: dict[str, Any]) -> Reply:
        if body["connection_id"] not in self.call_control:
            return error(422, "10015", "Invalid value for connection_id")
        call_id = f"v3:{uuid4()}" if self.placed is None else self.placed(body)
        self.calls.add(call_id)
        made = {"call_control_id": call_id, "call_leg_id": "leg", "call_session_id": "session", "is_alive": False}
        return 200, {"data": {"record_type": "call", **made}}

    def _steer(self, call_id: str, action: str, body: dict[str, Any]) -> Reply:
        if call_id not in self.calls:
            return error(422, "90018", "Call has already ended", "This call is no longer active.")
        if self.steered is not None:
            self.steered(call_id, action, body)
        return 200, {"data": {"result": "ok"}}

    def _number(self, rest: list[str], body: Any) -> Reply:
        if not rest:
            query = self.asked[-1].query
            found = [one for one in self.numbers if query.get("filter[phone_number]", "") in one["phone_number"]]
            connection = query.get("filter[connection_id]")
            return listed([one for one in found if connection in (None, one["connection_id"])])
        for one in self.numbers:
            if one["id"] == rest[0]:
                one.update(body)
                return 200, {"data": one}
        return error(404, "10005", "Resource not found")

    def _applications(self, those: dict[str, dict[str, Any]], rest: list[str], body: Any) -> Reply:
        if rest and rest[0] not in those:
            return error(404, "10005", "Resource not found")
        match self.asked[-1].method, rest:
            case "GET", []:
                wanted = self.asked[-1].query.get("filter[application_name][contains]", "")
                return listed([one for one in those.values() if wanted in one["application_name"]])
            case "POST", []:
                made = f"app{len(those) + 1}"
                those[made] = {"id": made, **body}
                return 201, {"data": those[made]}
            case "PATCH", [found]:
                those[found].update(body)
                return 200, {"data": those[found]}
            case _:
                return 200, {"data": those[rest[0]]}


@dataclass
class Cloud:
    """The API behind an address of its own.

    Attributes:
        api: which it is.
        refuses: the end of a path -> the answer it gets instead.
    """

    api: Api = field(default_factory=Api)
    refuses: dict[str, Any] = field(default_factory=dict)
    _http: Receiver = field(default_factory=Receiver)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.port}/v2"

    async def __aenter__(self) -> Self:
        self._http.script = [self._answer]
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._http.__aexit__(*exc)

    def _answer(self, got: Got) -> Any:
        status, said = self.api.answer(got.method, got.path, got.headers, got.body)
        for end, answer in self.refuses.items():
            if urlsplit(got.path).path.endswith(end):
                return as_json(answer[1], answer[0]) if isinstance(answer, tuple) else answer
        return as_json(said, status)


def number(number_id: str, phone_number: str, connection_id: str | None) -> dict[str, Any]:
    """A number of the account's."""
    return {"id": number_id, "phone_number": phone_number, "connection_id": connection_id, "status": "active"}


def application(application_id: str, name: str, profile: str | None = None) -> dict[str, Any]:
    """A Call Control application."""
    outbound = {"outbound_voice_profile_id": profile, "channel_limit": None}
    return {
        "id": application_id,
        "application_name": name,
        "webhook_event_url": "https://old.example/events",
        "outbound": outbound,
    }


def error(status: int, code: str, title: str, detail: str = "") -> Reply:
    """An error in Telnyx's shape."""
    return status, {"errors": [{"code": code, "title": title, "detail": detail}]}


def listed(those: list[dict[str, Any]]) -> Reply:
    """One page."""
    meta = {"page_number": 1, "page_size": 20, "total_pages": 1, "total_results": len(those)}
    return 200, {"data": those, "meta": meta}
