"""The WebSocket of a transcriber, for one call: sends what is queued, notices a stall, connects once more."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import anyio
import anyio.lowlevel
import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bargein.clock import Clock
from bargein.http_client import answer_problem
from bargein.ports import ProviderError, ServerError
from bargein.providers.vendor_errors import MAX_ERROR_BYTES

MAX_MESSAGE_MS = 100
"""The longest audio in one message; while the peer keeps up, each piece that is queued is one message."""

_SETTLED_MS = 5_000
"""A connection that is lost sooner than this after a reconnect is not made again."""

_log = structlog.get_logger(__name__)

_Outcome = Literal["dropped", "stalled", "not begun"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """The time limits of an `AudioSocket`, in seconds.

    Attributes:
        connect_s: the longest wait for the first connection, and for the peer's word that it has begun.
        reconnect_s: the same for the second one, after the first was lost.
        stall_s: the longest time in which the peer accepts no audio or answers no ping; also the length of the queue.
        ping_s: the interval between two pings.
        keep_alive_s: after so long without audio the peer is sent something; None: it bears silence.
    """

    connect_s: float = 5.0
    reconnect_s: float = 2.0
    stall_s: float = 5.0
    ping_s: float = 2.5
    keep_alive_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The refusal of a handshake.

    Attributes:
        status: the HTTP status.
        body: the body of the answer, as far as it is read.
        retry_after: the header Retry-After; empty: there is none.
    """

    status: int
    body: bytes
    retry_after: str = ""


