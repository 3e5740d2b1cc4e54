"""Vapi's `custom-transcriber`: the owner's speech to text behind a WebSocket."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import anyio
import anyio.lowlevel
import httpx
import numpy as np
import structlog
from typing_extensions import override
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bargein.audio.pcm import to_bytes
from bargein.ports import (
    TRANSCRIBER_RATE_HZ,
    Pcm16,
    ProviderError,
    ServerError,
    Transcriber,
    TranscriberStream,
    TranscriptCallback,
)
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
"""Default of `transcriber.server.timeoutSeconds`."""

_START = json.dumps(
    {"type": "start", "encoding": "linear16", "container": "raw", "sampleRate": TRANSCRIBER_RATE_HZ, "channels": 2}
)
_BYTES_PER_S = TRANSCRIBER_RATE_HZ * 2 * 2
_MAX_MESSAGE_BYTES = _BYTES_PER_S // 10
"""Queued audio is sent in messages of about 100 ms; while the peer keeps up, each `feed` is one message."""

_SETTLED_MS = 5_000
"""A connection that is lost sooner than this after a reconnect is not made again."""

_log = structlog.get_logger(__name__)

_Outcome = Literal["dropped", "stalled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTranscriberConfig:
    """The configuration of a `CustomTranscriber`: Vapi's type of that name with its defaults.

    Attributes:
        url: `server.url`: ws or wss; http and https mean the same.
        secret: `server.secret`, sent as `X-Vapi-Secret`.
        headers: `server.headers`.
        timeout_s: `server.timeoutSeconds`: the longest wait for the first connection.
        reconnect_s: the longest wait for the second one, after the first was lost.
        stall_s: the longest time in which the peer accepts no audio or answers no ping; also the length of the queue.
        ping_s: the interval between two pings.
    """

    url: str
    secret: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    reconnect_s: float = 2.0
    stall_s: float = 5.0
    ping_s: float = 2.5


class CustomTranscriber(Transcriber):
    """A transcriber at the owner's URL.

    The peer gets one `start` message, then binary frames of interleaved 16-bit little-endian stereo at 16 kHz
    (channel 0 the customer, channel 1 the assistant), silence included, until the call ends. It answers with
    `{"type": "transcriber-response", "transcription", "channel": "customer" | "assistant", "transcriptType": "final" |
    "partial"}`; without `transcriptType` it is a final. Transcripts of the assistant's channel are ignored.

    Args:
        config: the server and the limits.
        clock: measures how long a connection lasted.
        addresses: resolves the host; the system's resolver if not given.
        auth: signs the opening of the socket (`server.credentialId`).

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

    @override
    def open(self, on_transcript: TranscriptCallback) -> "CustomTranscriberStream":
        return CustomTranscriberStream(self._config, self._target, on_transcript, self._clock)


class _Connect(connect):
    """A connection that follows no redirect: the secret must not go to another host."""

    @override
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass(frozen=True, slots=True)
class _Target:
    """The server to connect to, and the signature of the connection."""

    endpoint: Endpoint
    addresses: Addresses | None
    auth: httpx.Auth | None

    @property
    def name(self) -> str:
        return self.endpoint.name

    @property
    def socket_url(self) -> str:
        """The URL with the scheme ws or wss."""
        return "ws" + str(self.endpoint.url).removeprefix("http")

    async def connect(self) -> ClientConnection:
        """Open the socket; the host is resolved once, and the checked address is connected to."""
        url = self.endpoint.url
        port = url.port or (443 if url.scheme == "https" else 80)
        host = url.host if self.addresses is None else await self.addresses.address(url.host, port)
        proof = await handshake_headers(self.auth, str(url))
        return await _Connect(
            self.socket_url,
            additional_headers={**proof, **self.endpoint.headers},
            open_timeout=None,  # the caller's scope has one
            ping_interval=None,  # `_ping` distinguishes a stall from a lost connection
            close_timeout=0.5,
            compression=None,  # audio does not compress, and it would add latency
            max_size=256 * 1024,
            proxy=None,
            host=host,  # the address to connect to; the handshake and TLS use the name in the URL
            port=port,
        )


