"""A call over Vapi's WebSocket transport: made by `POST /call`, joined at `transport.websocketCallUrl`.

Nothing here is bargein's own, so it works against any server of that protocol:

    server = Server(url="https://api.vapi.ai", key=…)
    call = await create_call(server, assistant={"firstMessage": "Hello!"})
    async with join(server, call) as connection:
        async for event in connection:
            …
"""

import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, cast
from urllib.parse import quote, urlsplit

import anyio
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from bargein.client.errors import ClientError, RefusedError, UnreachableError
from bargein.clock import Clock, LoopClock
from bargein.settings import is_loopback
from bargein.wire.base import JsonObject

Encoding = Literal["pcm_s16le", "mulaw"]
Role = Literal["system", "user", "assistant"]
Side = Literal["assistant", "customer"]

_ASSISTANT_REQUEST_S = 7.5
"""So long a server may have to ask the owner of a number which assistant takes a call."""

_MAX_MESSAGE_BYTES = 8 << 20
"""A long call's `conversation-update` holds all that was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where calls are made.

    Attributes:
        url: base URL of the API.
        key: the private bearer key, if the server wants one.
        timeout_s: how long one step over the network may take.
    """

    url: str = "http://127.0.0.1:8700"
    key: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    def headers(self) -> dict[str, str]:
        """What goes with each request."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInfo:
    """A call that was made and can be joined.

    Attributes:
        id: its id.
        socket_url: its media socket; whoever knows it may join.
        encoding: of the audio, both ways, as the server settled it; mono.
        rate_hz: sample rate of the audio.
        json: all that the server said of it.
    """

    id: str
    socket_url: str = field(repr=False)
    encoding: Encoding
    rate_hz: int
    json: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class Audio:
    """Audio from the assistant.

    Attributes:
        data: samples in the call's encoding.
        at_ms: when it arrived, on the connection's clock.
    """

    data: bytes
    at_ms: float


@dataclass(frozen=True, slots=True)
class Message:
    """A client message.

    Attributes:
        data: the bare message, told apart by its `type`.
        at_ms: when it arrived, on the connection's clock.
    """

    data: JsonObject
    at_ms: float


async def is_there(server: Server, timeout_s: float = 2.0) -> bool:
    """Whether anything at all answers over HTTP at the server's URL."""
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
    encoding: Encoding = "pcm_s16le",
    rate_hz: int = 16_000,
) -> CallInfo:
    """Make a call (`POST /call`) with an assistant given in full or by its id.

    Raises:
        UnreachableError: nothing answers.
        RefusedError: the server does not want it; the text is the server's own.
        ClientError: the answer makes no sense.
    """
    body = _over_a_socket(encoding, rate_hz)
    given = {"assistant": assistant, "assistantId": assistant_id, "assistantOverrides": assistant_overrides}
    body |= {name: value for name, value in given.items() if value is not None}
    return await _made(server, "/call", body, encoding, rate_hz)


async def ring(
    server: Server,
    to: str,
    *,
    customer: JsonObject | None = None,
    encoding: Encoding = "pcm_s16le",
    rate_hz: int = 16_000,
) -> CallInfo:
    """Call a stored phone number of bargein's (`POST /phone-number/{id}/ring`), by its id or by the number itself.

    Raises:
        UnreachableError: nothing answers.
        RefusedError: the server does not want it; the text is the server's own.
        ClientError: the answer makes no sense, or nobody takes the call.
    """
    body = _over_a_socket(encoding, rate_hz) | ({} if customer is None else {"customer": customer})
    patient = replace(server, timeout_s=server.timeout_s + _ASSISTANT_REQUEST_S)
    call = await _made(patient, f"/phone-number/{quote(to, safe='')}/ring", body, encoding, rate_hz)
    if call.json.get("status") == "ended":
        reason, why = call.json.get("endedReason"), call.json.get("endedMessage")
        raise ClientError(f"nobody takes the call: {reason} ({why})")
    return call


def _over_a_socket(encoding: Encoding, rate_hz: int) -> JsonObject:
    audio_format = {"format": encoding, "container": "raw", "sampleRate": rate_hz}
    return {"transport": {"provider": "vapi.websocket", "audioFormat": audio_format}}


