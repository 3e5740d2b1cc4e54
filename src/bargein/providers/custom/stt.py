"""Vapi's `custom-transcriber`: the user's own speech to text behind a WebSocket."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import anyio
import httpx
import numpy as np
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bargein.audio.pcm import to_bytes
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16, ProviderError, ServerError, TranscriptCallback
from bargein.providers.http import (
    Addresses,
    Endpoint,
    StreamError,
    endpoint,
    handshake_headers,
    json_object,
    with_secret,
)
from bargein.providers.interface import Resources
from bargein.providers.options import read_headers, read_timeout
from bargein.wire import providers as wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bargein.clock import Clock

FAILED = "pipeline-error-custom-transcriber-failed"

DEFAULT_TIMEOUT_S = 20.0

_START = json.dumps(
    {"type": "start", "encoding": "linear16", "container": "raw", "sampleRate": TRANSCRIBER_RATE_HZ, "channels": 2}
)
_BYTES_PER_S = TRANSCRIBER_RATE_HZ * 2 * 2
_MAX_MESSAGE_BYTES = _BYTES_PER_S // 10
"""Audio that has piled up goes out in messages of about 100 ms; in a quiet sea each `feed` is one message."""

_SETTLED_MS = 5_000
"""A connection that lived this long has earned its successor; one that falls sooner after a reconnect was the last."""

_log = structlog.get_logger(__name__)

_Outcome = Literal["dropped", "stalled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTranscriberConfig:
    """`CustomTranscriber` of Vapi's schema, settled.

    Attributes:
        url: `server.url`: ws, wss, or http and https, which stand for them.
        secret: `server.secret`, sent as `X-Vapi-Secret`.
        headers: `server.headers`.
        timeout_s: `server.timeoutSeconds`: the longest wait for the first connection.
        reconnect_s: the longest wait for the second one, after the first was lost.
        stall_s: how long the far end may take no audio, or leave a ping without an answer; also how much audio waits.
        ping_s: the pause between two pings.
    """

    url: str
    secret: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    reconnect_s: float = 2.0
    stall_s: float = 5.0
    ping_s: float = 2.5


class CustomTranscriber:
    """A `bargein.ports.Transcriber` at the user's URL.

    The far end gets one `start` message, then binary frames of interleaved 16-bit little-endian stereo at 16 kHz
    (channel 0 the customer, channel 1 the assistant), silence included, for as long as the call lasts. It answers with
    `{"type": "transcriber-response", "transcription", "channel": "customer" | "assistant", "transcriptType": "final" |
    "partial"}`; without `transcriptType` it is a final. What is said of the assistant's channel is ignored.

    Args:
        config: see there.
        clock: to tell a connection that fell at once from one that lasted.
        addresses: says where to connect to; the system's resolver if not given.
        auth: proves who connects (`server.credentialId`).

    Raises:
        ProviderError: the URL or a header is unusable.
    """

    def __init__(
        self,
        config: CustomTranscriberConfig,
        clock: "Clock",
        addresses: Addresses | None = None,
        auth: httpx.Auth | None = None,
    ) -> None:
        url = config.url
        for scheme, http in (("wss://", "https://"), ("ws://", "http://")):
            if url.lower().startswith(scheme):
                url = http + url[len(scheme) :]
        checked = endpoint(url, with_secret(config.headers, config.secret), ended_reason=FAILED)
        self._config = config
        self._clock = clock
        self._target = _Target(checked, addresses, auth)

    def open(self, hear: TranscriptCallback) -> "CustomTranscriberStream":
        """See `bargein.ports.Transcriber.open`."""
        return CustomTranscriberStream(self._config, self._target, hear, self._clock)


class _Connect(connect):
    """Follows no redirect: the secret goes to no host that was not named."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass(frozen=True, slots=True)
class _Target:
    """Where to connect to, and what proves who does."""

    endpoint: Endpoint
    addresses: Addresses | None
    auth: httpx.Auth | None

    @property
    def name(self) -> str:
        return self.endpoint.name

    @property
    def socket_url(self) -> str:
        """Its address, of ws or wss."""
        return "ws" + str(self.endpoint.url).removeprefix("http")

    async def connect(self) -> ClientConnection:
        """Open the socket; a name is looked up once, and what was looked at is connected to."""
        url = self.endpoint.url
        port = url.port or (443 if url.scheme == "https" else 80)
        host = url.host if self.addresses is None else await self.addresses.address(url.host, port)
        proof = await handshake_headers(self.auth, str(url))
        return await _Connect(
            self.socket_url,
            additional_headers={**proof, **self.endpoint.headers},
            open_timeout=None,  # the scope around it
            ping_interval=None,  # our own, which tells a stall from a loss
            close_timeout=0.5,
            compression=None,  # noise does not compress, and time is dear
            max_size=256 * 1024,
            proxy=None,
            host=host,  # where to; the name in the handshake and in TLS stays the URL's
            port=port,
        )


