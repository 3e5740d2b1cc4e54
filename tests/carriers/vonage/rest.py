"""Vonage's REST API on loopback, as far as a voice application needs it: it checks who asks, and answers as it does."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import uuid4

import anyio
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.carriers.vonage.signing import API_KEY, APPLICATION, SECRET
from tests.webhooks.receiver import Got, Receiver, as_json, response

CLOSED = object()
"""In `Cloud.breaks`: the connection is closed."""
API_SECRET = "an-api-secret-0815"
NUMBER = "15550001111"


@cache
def key_pair() -> tuple[str, str]:
    """A private and its public key in PEM: made once, it takes a while."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def credential() -> dict[str, Any]:
    """All that a credential can hold."""
    return {
        "provider": "vonage",
        "apiKey": API_KEY,
        "apiSecret": API_SECRET,
        "vonageApplicationId": APPLICATION,
        "vonageApplicationPrivateKey": key_pair()[0],
        "signatureSecret": SECRET,
    }


@dataclass(frozen=True)
class Asked:
    """A request that was let in."""

    method: str
    path: str
    host: str
    body: Any


def _application() -> dict[str, Any]:
    return {
        "id": APPLICATION,
        "name": "My app",
        "keys": {"public_key": key_pair()[1]},
        "capabilities": {
            "voice": {
                "webhooks": {
                    "answer_url": {"address": "https://old.example/answer", "http_method": "GET"},
                    "fallback_answer_url": {"address": "https://old.example/fallback", "http_method": "GET"},
                },
                "signed_callbacks": False,
                "region": "eu-west",
            },
            "video": {"webhooks": {"session_created": {"address": "https://old.example/video"}}},
        },
        "privacy": {"improve_ai": False},
        "_links": {"self": {"href": f"/v2/applications/{APPLICATION}"}},
    }


@dataclass
class Api:
    """The state and the answers of Vonage's API.

    Attributes:
        asked: what was asked and let in, in order.
        application: as it stands.
        numbers: that the account has.
        calls: ids of calls that can be steered.
        place: makes a call of a request, and gives its id.
        refuses: a path's beginning -> the status and JSON that it is answered with instead.
    """

    asked: list[Asked] = field(default_factory=list)
    application: dict[str, Any] = field(default_factory=_application)
    numbers: list[dict[str, Any]] = field(default_factory=lambda: [{"country": "US", "msisdn": NUMBER}])
    calls: set[str] = field(default_factory=set)
    place: Callable[[Any], str] = lambda _: str(uuid4())
    refuses: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def of(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method and one.path.startswith(path)]

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> tuple[int, Any]:
        """Status and JSON; None stands for no body."""
        path = urlsplit(target).path
        known = _by_application(headers) if path.startswith(("/v1/calls", "/v1/messages")) else _by_owner(headers)
        if not known:
            return 401, {"type": "UNAUTHORIZED", "title": "Unauthorized", "detail": headers.get("authorization")}
        form = headers.get("content-type") == "application/x-www-form-urlencoded"
        body = dict(parse_qsl(raw.decode())) if form else json.loads(raw or b"null")
        self.asked.append(Asked(method, target, headers["host"], body))
        for start, answer in self.refuses.items():
            if path.startswith(start):
                return answer
        if path == "/v1/messages":
            return 202, {"message_uuid": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"}
        if path.startswith("/v1/calls"):
            return self._call(method, path.split("/")[3:], body)
        if path.startswith("/v2/applications/"):
            if method == "PUT":
                self.application = {**body, "id": APPLICATION, "_links": self.application["_links"]}
            return 200, self.application
        return self._number(target, body)

    def _call(self, method: str, rest: list[str], body: Any) -> tuple[int, Any]:
        if method == "POST":
            call = self.place(body)
            self.calls.add(call)
            made = {"uuid": call, "status": "started", "direction": "outbound", "conversation_uuid": f"CON-{call}"}
            return 201, made
        if rest[0] not in self.calls:
            return 404, {"type": "NOT_FOUND", "error_title": "Not Found"}
        return (200, {"message": "DTMF sent", "uuid": rest[0]}) if rest[1:] == ["dtmf"] else (204, None)

    def _number(self, target: str, body: Any) -> tuple[int, Any]:
        if target.startswith("/account/numbers"):
            query = parse_qs(urlsplit(target).query)
            found = [one for one in self.numbers if one["msisdn"].startswith(query["pattern"][0])]
            return 200, ({"count": len(found), "numbers": found} if found else {})
        for one in self.numbers:
            if (one["country"], one["msisdn"]) == (body["country"], body["msisdn"]):
                one["app_id"] = body["app_id"]
                return 200, {"error-code": "200", "error-code-label": "success"}
        return 420, {"error-code": "420", "error-code-label": "method failed"}


@dataclass
class Cloud(Api):
    """The API as a server of its own.

    Attributes:
        breaks: a path's beginning -> bytes that are sent in an answer's place, or NEVER, or CLOSED.
    """

    breaks: dict[str, Any] = field(default_factory=dict)
    _http: Receiver = field(default_factory=Receiver)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.port}"

    async def __aenter__(self) -> Self:
        self._http.script = [self._reply]
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._http.__aexit__(*exc)

    def _reply(self, got: Got) -> Any:
        status, body = self.answer(got.method, got.path, got.headers, got.body)
        for start, instead in self.breaks.items():
            if got.path.startswith(start):
                if instead is CLOSED:
                    raise anyio.EndOfStream
                return instead
        return response(status, b"") if body is None else as_json(body, status)


def _by_application(headers: Mapping[str, str]) -> bool:
    try:
        token = headers["authorization"].removeprefix("Bearer ")
        return jwt.decode(token, key_pair()[1], ["RS256"])["application_id"] == APPLICATION
    except (KeyError, jwt.PyJWTError):
        return False


def _by_owner(headers: Mapping[str, str]) -> bool:
    wanted = base64.b64encode(f"{API_KEY}:{API_SECRET}".encode()).decode()
    return headers.get("authorization") == f"Basic {wanted}"