async def ask(
    server: Server, method: str, path: str, body: JsonObject | None = None, *, timeout_s: float | None = None
) -> object:
    """One request to the API; gives the answer's JSON, None where it holds none.

    Raises:
        UnreachableError: nothing answers.
        RefusedError: the server does not want it; the text is the server's own.
    """
    try:
        async with _http(server, server.timeout_s if timeout_s is None else timeout_s) as http:
            response = await http.request(method, path, json=body)
    except httpx.TransportError as error:
        raise UnreachableError(f"no answer from {server.url} ({type(error).__name__})") from None
    if not response.is_success:
        raise RefusedError(_reason(response, server.url), status=response.status_code)
    try:
        return response.json()
    except ValueError:
        return None


async def _made(server: Server, path: str, body: JsonObject, encoding: Encoding, rate_hz: int) -> CallInfo:
    answer = await ask(server, "POST", path, body)
    try:
        return _call_info(cast("JsonObject", answer), encoding, rate_hz)
    except (ValueError, KeyError, TypeError):
        raise ClientError(f"{server.url} answered POST {path} without a transport.websocketCallUrl") from None


def _call_info(call: JsonObject, encoding: Encoding, rate_hz: int) -> CallInfo:
    transport: JsonObject = call["transport"]
    settled: JsonObject = transport.get("audioFormat") or {}
    return CallInfo(
        id=str(call["id"]),
        socket_url=str(transport["websocketCallUrl"]),
        encoding=settled.get("format", encoding),
        rate_hz=int(settled.get("sampleRate", rate_hz)),
        json=call,
    )


class Connection:
    """A call's open socket; made by `join`.

    Iterating gives what arrives until the call is over. One task reads; any may send.
    """

    def __init__(self, socket: ClientConnection, call: CallInfo, clock: Clock, timeout_s: float) -> None:
        self.call = call
        self.clock = clock
        self._socket = socket
        self._timeout_s = timeout_s

    async def send_audio(self, data: bytes) -> None:
        """Send samples in the call's encoding; 20 ms at a time is best.

        Raises:
            ClientError: the call is over, or the server reads nothing.
        """
        await self._send(data)

    async def send(self, message: JsonObject) -> None:
        """Send a control message (`say`, `add-message`, `control`, `end-call`…).

        Raises:
            ClientError: the call is over, or the server reads nothing.
        """
        await self._send(json.dumps(message))

    async def messages(self) -> AsyncGenerator[JsonObject]:
        """The client messages alone, bare, until the call is over; the assistant's audio is let go.

        Use either this or iteration of the connection itself: each frame arrives once.
        """
        async for event in self:
            if isinstance(event, Message):
                yield event.data

    async def say(
        self,
        text: str,
        *,
        end_call_after_spoken: bool = False,
        interruptions_enabled: bool | None = None,
        interrupt_assistant_enabled: bool = False,
    ) -> None:
        """Have the assistant say a text (`say`).

        Args:
            text: what to say.
            end_call_after_spoken: whether the call ends then.
            interruptions_enabled: whether the caller may cut it; None leaves that to the server.
            interrupt_assistant_enabled: say it at once, in place of what is being said; otherwise after it.
        """
        message: JsonObject = {
            "type": "say",
            "content": text,
            "endCallAfterSpoken": end_call_after_spoken,
            "interruptAssistantEnabled": interrupt_assistant_enabled,
        }
        if interruptions_enabled is not None:
            message["interruptionsEnabled"] = interruptions_enabled
        await self.send(message)

    async def add_message(self, role: Role, content: str, *, trigger_response: bool = True) -> None:
        """Put a message into the history (`add-message`); unless told otherwise the assistant answers it.

        What the assistant is saying is never cut by it.
        """
        message = {"role": role, "content": content}
        await self.send({"type": "add-message", "message": message, "triggerResponseEnabled": trigger_response})

    async def mute(self, side: Side = "customer", *, on: bool = True) -> None:
        """Mute a side or, with `on=False`, unmute it (`control`). A muted customer is not listened to."""
        await self.send({"type": "control", "control": f"{'mute' if on else 'unmute'}-{side}"})

    async def transfer(self, destination: JsonObject, content: str | None = None) -> None:
        """Give the caller to a number or SIP address, as in Vapi's `transfer`; `content` is said before.

        A server that cannot do it says so in a message with `statusCode`, and the call goes on.
        """
        await self._pass_on("transfer", destination, content)

    async def handoff(self, destination: JsonObject, content: str | None = None) -> None:
        """Give the call to another assistant (`handoff`), by `{"type": "assistant", "assistantName": …}`.

        Args:
            destination: who takes over, as in Vapi's handoff tool.
            content: is said before.
        """
        await self._pass_on("handoff", destination, content)

    async def _pass_on(self, kind: str, destination: JsonObject, content: str | None) -> None:
        said = {} if content is None else {"content": content}
        await self.send({"type": kind, "destination": destination, **said})

    async def end_call(self) -> None:
        """Ask for the end of the call; iteration ends when the server has closed it. Harmless when it is over."""
        await self.hang_up()

    async def hang_up(self) -> None:
        """Ask for the end of the call; iteration ends when the server has closed it. Harmless when it is over."""
        with suppress(ClientError):
            await self.send({"type": "end-call"})

    async def __aiter__(self) -> AsyncGenerator[Audio | Message]:
        # Unbounded on purpose: a call may be silent for long. The library's pings find a peer that is gone.
        while True:
            try:
                frame = await self._socket.recv()
            except ConnectionClosed:
                return
            at_ms = self.clock.monotonic_ms()
            if isinstance(frame, bytes):
                yield Audio(frame, at_ms)
            elif (message := _message(frame)) is not None:
                yield Message(message, at_ms)

    @property
    def close_code(self) -> int | None:
        """Why the socket was closed (RFC 6455, 7.4.1); 1006 for a broken line, None while it is open."""
        return self._socket.close_code

    @property
    def close_reason(self) -> str:
        """What the server said on closing."""
        return self._socket.close_reason or ""

    async def _send(self, frame: bytes | str) -> None:
        try:
            with anyio.fail_after(self._timeout_s):
                await self._socket.send(frame)
        except ConnectionClosed:
            raise ClientError(f"the call is over (close code {self.close_code} {self.close_reason})".rstrip()) from None
        except TimeoutError:
            raise ClientError(f"the server took no data for {self._timeout_s:g} s") from None


