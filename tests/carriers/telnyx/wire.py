"""Telnyx's wire as its documents and its SDK have it: signed webhooks and frames of the media socket."""

import json
import time
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bargein.carriers.interface import WebhookRequest

CALL = "v3:call"
OURS, CUSTOMER = "+15550001111", "+15552223333"


class Signer:
    """Signs as Telnyx does."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> str:
        raw = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return b64encode(raw).decode()

    def headers(self, body: bytes, at_s: int | None = None) -> dict[str, str]:
        stamp = str(int(time.time()) if at_s is None else at_s)
        signature = self._key.sign(stamp.encode() + b"|" + body)
        return {"telnyx-timestamp": stamp, "telnyx-signature-ed25519": b64encode(signature).decode()}

    def request(self, body: bytes, kind: str = "application/json", at_s: int | None = None) -> WebhookRequest:
        headers = {"content-type": kind, **self.headers(body, at_s)}
        return WebhookRequest("POST", "https://us.example/webhook", headers, body)


def event(kind: str, attempt: int = 1, **payload: Any) -> bytes:
    """A Call Control event."""
    payload = {"call_control_id": CALL, "call_leg_id": "leg", "call_session_id": "session", **payload}
    data = {"record_type": "event", "event_type": kind, "id": "event", "payload": payload}
    return json.dumps({"data": data, "meta": {"attempt": attempt, "delivered_to": "https://us.example"}}).encode()


def incoming(**payload: Any) -> bytes:
    """A call comes in."""
    return event("call.initiated", **{"direction": "incoming", "from": CUSTOMER, "to": OURS, **payload})


def form(**fields: str) -> bytes:
    """A TeXML webhook."""
    return urlencode({"AccountSid": "account", "CallSid": CALL, "From": CUSTOMER, "To": OURS, **fields}).encode()


FORM = "application/x-www-form-urlencoded"


def start(encoding: str = "L16", rate_hz: int = 16_000, call_id: str = CALL, **media_format: Any) -> str:
    """The frame with which a stream begins."""
    said = {
        "user_id": "user",
        "call_control_id": call_id,
        "call_session_id": "session",
        "from": CUSTOMER,
        "to": OURS,
        "client_state": "",
        "custom_parameters": {},
        "media_format": {"encoding": encoding, "sample_rate": rate_hz, "channels": 1, **media_format},
    }
    return json.dumps({"event": "start", "sequence_number": "1", "stream_id": "stream", "start": said})


def media(data: bytes, chunk: int | None = None, track: str = "inbound") -> str:
    """A frame with audio."""
    said = {"track": track, "timestamp": "20", "payload": b64encode(data).decode()}
    numbered = said if chunk is None else {**said, "chunk": str(chunk)}
    return json.dumps({"event": "media", "sequence_number": "4", "stream_id": "stream", "media": numbered})


CONNECTED = json.dumps({"event": "connected", "version": "1.0.0"})
STOP = json.dumps({"event": "stop", "sequence_number": "9", "stream_id": "stream", "stop": {"call_control_id": CALL}})


def mark(name: str) -> str:
    """A mark that comes back."""
    return json.dumps({"event": "mark", "sequence_number": "5", "stream_id": "stream", "mark": {"name": name}})


def dtmf(digit: str) -> str:
    """A pressed key."""
    return json.dumps({"event": "dtmf", "sequence_number": "6", "stream_id": "stream", "dtmf": {"digit": digit}})