class AudioSocket(ABC):
    """The socket of one call, which gets audio and messages in the order in which they were queued.

    A lost connection is made once more within `reconnect_s`; the audio that is queued meanwhile is sent then.

    Args:
        limits: the time limits.
        clock: measures how long a connection lasted.
        bytes_per_ms: of the audio.
        least_message_ms: audio is kept back until there is so much of it; 0: it is sent as it comes.
        host: the peer's name, for the log.
        waits: whether nothing is sent before `_begin`.
    """

    def __init__(
        self,
        limits: SocketLimits,
        clock: Clock,
        *,
        bytes_per_ms: int,
        host: str,
        least_message_ms: int = 0,
        waits: bool = False,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._host = host
        self._queue: deque[bytes | str] = deque()
        self._queued_bytes = 0
        self._sent_bytes = 0
        self._most_queued_bytes = int(bytes_per_ms * limits.stall_s * 1000)
        self._most_message_bytes = bytes_per_ms * MAX_MESSAGE_MS
        self._least_message_bytes = bytes_per_ms * least_message_ms
        self._bytes_per_ms = bytes_per_ms
        self._waits = waits
        self._fed = asyncio.Event()  # one for the whole call: anyio's cannot be cleared
        self._begun = asyncio.Event()
        self._outcome: _Outcome = "dropped"
        self._error: ProviderError | None = None
        self._warned: set[str] = set()

    @abstractmethod
    async def _connect(self) -> ClientConnection:
        """Open the connection, as `SocketTarget.connect` does."""

    @abstractmethod
    def _receive(self, message: str | bytes) -> None:
        """Receive a message.

        Raises:
            ProviderError: the peer has reported a failure; the call ends with it.
        """

    @abstractmethod
    def _failure(self, problem: str, refusal: Refusal | None = None) -> ProviderError:
        """Make the error for a problem ("could not be reached"), or a refused handshake."""

    def _begin_connection(self) -> Iterable[str | bytes]:
        """Prepare for a connection, which knows nothing of those before it; return the messages that begin it."""
        return ()

    def _last_message(self) -> str | None:
        """Return the message that ends a connection; None: closing it is enough."""
        return None

    def _encode(self, audio: bytes) -> str | bytes:
        """Return the message for a piece of audio."""
        return audio

    def _keep_alive(self) -> None:
        """Queue something that keeps a silent connection alive: silence."""
        self._queue_audio(bytes(self._most_message_bytes))

    def _lost(self, code: int | None, reason: str) -> ProviderError | None:
        """Receive the end of a connection; return an error if it is not to be made again."""
        del code, reason

    def _queue_audio(self, data: bytes) -> None:
        """Queue audio; if the queue is longer than `stall_s`, the oldest is dropped."""
        self._queue.append(data)
        self._queued_bytes += len(data)
        while self._queued_bytes > self._most_queued_bytes:
            dropped = self._queue.popleft()
            if isinstance(dropped, bytes):
                self._queued_bytes -= len(dropped)
            self._warn_once("a transcriber does not keep up: the oldest audio is dropped")
        if self._queued_bytes >= self._least_message_bytes:
            self._fed.set()

    def _queue_message(self, message: str) -> None:
        """Queue a message behind the audio."""
        self._queue.append(message)
        self._fed.set()

    def _queue_first(self, message: str) -> None:
        """Queue a message before the audio."""
        self._queue.appendleft(message)
        self._fed.set()

    def _drop_queued_messages(self) -> None:
        """Drop messages that are queued: they were meant for a connection that is gone."""
        self._queue = deque(item for item in self._queue if isinstance(item, bytes))

    def _begin(self) -> None:
        """Let the audio through: the peer is ready."""
        self._begun.set()

    @property
    def _position_ms(self) -> int:
        """The length of the audio of this connection, with what is queued, in milliseconds."""
        return (self._sent_bytes + self._queued_bytes) // self._bytes_per_ms

    async def run(self) -> None:
        """Run the connection until cancelled.

        Raises:
            ProviderError: there is no connection, it was lost for good, or the peer accepts no more audio.
        """
        limit_s = self._limits.connect_s
        reconnected = False
        while True:
            async with self._connected(limit_s) as socket:
                began_ms = self._clock.monotonic_ms()
                await self._exchange(socket, limit_s)
                code, reason = socket.close_code, socket.close_reason or ""
            if self._error is not None:
                raise self._error
            if self._outcome == "stalled":
                raise self._failure(f"has taken no audio for {self._limits.stall_s:g} s")
            if self._outcome == "not begun":
                raise self._failure(f"has not begun within {limit_s:g} s")
            if (error := self._lost(code, reason)) is not None:
                raise error
            if reconnected and self._clock.monotonic_ms() - began_ms < _SETTLED_MS:
                raise self._failure("keeps closing the connection")
            _log.warning("a transcriber's connection was lost: connecting once more", host=self._host, code=code)
            limit_s, reconnected = self._limits.reconnect_s, True

    @asynccontextmanager
    async def _connected(self, limit_s: float) -> AsyncGenerator[ClientConnection]:
        self._sent_bytes = 0
        self._begun.clear()
        if not self._waits:
            self._begun.set()
        try:
            with anyio.fail_after(limit_s):
                socket = await self._begin_socket()
        except TimeoutError:
            raise self._failure(f"could not be reached within {limit_s:g} s") from None
        except InvalidStatus as error:
            raise self._failure(f"answered {error.response.status_code}", _refusal(error)) from None
        except ServerError as error:
            raise self._failure(f"cannot be asked: {error}") from None
        except (OSError, WebSocketException) as error:
            raise self._failure(answer_problem(error) or f"could not be reached ({type(error).__name__})") from error
        try:
            yield socket
        finally:
            with anyio.move_on_after(1, shield=True):
                await self._close(socket)
            socket.transport.abort()  # without effect on a closed connection

    async def _begin_socket(self) -> ClientConnection:
        socket = await self._connect()
        try:
            for message in self._begin_connection():
                await socket.send(message)
        except BaseException:  # nobody else knows of the socket yet
            socket.transport.abort()
            raise
        return socket

    async def _close(self, socket: ClientConnection) -> None:
        last = self._last_message()
        if last is not None and socket.close_code is None:
            try:
                await socket.send(last)
            except ConnectionClosed:
                return
        await socket.close()

    async def _exchange(self, socket: ClientConnection, limit_s: float) -> None:
        self._outcome, self._error = "dropped", None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send, socket, tasks.cancel_scope, limit_s)
            tasks.start_soon(self._ping, socket, tasks.cancel_scope)
            if self._limits.keep_alive_s is not None:
                tasks.start_soon(self._keep_alive_in_silence, self._limits.keep_alive_s)
            try:
                async for message in socket:
                    self._receive(message)
                    # Many messages may arrive at once: other calls go on between them.
                    await anyio.lowlevel.checkpoint()
            except ConnectionClosed:
                pass
            except ProviderError as error:
                self._error = error  # raised by `run`: out of here it would be in a group
            tasks.cancel_scope.cancel()

    async def _send(self, socket: ClientConnection, scope: anyio.CancelScope, limit_s: float) -> None:
        """Send what is queued. `_ping` notices a stall: a limit for each of 50 messages a second costs too much."""
        if not self._begun.is_set():
            try:
                with anyio.fail_after(limit_s):
                    await self._begun.wait()
            except TimeoutError:
                self._outcome = "not begun"
                scope.cancel()
                return
        try:
            while True:
                while (message := self._next_message()) is None:
                    self._fed.clear()
                    await self._fed.wait()
                await socket.send(message)
        except ConnectionClosed:
            return  # the reader ends, too, after the messages that arrived before

    def _next_message(self) -> str | bytes | None:
        """Take the next message from the queue; None: there is none, or too little audio for one."""
        queue = self._queue
        if not queue:
            return None
        first = queue[0]
        if isinstance(first, str):
            queue.popleft()
            return first
        if self._queued_bytes < self._least_message_bytes:
            # A peer that refuses short pieces gets the rest with the audio after a message, which is silence.
            return self._take_message()
        queue.popleft()
        parts, size = [first], len(first)
        while queue and isinstance(part := queue[0], bytes) and size + len(part) <= self._most_message_bytes:
            size += len(part)
            parts.append(part)
            queue.popleft()
        self._queued_bytes -= size
        self._sent_bytes += size
        return self._encode(first if len(parts) == 1 else b"".join(parts))

    def _take_message(self) -> str | None:
        for place, item in enumerate(self._queue):
            if isinstance(item, str):
                del self._queue[place]
                return item
        return None

    async def _keep_alive_in_silence(self, after_s: float) -> None:
        sent = self._sent_bytes
        while True:
            await anyio.sleep(after_s)
            if self._sent_bytes == sent and self._begun.is_set():
                self._keep_alive()
            sent = self._sent_bytes

    async def _ping(self, socket: ClientConnection, scope: anyio.CancelScope) -> None:
        """Notice a peer that no longer reads: the socket's buffers would hide it for half a minute."""
        try:
            while True:
                await anyio.sleep(self._limits.ping_s)
                with anyio.fail_after(self._limits.stall_s):
                    pong = await socket.ping()
                    await pong
        except TimeoutError:
            self._outcome = "stalled"
            scope.cancel()
        except ConnectionClosed:
            return

    def _warn_once(self, event: str, **details: str) -> None:
        if event not in self._warned:  # once a call: a broken peer must not fill the log
            self._warned.add(event)
            _log.warning(event, host=self._host, **details)


def _refusal(error: InvalidStatus) -> Refusal:
    response = error.response
    return Refusal(
        status=response.status_code,
        body=bytes(response.body or b"")[:MAX_ERROR_BYTES],
        retry_after=response.headers.get("Retry-After", ""),
    )