class CustomTranscriberStream:
    """One call's `bargein.ports.TranscriberStream`. Finals come when the far end sends them."""

    def __init__(
        self, config: CustomTranscriberConfig, target: _Target, hear: TranscriptCallback, clock: "Clock"
    ) -> None:
        self._config = config
        self._target = target
        self._hear = hear
        self._clock = clock
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._max_queued_bytes = int(_BYTES_PER_S * config.stall_s)
        self._fed = asyncio.Event()  # one for the whole call: anyio's cannot be cleared
        self._outcome: _Outcome = "dropped"
        self._complaints: set[str] = set()

    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        """See `bargein.ports.TranscriberStream.feed`. When too much waits, the oldest audio is dropped."""
        stereo = np.empty((customer.size, 2), np.int16)
        stereo[:, 0] = customer
        stereo[:, 1] = assistant
        data = to_bytes(stereo)
        self._queue.append(data)
        self._queued_bytes += len(data)
        while self._queued_bytes > self._max_queued_bytes:
            self._queued_bytes -= len(self._queue.popleft())
            self._complain("a custom transcriber does not keep up: the oldest audio is dropped")
        self._fed.set()

    def voice_started(self, lead_ms: int) -> None:
        """Nothing to do: the far end hears everything."""

    def voice_paused(self) -> None:
        """Nothing to do: as above."""

    def voice_resumed(self) -> None:
        """Nothing to do: as above."""

    def voice_stopped(self) -> None:
        """Nothing to do: the far end decides when an utterance is over."""

    async def run(self) -> None:
        """See `bargein.ports.TranscriberStream.run`.

        A lost connection is made once more within `reconnect_s`; audio that waits meanwhile goes out after it.

        Raises:
            ProviderError: there is no connection, it was lost for good, or the far end takes no more audio.
        """
        limit_s = self._config.timeout_s
        reconnected = False
        while True:
            async with self._connected(limit_s) as socket:
                began_ms = self._clock.monotonic_ms()
                await self._converse(socket)
            if self._outcome == "stalled":
                raise self._failure(f"has taken no audio for {self._config.stall_s:g} s")
            if reconnected and self._clock.monotonic_ms() - began_ms < _SETTLED_MS:
                raise self._failure("keeps closing the connection")
            _log.warning("a custom transcriber's connection was lost: connecting once more", host=self._target.name)
            limit_s, reconnected = self._config.reconnect_s, True

    @asynccontextmanager
    async def _connected(self, limit_s: float) -> "AsyncGenerator[ClientConnection]":
        try:
            with anyio.fail_after(limit_s):
                socket = await self._target.connect()
                await socket.send(_START)
        except TimeoutError:
            raise self._failure(f"could not be reached within {limit_s:g} s") from None
        except InvalidStatus as error:
            raise self._failure(f"answered {error.response.status_code}") from None
        except ServerError as error:
            raise self._failure(f"cannot be asked: {error}") from None
        except (OSError, WebSocketException) as error:
            raise self._failure(f"could not be reached ({type(error).__name__})") from error
        try:
            yield socket
        finally:
            with anyio.move_on_after(1, shield=True):
                await socket.close()
            socket.transport.abort()  # of no effect on a connection that is closed

    async def _converse(self, socket: ClientConnection) -> None:
        self._outcome = "dropped"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send, socket)
            tasks.start_soon(self._ping, socket, tasks.cancel_scope)
            try:
                async for message in socket:
                    self._take(message)
            except ConnectionClosed:
                pass
            tasks.cancel_scope.cancel()

    async def _send(self, socket: ClientConnection) -> None:
        """Send what waits. It has no time limit of its own, fifty times a second: `_ping` notices a stall."""
        try:
            while True:
                while not self._queue:
                    self._fed.clear()
                    await self._fed.wait()
                await socket.send(self._next_message())
        except ConnectionClosed:
            return  # the reader sees it too, after what came before it

    def _next_message(self) -> bytes:
        first = self._queue.popleft()
        parts, size = [first], len(first)
        while self._queue and size + len(self._queue[0]) <= _MAX_MESSAGE_BYTES:
            size += len(self._queue[0])
            parts.append(self._queue.popleft())
        self._queued_bytes -= size
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _ping(self, socket: ClientConnection, scope: anyio.CancelScope) -> None:
        """Notice a far end that no longer reads: the socket's buffers alone would hide it for half a minute."""
        try:
            while True:
                await anyio.sleep(self._config.ping_s)
                with anyio.fail_after(self._config.stall_s):
                    pong = await socket.ping()
                    await pong
        except TimeoutError:
            self._outcome = "stalled"
            scope.cancel()
        except ConnectionClosed:
            return

    def _take(self, message: str | bytes) -> None:
        try:
            text, channel, final, confidence = _read_response(message)
        except StreamError as error:
            self._complain("a custom transcriber's message was ignored", why=str(error))
            return
        if channel == "customer":
            if confidence is None:
                self._hear(text, final)
            else:
                self._hear(text, final, confidence)

    def _complain(self, event: str, **details: str) -> None:
        if event not in self._complaints:  # once a call: a broken peer must not fill the log
            self._complaints.add(event)
            _log.warning(event, host=self._target.name, **details)

    def _failure(self, what: str) -> ProviderError:
        return ProviderError(f"the transcriber's server {self._target.name} {what}", ended_reason=FAILED)


def _read_response(message: str | bytes) -> tuple[str, str, bool, float | None]:
    """Read one `transcriber-response`: its text, its channel, whether it is final, and how sure it is of that."""
    if isinstance(message, bytes):
        raise StreamError("it is binary")
    response = json_object(message)
    text, channel = response.get("transcription"), response.get("channel")
    kind = response.get("transcriptType", "final")
    if response.get("type") != "transcriber-response" or not isinstance(text, str):
        raise StreamError("it is no transcriber-response")
    if channel not in ("customer", "assistant") or kind not in ("final", "partial"):
        raise StreamError("its channel or transcriptType is unknown")
    sure: object = response.get("confidence")
    known = isinstance(sure, int | float) and not isinstance(sure, bool) and 0 <= sure <= 1
    return text, str(channel), kind == "final", float(cast("float", sure)) if known else None


def create_transcriber(config: wire.CustomTranscriber, resources: Resources) -> CustomTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: the URL or a header is unusable.
    """
    server = config.server
    settled = CustomTranscriberConfig(
        url=server.url or "", secret=server.secret, headers=read_headers(server.headers), **read_timeout(server)
    )
    return CustomTranscriber(settled, resources.clock, resources.addresses, resources.auth)
