"""A call over Vapi's WebSocket transport: made by `POST /call`, joined at `transport.websocketCallUrl`.

It uses nothing that only bargein has, so it works with any server of that protocol:

    server = Server(url="https://api.vapi.ai", key=…)
    call = await create_call(server, assistant={"firstMessage": "Hello!"})
    async with join(server, call) as connection:
        async for event in connection:
            …
"""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlsplit

import anyio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from bargein.client.errors import ClientError, RefusedError, UnreachableError
from bargein.client.server_api import CallInfo, Server
from bargein.clock import Clock, LoopClock
from bargein.settings import is_loopback
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none, read_json

Role = Literal["system", "user", "assistant"]
Side = Literal["assistant", "customer"]

_MAX_MESSAGE_BYTES = 8 << 20
"""A long call's `conversation-update` contains the whole conversation."""


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
        data: the message; its `type` names its kind.
        at_ms: when it arrived, on the connection's clock.
    """

    data: JsonObject
    at_ms: float


class ClientSocket(Protocol):
    """A client's WebSocket, as a connection uses it; `websockets` has one, and a server has one to itself."""

    @property
    def close_code(self) -> int | None:
        """The close code; None while it is open."""
        ...

    @property
    def close_reason(self) -> str | None:
        """The text that the server sent on closing."""
        ...

    async def send(self, message: bytes | str) -> None:
        """Send a frame.

        Raises:
            ConnectionClosed: it is closed; `recv` raises it too.
        """
        ...

    async def recv(self) -> bytes | str:
        """Return the next frame."""
        ...


class Connection:
    """A call's open socket; made by `join`.

    Iterating yields the assistant's audio and the client messages until the call has ended. One task may read; any task
    may send.
    """

    def __init__(self, socket: ClientSocket, call: CallInfo, clock: Clock, timeout_s: float) -> None:
        self.call = call
        self.clock = clock
        self._socket = socket
        self._timeout_s = timeout_s

    async def send_audio(self, data: bytes) -> None:
        """Send samples in the call's encoding; 20 ms at a time is best.

        Raises:
            ClientError: the call has ended, or the server reads no data.
        """
        await self._send(data)

    async def send(self, message: JsonObject) -> None:
        """Send a control message (`say`, `add-message`, `control`, `end-call`…).

        Raises:
            ClientError: the call has ended, or the server reads no data.
        """
        await self._send(json.dumps(message))

    async def messages(self) -> AsyncGenerator[JsonObject]:
        """Yield only the client messages, until the call has ended; the assistant's audio is dropped.

        Use either this or the connection's own iterator: each frame is delivered once.
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
            text: the text.
            end_call_after_spoken: end the call afterwards.
            interruptions_enabled: False protects the text from interruptions; None leaves that to the server.
            interrupt_assistant_enabled: say it at once and cut the current speech; otherwise say it afterwards.
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
        """Add a message to the history (`add-message`); with `trigger_response` the assistant answers it.

        It never cuts the assistant's current speech.
        """
        message = {"role": role, "content": content}
        await self.send({"type": "add-message", "message": message, "triggerResponseEnabled": trigger_response})

    async def mute(self, side: Side = "customer", *, on: bool = True) -> None:
        """Mute a side or, with `on=False`, unmute it (`control`). A muted customer's audio is ignored."""
        await self.send({"type": "control", "control": f"{'mute' if on else 'unmute'}-{side}"})

    async def press(self, keys: str) -> None:
        """Press DTMF keys (0 to 9, *, #, A to D) as at a telephone (`dtmf`, a message that only bargein has)."""
        await self.send({"type": "dtmf", "keys": keys})

    async def transfer(self, destination: JsonObject, content: str | None = None) -> None:
        """Transfer the caller to a number or SIP address, as in Vapi's `transfer`; `content` is said before.

        A server that cannot do it sends a message with `statusCode`, and the call goes on.
        """
        await self._send_destination("transfer", destination, content)

    async def handoff(self, destination: JsonObject, content: str | None = None) -> None:
        """Hand the call over to another assistant (`handoff`): `{"type": "assistant", "assistantName": …}`.

        Args:
            destination: the assistant, as in Vapi's handoff tool.
            content: text that is said before.
        """
        await self._send_destination("handoff", destination, content)

    async def _send_destination(self, kind: str, destination: JsonObject, content: str | None) -> None:
        optional = {} if content is None else {"content": content}
        await self.send({"type": kind, "destination": destination, **optional})

    async def end_call(self) -> None:
        """Ask the server to end the call; iteration stops when it has. Does nothing if the call has ended."""
        with suppress(ClientError):
            await self.send({"type": "end-call"})

    async def __aiter__(self) -> AsyncGenerator[Audio | Message]:
        # No time limit: a call may be silent for a long time. The library's pings detect a dead connection.
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
        """The socket's close code (RFC 6455, 7.4.1); 1006 for a broken connection, None while it is open."""
        return self._socket.close_code

    @property
    def close_reason(self) -> str:
        """The text that the server sent on closing."""
        return self._socket.close_reason or ""

    async def _send(self, frame: bytes | str) -> None:
        try:
            with anyio.fail_after(self._timeout_s):
                await self._socket.send(frame)
        except ConnectionClosed:
            raise ClientError(f"the call is over (close code {self.close_code} {self.close_reason})".rstrip()) from None
        except TimeoutError:
            raise ClientError(f"the server read no data for {self._timeout_s:g} s") from None


@asynccontextmanager
async def join(server: Server, call: CallInfo, clock: Clock | None = None) -> AsyncGenerator[Connection]:
    """Open a call's socket; leaving the block closes it.

    Raises:
        UnreachableError: nothing answers there.
        RefusedError: the server refused the connection.
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
    """Return the headers with the key, as Vapi's clients send them; without it if only the API is encrypted."""
    target = urlsplit(call.socket_url)
    downgraded = server.url.startswith("https:") and target.scheme != "wss" and not is_loopback(target.hostname or "")
    return {} if downgraded else server.headers()


def _message(frame: str) -> JsonObject | None:
    """Return the message in a frame, without a `{"message": …}` around it; None if the frame contains none."""
    try:
        data: object = read_json(frame)
    except ValueError:
        return None
    message = as_object_or_none(data)
    if message is None or "type" in message:
        return message
    inner = as_object_or_none(message.get("message"))
    return message if inner is None else inner
