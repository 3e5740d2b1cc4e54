"""Vonage's REST API on loopback, as far as a voice application needs it: it checks who asks, and answers as it does."""

import base64
import json
from collections.abc import Callable
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
"""Instead of an answer: the connection is closed."""
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
class Cloud:
    """The API.

    Attributes:
        asked: what was asked, in order.
        application: as it stands.
        numbers: that the account has.
        calls: ids of calls that can be steered.
        placed: is told of each call that is placed: its id and the request.
        refuses: a path's beginning -> the answer it gets instead.
    """

    asked: list[Asked] = field(default_factory=list)
    application: dict[str, Any] = field(default_factory=_application)
    numbers: list[dict[str, Any]] = field(default_factory=lambda: [{"country": "US", "msisdn": NUMBER}])
    calls: set[str] = field(default_factory=set)
    placed: Callable[[str, dict[str, Any]], None] | None = None
    steered: Callable[[str, dict[str, Any]], None] | None = None
    refuses: dict[str, Any] = field(default_factory=dict)
    _http: Receiver = field(default_factory=Receiver)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.port}"

    def of(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method and one.path.startswith(path)]

    async def __aenter__(self) -> Self:
        self._http.script = [self._answer]
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._http.__aexit__(*exc)

    def _answer(self, got: Got) -> Any:
        path = urlsplit(got.path).path
        known = _by_application(got) if path.startswith("/v1/calls") else _by_owner(got)
        if not known:
            return as_json(
                {"type": "UNAUTHORIZED", "title": "Unauthorized", "detail": got.headers["authorization"]}, 401
            )
        form = got.headers.get("content-type") == "application/x-www-form-urlencoded"
        body = dict(parse_qsl(got.body.decode())) if form else json.loads(got.body or b"null")
        self.asked.append(Asked(got.method, got.path, got.headers["host"], body))
        for start, answer in self.refuses.items():
            if path.startswith(start):
                if answer is CLOSED:
                    raise anyio.EndOfStream
                return answer
        if path.startswith("/v1/calls"):
            return self._call(got.method, path.split("/")[3:], body)
        if path.startswith("/v2/applications/"):
            if got.method == "PUT":
                self.application = {**body, "id": APPLICATION, "_links": self.application["_links"]}
            return as_json(self.application)
        return self._number(got, body)

    def _call(self, method: str, rest: list[str], body: Any) -> bytes:
        if method == "POST":
            call = str(uuid4())
            self.calls.add(call)
            if self.placed is not None:
                self.placed(call, body)
            made = {"uuid": call, "status": "started", "direction": "outbound", "conversation_uuid": f"CON-{call}"}
            return as_json(made, 201)
        if rest[0] not in self.calls:
            return as_json({"type": "NOT_FOUND", "error_title": "Not Found"}, 404)
        if self.steered is not None:
            self.steered(rest[0], body)
        if rest[1:] == ["dtmf"]:
            return as_json({"message": "DTMF sent", "uuid": rest[0]})
        return response(204, b"")

    def _number(self, got: Got, body: Any) -> bytes:
        if got.path.startswith("/account/numbers"):
            query = parse_qs(urlsplit(got.path).query)
            found = [one for one in self.numbers if one["msisdn"].startswith(query["pattern"][0])]
            return as_json({"count": len(found), "numbers": found} if found else {})
        for one in self.numbers:
            if (one["country"], one["msisdn"]) == (body["country"], body["msisdn"]):
                one["app_id"] = body["app_id"]
                return as_json({"error-code": "200", "error-code-label": "success"})
        return as_json({"error-code": "420", "error-code-label": "method failed"}, 420)


def _by_application(got: Got) -> bool:
    try:
        token = got.headers["authorization"].removeprefix("Bearer ")
        return jwt.decode(token, key_pair()[1], ["RS256"])["application_id"] == APPLICATION
    except (KeyError, jwt.PyJWTError):
        return False


def _by_owner(got: Got) -> bool:
    wanted = base64.b64encode(f"{API_KEY}:{API_SECRET}".encode()).decode()
    return got.headers.get("authorization") == f"Basic {wanted}"