@asynccontextmanager
async def join(server: Server, call: CallInfo, clock: Clock | None = None) -> AsyncGenerator[Connection]:
    """Open a call's socket; leaving closes it.

    Raises:
        UnreachableError: nothing answers there.
        RefusedError: the server turned the connection away.
    """
    host = urlsplit(call.socket_url).hostname or ""
    try:
        socket = await connect(
            call.socket_url,
            additional_headers=_socket_headers(server, call),
            compression=None,
            max_size=_MAX_MESSAGE_BYTES,
            max_queue=None,
            open_timeout=server.timeout_s,
            close_timeout=2,
            proxy=None if is_loopback(host) else True,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        raise RefusedError(f"the call's socket was refused with HTTP status {status}", status=status) from None
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise UnreachableError(f"the call's socket at {host} does not open ({type(error).__name__})") from None
    try:
        yield Connection(socket, call, clock or LoopClock(), server.timeout_s)
    finally:
        with anyio.CancelScope(shield=True):  # bounded by the close timeout
            await socket.close()


def _socket_headers(server: Server, call: CallInfo) -> dict[str, str]:
    """The key goes along, as Vapi's clients do it, but never from an encrypted API to a socket in the clear."""
    target = urlsplit(call.socket_url)
    downgraded = server.url.startswith("https:") and target.scheme != "wss" and not is_loopback(target.hostname or "")
    return {} if downgraded else server.headers()


@cache
def _tls(*, trust_env: bool) -> ssl.SSLContext:
    """What the clients of a process trust. Reading the authorities takes some 35 ms, in which no audio is sent."""
    return httpx.create_ssl_context(trust_env=trust_env)


def _http(server: Server, timeout_s: float) -> httpx.AsyncClient:
    trust_env = not is_loopback(urlsplit(server.url).hostname or "")
    return httpx.AsyncClient(
        base_url=server.url,
        headers=server.headers(),
        timeout=timeout_s,
        verify=_tls(trust_env=trust_env),
        trust_env=trust_env,
    )


def _reason(response: httpx.Response, url: str) -> str:
    """An error's text in Vapi's shape: `message` is a string or a list of them."""
    try:
        said: object = response.json()["message"]
    except (ValueError, KeyError, TypeError):
        said = response.reason_phrase
    text = "; ".join(map(str, cast("list[Any]", said))) if isinstance(said, list) else str(said)
    hint = " (set --key or BARGEIN_API_KEY)" if response.status_code in {401, 403} else ""
    return f"{url} answered {response.status_code}: {text}{hint}"


def _message(frame: str) -> JsonObject | None:
    """A bare message; one level of `{"message": …}` around it is tolerated, what is no message is left out."""
    try:
        data: object = json.loads(frame)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    message = cast("JsonObject", data)
    inner: object = message.get("message")
    if "type" not in message and isinstance(inner, dict):
        return cast("JsonObject", inner)
    return message
