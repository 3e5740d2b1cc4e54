"""Webhooks that a carrier signed and whose content is malformed: never a 500, and every call has ended."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
import pytest
from twilio.request_validator import RequestValidator

from bargein.carriers.interface import WebhookRequest
from bargein.carriers.twilio.webhooks import _form
from tests.carriers.telnyx.wire import CUSTOMER, FORM, OURS, Signer, event, incoming
from tests.carriers.twilio.loopback import ACCOUNT, TOKEN
from tests.carriers.vonage.rest import credential
from tests.carriers.vonage.signing import bearer
from tests.conftest import BOTH
from tests.server.conftest import BASE, Serve
from tests.server.test_malformed_bodies import WRONG, paths, replaced

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", BOTH, indirect=True)]

NOWHERE = "http://127.0.0.1:9"
JSON = "application/json"
SIGNER = Signer()
TWILIO = {"CallSid": "CA1", "CallStatus": "ringing", "Direction": "inbound", "From": "+15557654321", "To": OURS,
          "AccountSid": ACCOUNT, "CallerName": "Ann", "SipHeader_X-A": "b"}  # fmt: skip
TEXML = {"CallSid": "v3:x", "CallStatus": "ringing", "From": CUSTOMER, "To": OURS, "CallerId": "Ann"}
VONAGE = {"uuid": "63f61863-4a51-4f6b-86e1-46edebcf9356", "conversation_uuid": "CON-1", "from": "15557654321",
          "to": OURS.removeprefix("+"), "from_user": "Ann", "SipHeader_X-A": "b",
          "region_url": "https://x.vonage.com"}  # fmt: skip
TEXTS = ("\0", "a\0b", "\x1b[0m", "\r\n", "<&\"'>", "{{ a }}", "x" * 5000, "🙂" * 100, "\u202e", "", "-1", "null")
BROKEN: tuple[tuple[str, bytes], ...] = (
    (JSON, b""), (JSON, b"\xff\xfe"), (JSON, b"{"), (JSON, b"[]"), (JSON, b"null"), (JSON, b"7"), (JSON, b'"x"'),
    (JSON, b"[" * 100_000), (JSON, b'{"a":' * 500 + b"1" + b"}" * 500), (JSON, b'{"data": "\\ud800"}'),
    (JSON, b'{"data": {"payload": {}}}'), (JSON, b"\0" * 100), (FORM, b""), (FORM, b"\xff=\xff"), (FORM, b"%ff=%00"),
    (FORM, b"a=b&" * 1000), (FORM, b"CallSid=%ed%a0%80"), ("text/plain", b"x"), ("", b"x"),
    ("application/xml", b"<a/>"),
)  # fmt: skip


def twilio_headers(url: str, content_type: str, body: bytes) -> dict[str, str]:
    """Return Twilio's signature over a URL and the fields of a body, as Twilio's own library computes it."""
    try:
        fields: Any = _form(WebhookRequest("POST", url, {}, body))
    except ValueError:
        fields = {}
    return {"content-type": content_type, "x-twilio-signature": RequestValidator(TOKEN).compute_signature(url, fields)}


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    settings = {"telnyx_api_url": NOWHERE, "vonage_api_url": NOWHERE, "twilio_api_url": NOWHERE}
    async with serve(allow_private_addresses=True, **settings) as opened:
        yield opened


async def hooks(client: httpx.AsyncClient, provider: str) -> list[str]:
    """Store a number of a provider and return the URLs of its webhooks."""
    if provider == "vonage":
        made = await client.post("/credential", json=credential())
        body = {"provider": "vonage", "number": OURS, "credentialId": made.json()["id"]}
    elif provider == "telnyx":
        key = {"provider": "telnyx", "apiKey": "key", "publicKey": SIGNER.public_key}
        made = await client.post("/credential", json=key)
        body = {"provider": "telnyx", "number": OURS, "credentialId": made.json()["id"]}
    else:
        body = {"provider": "twilio", "number": OURS, "twilioAccountSid": ACCOUNT, "twilioAuthToken": TOKEN}
    number = await client.post("/phone-number", json=body)
    assert number.status_code == 201, number.text
    return [f"{BASE}/carrier/{provider}/{number.json()['id']}/{kind}" for kind in ("voice", "status")]


async def send(client: httpx.AsyncClient, url: str, content_type: str, body: bytes) -> None:
    match urlsplit(url).path.split("/")[2]:
        case "twilio":
            headers = twilio_headers(url, content_type, body)
        case "telnyx":
            headers = {"content-type": content_type, **SIGNER.headers(body)}
        case _:
            headers = {"content-type": content_type, **bearer(body)}
    response = await client.post(url, content=body, headers=headers)
    assert response.status_code in (200, 204) or 400 <= response.status_code < 500, (url, body[:300], response.text)
    assert response.status_code != 403, (url, body[:300], response.text)  # it is signed


def malformed_events(provider: str) -> list[tuple[str, bytes]]:
    """Return the bodies of a provider's webhooks, each with one value of another kind or with broken text."""
    if provider == "twilio":
        forms = [TWILIO | {name: text} for name in TWILIO for text in TEXTS]
        return [(FORM, urlencode(one).encode()) for one in forms] + [
            (FORM, urlencode(TWILIO | {name: ""}).encode() + b"&" + quote_plus(name).encode() + b"=%ed%a0%80%ff")
            for name in TWILIO
        ]
    if provider == "telnyx":
        bodies = [json.loads(incoming(custom_headers=[{"name": "X-A", "value": "b"}], caller_id_name="Ann"))]
        bodies += [json.loads(event(kind, hangup_cause="x")) for kind in ("call.hangup", "call.answered")]
        forms = [(FORM, urlencode(TEXML | {name: text}).encode()) for name in TEXML for text in TEXTS[::2]]
    else:
        bodies, forms = [VONAGE, VONAGE | {"status": "completed", "direction": "inbound"}], []
    values = [*WRONG[::4], *TEXTS[:2], "x" * 5000, "\ud800", "a\udfffb", {"\ud800": "\ud800"}]
    changed = [replaced(body, path, value) for body in bodies for path in paths(body) for value in values]
    return forms + [(JSON, json.dumps(body).encode()) for body in changed]


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["twilio", "telnyx", "vonage"])
async def test_a_signed_webhook_with_malformed_content_causes_no_server_error(
    client: httpx.AsyncClient, provider: str
) -> None:
    for url in await hooks(client, provider):
        for content_type, body in BROKEN:
            await send(client, url, content_type, body)
    voice, _ = await hooks(client, provider)
    for content_type, body in malformed_events(provider):
        await send(client, voice, content_type, body)
    calls = (await client.get("/call", params={"limit": 1000})).json()
    assert calls
    assert {call["status"] for call in calls} == {"ended"}
