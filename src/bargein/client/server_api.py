"""Requests to the API of a server: making a WebSocket call, and any other request.

Vapi's own paths and fields are used (but for `ring`), so this works with any server of that protocol.
"""

from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import quote, urlsplit

import httpx

from bargein.client.errors import ClientError, RefusedError, UnreachableError
from bargein.http_client import new_client
from bargein.settings import is_loopback
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object, read_json

Encoding = Literal["pcm_s16le", "mulaw"]

_ASSISTANT_REQUEST_S = 7.5
"""Time that a server may take to ask the number's owner which assistant takes the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The address and key of a server's API.

    Attributes:
        url: base URL of the API.
        key: the private bearer key, if the server requires one.
        timeout_s: time limit of one network operation.
    """

    url: str = "http://127.0.0.1:8700"
    key: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    def headers(self) -> dict[str, str]:
        """Return the headers of each request."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInfo:
    """A call that exists and can be joined.

    Attributes:
        id: the call's id.
        socket_url: URL of its media socket; anyone who knows it can join.
        encoding: encoding of the audio in both directions, as the server answered it; mono.
        rate_hz: sample rate of the audio.
        json: the call's record from the server's answer.
    """

    id: str
    socket_url: str = field(repr=False)
    encoding: Encoding
    rate_hz: int
    json: JsonObject = field(repr=False)


async def is_reachable(server: Server, timeout_s: float = 2.0) -> bool:
    """Return True if anything answers over HTTP at the server's URL."""
    try:
        async with _http(server, timeout_s) as http:
            await http.get("/health")
    except httpx.TransportError:
        return False
    return True


async def create_call(
    server: Server,
    *,
    assistant: JsonObject | None = None,
    assistant_id: str | None = None,
    assistant_overrides: JsonObject | None = None,
    squad: JsonObject | None = None,
    encoding: Encoding = "pcm_s16le",
    rate_hz: int = 16_000,
) -> CallInfo:
    """Make a call (`POST /call`) with an assistant in full or by its id, or with a squad in full.

    Raises:
        UnreachableError: nothing answers.
        RefusedError: the server answers with an error; the text contains the server's message.
        ClientError: the answer contains no `transport.websocketCallUrl`.
    """
    body = _websocket_transport(encoding, rate_hz)
    options = {
        "assistant": assistant,
        "assistantId": assistant_id,
        "assistantOverrides": assistant_overrides,
        "squad": squad,
    }
    body |= {name: value for name, value in options.items() if value is not None}
    return await _post_call(server, "/call", body, encoding, rate_hz)


async def ring(
    server: Server,
    to: str,
    *,
    customer: JsonObject | None = None,
    encoding: Encoding = "pcm_s16le",
    rate_hz: int = 16_000,
) -> CallInfo:
    """Call a stored phone number of a bargein server (`POST /phone-number/{id}/ring`).

    Args:
        server: the server.
        to: the number, or its id.
        customer: Vapi's customer, the caller.
        encoding: encoding of the audio.
        rate_hz: sample rate of the audio.

    Raises:
        UnreachableError: nothing answers.
        RefusedError: the server answers with an error; the text contains the server's message.
        ClientError: no assistant takes the call, or the answer contains no `transport.websocketCallUrl`.
    """
    body = _websocket_transport(encoding, rate_hz) | ({} if customer is None else {"customer": customer})
    asking = replace(server, timeout_s=server.timeout_s + _ASSISTANT_REQUEST_S)
    call = await _post_call(asking, f"/phone-number/{quote(to, safe='')}/ring", body, encoding, rate_hz)
    if call.json.get("status") == "ended":
        reason, detail = call.json.get("endedReason"), call.json.get("endedMessage")
        raise ClientError(f"no assistant takes the call: {reason} ({detail})")
    return call


def _websocket_transport(encoding: Encoding, rate_hz: int) -> JsonObject:
    audio_format = {"format": encoding, "container": "raw", "sampleRate": rate_hz}
    return {"transport": {"provider": "vapi.websocket", "audioFormat": audio_format}}


async def request_json(
    server: Server, method: str, path: str, body: JsonObject | None = None, *, timeout_s: float | None = None
) -> object:
    """Send one request to the API and return the answer's JSON, or None if it is not JSON.

    Raises:
        UnreachableError: nothing answers.
        RefusedError: the server answers with an error; the text contains the server's message.
    """
    try:
        async with _http(server, server.timeout_s if timeout_s is None else timeout_s) as http:
            response = await http.request(method, path, json=body)
    except httpx.TransportError as error:
        raise UnreachableError(f"no answer from {server.url} ({type(error).__name__})") from None
    if not response.is_success:
        raise RefusedError(_reason(response, server.url), status=response.status_code)
    try:
        return read_json(response.content)
    except ValueError:
        return None


async def _post_call(server: Server, path: str, body: JsonObject, encoding: Encoding, rate_hz: int) -> CallInfo:
    answer = await request_json(server, "POST", path, body)
    try:
        return _call_info(as_object(answer), encoding, rate_hz)
    except (ValueError, KeyError, TypeError):
        raise ClientError(f"{server.url} answered POST {path} without a transport.websocketCallUrl") from None


def _call_info(call: JsonObject, encoding: Encoding, rate_hz: int) -> CallInfo:
    transport: JsonObject = call["transport"]
    answered: JsonObject = transport.get("audioFormat") or {}
    return CallInfo(
        id=str(call["id"]),
        socket_url=str(transport["websocketCallUrl"]),
        encoding=answered.get("format", encoding),
        rate_hz=int(answered.get("sampleRate", rate_hz)),
        json=call,
    )


def _http(server: Server, timeout_s: float) -> httpx.AsyncClient:
    trust_env = not is_loopback(urlsplit(server.url).hostname or "")
    return new_client(base_url=server.url, headers=server.headers(), timeout_s=timeout_s, trust_env=trust_env)


def _reason(response: httpx.Response, url: str) -> str:
    """Return the text of an error in Vapi's shape: `message` is a string or a list of strings."""
    try:
        message: object = as_object(read_json(response.content))["message"]
    except (ValueError, KeyError):
        message = response.reason_phrase
    parts = as_list(message)
    text = "; ".join(map(str, parts)) if isinstance(message, list) else str(message)
    hint = " (set --key or BARGEIN_API_KEY)" if response.status_code in {401, 403} else ""
    return f"{url} answered {response.status_code}: {text}{hint}"