class CustomTranscriberStream(TranscriberStream):
    """The transcription of one call. Finals arrive when the peer sends them."""

    def __init__(
        self, config: CustomTranscriberConfig, target: _Target, on_transcript: TranscriptCallback, clock: "Clock"
    ) -> None:
        self._config = config
        self._target = target
        self._on_transcript = on_transcript
        self._clock = clock
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._max_queued_bytes = int(_BYTES_PER_S * config.stall_s)
        self._fed = asyncio.Event()  # one for the whole call: anyio's cannot be cleared
        self._outcome: _Outcome = "dropped"
        self._warned: set[str] = set()

    @override
    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        """Queue audio; if the queue is longer than `stall_s`, the oldest is dropped."""
        stereo = np.empty((customer.size, 2), np.int16)
        stereo[:, 0] = customer
        stereo[:, 1] = assistant
        data = to_bytes(stereo)
        self._queue.append(data)
        self._queued_bytes += len(data)
        while self._queued_bytes > self._max_queued_bytes:
            self._queued_bytes -= len(self._queue.popleft())
            self._warn_once("a custom transcriber does not keep up: the oldest audio is dropped")
        self._fed.set()

    @override
    def voice_started(self, lead_ms: int) -> None:
        """Do nothing: the peer gets all audio, and decides itself when an utterance begins and ends."""

    @override
    def voice_paused(self) -> None:
        """Do nothing."""

    @override
    def voice_resumed(self) -> None:
        """Do nothing."""

    @override
    def voice_stopped(self) -> None:
        """Do nothing."""

    @override
    async def run(self) -> None:
        """Run the connection until cancelled.

        A lost connection is made once more within `reconnect_s`; the audio that is queued meanwhile is sent then.

        Raises:
            ProviderError: there is no connection, it was lost for good, or the peer accepts no more audio.
        """
        limit_s = self._config.timeout_s
        reconnected = False
        while True:
            async with self._connected(limit_s) as socket:
                began_ms = self._clock.monotonic_ms()
                await self._exchange(socket)
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
            socket.transport.abort()  # without effect on a closed connection

    async def _exchange(self, socket: ClientConnection) -> None:
        self._outcome = "dropped"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send, socket)
            tasks.start_soon(self._ping, socket, tasks.cancel_scope)
            try:
                async for message in socket:
                    self._receive(message)
                    # Many messages may arrive at once: other calls go on between them.
                    await anyio.lowlevel.checkpoint()
            except ConnectionClosed:
                pass
            tasks.cancel_scope.cancel()

    async def _send(self, socket: ClientConnection) -> None:
        """Send the queued audio. `_ping` notices a stall: a limit for each of 50 messages a second costs too much."""
        try:
            while True:
                while not self._queue:
                    self._fed.clear()
                    await self._fed.wait()
                await socket.send(self._next_message())
        except ConnectionClosed:
            return  # the reader ends, too, after the messages that arrived before

    def _next_message(self) -> bytes:
        first = self._queue.popleft()
        parts, size = [first], len(first)
        while self._queue and size + len(self._queue[0]) <= _MAX_MESSAGE_BYTES:
            size += len(self._queue[0])
            parts.append(self._queue.popleft())
        self._queued_bytes -= size
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _ping(self, socket: ClientConnection, scope: anyio.CancelScope) -> None:
        """Notice a peer that no longer reads: the socket's buffers would hide it for half a minute."""
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

    def _receive(self, message: str | bytes) -> None:
        try:
            text, channel, final, confidence = _read_response(message)
        except StreamError as error:
            self._warn_once("a custom transcriber's message was ignored", why=str(error))
            return
        if channel == "customer":
            if confidence is None:
                self._on_transcript(text, final)
            else:
                self._on_transcript(text, final, confidence)

    def _warn_once(self, event: str, **details: str) -> None:
        if event not in self._warned:  # once a call: a broken peer must not fill the log
            self._warned.add(event)
            _log.warning(event, host=self._target.name, **details)

    def _failure(self, problem: str) -> ProviderError:
        return ProviderError(f"the transcriber's server {self._target.name} {problem}", ended_reason=FAILED)


def _read_response(message: str | bytes) -> tuple[str, str, bool, float | None]:
    """Read one `transcriber-response`: its text, its channel, True for a final, and its confidence."""
    if isinstance(message, bytes):
        raise StreamError("it is binary")
    response = json_object(message)
    text, channel = response.get("transcription"), response.get("channel")
    kind = response.get("transcriptType", "final")
    if response.get("type") != "transcriber-response" or not isinstance(text, str):
        raise StreamError("it is no transcriber-response")
    if channel not in ("customer", "assistant") or kind not in ("final", "partial"):
        raise StreamError("its channel or transcriptType is unknown")
    confidence: object = response.get("confidence")
    known = isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1
    return text, str(channel), kind == "final", float(cast("float", confidence)) if known else None


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
