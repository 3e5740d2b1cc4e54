"""Signatures as Vonage makes them."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt

from bargein.carriers.interface import WebhookRequest
from bargein.clock import LoopClock

SECRET = "a-signature-secret-of-some-length-4711"
API_KEY = "abcd1234"
APPLICATION = "78d335fa-323d-0114-9c3d-d6f0d48968cf"


def token(body: bytes | None, secret: str = SECRET, **claims: Any) -> str:
    """A token over `body`; a claim that is None is left out."""
    said = {
        "iat": LoopClock().epoch_ms() // 1000,
        "jti": str(uuid4()),
        "iss": "Vonage",
        "api_key": API_KEY,
        "application_id": APPLICATION,
        **({} if body is None else {"payload_hash": hashlib.sha256(body).hexdigest()}),
        **claims,
    }
    return jwt.encode({name: value for name, value in said.items() if value is not None}, secret, "HS256")


def bearer(body: bytes | None, secret: str = SECRET, **claims: Any) -> dict[str, str]:
    """The header that goes with `body`."""
    return {"authorization": f"Bearer {token(body, secret, **claims)}"}


def request(body: bytes, headers: Mapping[str, str]) -> WebhookRequest:
    return WebhookRequest("POST", "https://voice.example/a/webhook", headers, body)
