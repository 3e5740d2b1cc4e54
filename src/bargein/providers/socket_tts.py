"""Voices behind a WebSocket: one socket for a call, and a message of the vendor's that cancels a sentence."""

from abc import abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count

import anyio
import anyio.lowlevel
import structlog
from typing_extensions import override
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from bargein.clock import Clock
from bargein.ports import ProviderError, ServerError, SpeechChunk, Voice
from bargein.providers.http import StreamError
from bargein.providers.socket import SocketTarget
from bargein.providers.voice_audio import Aligner, Rebase, Samples, WordBuilder, WordTiming
from bargein.providers.voice_errors import VoiceErrors, VoiceLimits, paced

_log = structlog.get_logger(__name__)

_OPEN_S = 10.0
_CANCEL_S = 0.2
_PING_S = 15.0
_SETTLED_MS = 5_000
_MOST_BACKOFF_S = 30.0
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_MAX_WAITING_BYTES = 24 * 1024 * 1024
_MOST_CLEARING_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketEvent:
    """The meaning of one message of a vendor.

    Attributes:
        context: the speech that it is about; None: the one that the socket is at.
        audio: bytes of audio.
        timings: timings of words, from the beginning of the speech or of the message.
        letters: timings of characters, from the beginning of the speech.
        done: whether the speech is complete.
        cleared: whether this confirms a cancel message: what follows is of later speech.
        failed: whether it reports an error, which its text says.
    """

    context: str | None = None
    audio: bytes = b""
    timings: tuple[WordTiming, ...] = ()
    letters: tuple[WordTiming, ...] = ()
    done: bool = False
    cleared: bool = False
    failed: bool = False


IGNORED = SocketEvent()
"""The event of a message that means nothing here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketKind:
    """The behaviour of a vendor's socket.

    Attributes:
        contexts: whether a speech has an id, which the vendor's messages about it repeat.
        parallel: whether several speeches may share a socket at a time.
        confirms_clear: whether the vendor confirms a cancel message; what arrives before that is dropped. A vendor
            without contexts must.
        most_uses: how many speeches a socket may have within `uses_ms`, where the vendor limits that; a busier call
            gets another socket.
        uses_ms: as above.
    """

    contexts: bool
    parallel: bool = False
    confirms_clear: bool = False
    most_uses: int | None = None
    uses_ms: int = 60_000


@dataclass(slots=True, eq=False)
class _Speech:
    """A speech that a socket is at, and what has arrived for it."""

    events: deque[tuple[SocketEvent, str | bytes]] = field(default_factory=deque[tuple[SocketEvent, str | bytes]])
    waiting_bytes: int = 0
    lost: bool = False
    arrived: anyio.Event = field(default_factory=anyio.Event)

    def add(self, event: SocketEvent, message: str | bytes) -> None:
        self.events.append((event, message))
        self.waiting_bytes += len(message)
        self.arrived.set()

    def take(self) -> tuple[SocketEvent, str | bytes]:
        event, message = self.events.popleft()
        self.waiting_bytes -= len(message)
        return event, message

    def lose(self) -> None:
        self.lost = True
        self.arrived.set()

    async def wait(self) -> None:
        if not self.events and not self.lost:
            self.arrived = anyio.Event()
            await self.arrived.wait()


class _ConnectionLostError(StreamError):
    """The socket that a speech shared was lost."""


class _Connection:
    """An open socket, and the speeches that it is at."""

    def __init__(self, socket: ClientConnection, voice: "SocketVoice", *, shared: bool) -> None:
        self.shared = shared
        self.clearing = 0  # cancel messages that are not confirmed yet
        self.cleared_ms = 0.0  # when the last of them was sent
        self.used_ms: deque[float] = deque()
        self._socket = socket
        self._voice = voice
        self._speeches: dict[str, _Speech] = {}

    @property
    def idle(self) -> bool:
        return not self._speeches

    def open(self, context: str) -> _Speech:
        speech = self._speeches[context] = _Speech()
        return speech

    async def send(self, messages: Sequence[str]) -> None:
        for message in messages:
            await self._socket.send(message)

    async def wait_for(self, speech: _Speech) -> None:
        """Wait until something has arrived for a speech; drop a socket that does not confirm a cancel message."""
        if not self.clearing:
            return await speech.wait()
        left_ms = self.cleared_ms + _MOST_CLEARING_MS - self._voice.now_ms()
        with anyio.move_on_after(max(0.0, left_ms / 1000)):
            return await speech.wait()
        self.abandon()
        return speech.lose()

    async def receive(self) -> None:
        self.dispatch(await self._socket.recv())

    async def read(self) -> None:
        """Read until the socket is closed."""
        try:
            async for message in self._socket:
                self.dispatch(message)
                await anyio.lowlevel.checkpoint()  # many messages may arrive at once: other calls go on between them
        except ConnectionClosed:
            pass

    def dispatch(self, message: str | bytes) -> None:
        try:
            event = self._voice.read_message(message)
        except StreamError:
            event = SocketEvent(failed=True)
        if event.cleared:
            self.clearing = max(0, self.clearing - 1)
            return
        if self.clearing:
            return  # of a speech that was cut
        if event.context is not None:
            speech = self._speeches.get(event.context)
        else:  # an error may be about all of them
            speech = next(iter(self._speeches.values()), None)
        if speech is None or speech.lost:
            return
        speech.add(event, message)
        if speech.waiting_bytes > _MAX_WAITING_BYTES:
            speech.lose()

    async def close_speech(self, context: str, *, cancel: bool) -> None:
        """Forget a speech; `cancel` tells the vendor first."""
        self._speeches.pop(context, None)
        if not cancel:
            return
        if self._voice.kind.confirms_clear:
            self.clearing += 1
            self.cleared_ms = self._voice.now_ms()
        try:
            with anyio.CancelScope(shield=True), anyio.fail_after(_CANCEL_S):
                await self._socket.send(self._voice.cancel_message(context))
        except (TimeoutError, WebSocketException, OSError):
            self.abandon()

    def abandon(self) -> None:
        """Drop the socket, whatever the peer does."""
        self._socket.transport.abort()

    def lose(self) -> None:
        for speech in self._speeches.values():
            speech.lose()


class SocketVoice(Voice):
    """A voice behind a WebSocket, for one call.

    `run` opens the socket when the call begins, and again when it is lost; `speak` takes it. Where it is missing or
    busy, `speak` opens one for itself, and closes it afterwards. A cut sends the vendor's cancel message at once, and
    drops what still arrives for that speech. A speech whose shared socket is lost before its first audio is started
    once more, on a socket of its own: vendors close idle sockets. Nothing else is retried.

    A subclass says what is sent (`start_messages`, `cancel_message`) and what a message means (`read_message`).

    Args:
        target: the vendor's server; one that an assistant's owner names has `addresses`.
        kind: the behaviour of the vendor's socket.
        rate_hz: the rate of the audio that was asked for.
        errors: makes the errors.
        clock: the clock.
        limits: the time limits.
    """

    def __init__(
        self,
        target: SocketTarget,
        kind: SocketKind,
        *,
        rate_hz: int,
        errors: VoiceErrors,
        clock: Clock,
        limits: VoiceLimits | None = None,
    ) -> None:
        self.kind = kind
        self._target = replace(target, max_message_bytes=_MAX_MESSAGE_BYTES, ping_s=_PING_S)
        self._rate_hz = rate_hz
        self._errors = errors
        self._clock = clock
        self._limits = limits or VoiceLimits()
        self._connection: _Connection | None = None
        self._numbers = count(1)

    @abstractmethod
    def start_messages(self, context: str, text: str) -> Sequence[str]:
        """Return the messages that begin a speech and end its text."""

    @abstractmethod
    def cancel_message(self, context: str) -> str:
        """Return the message that cancels a speech."""

    @abstractmethod
    def read_message(self, message: str | bytes) -> SocketEvent:
        """Return the meaning of a message.

        Raises:
            StreamError: it cannot be read.
        """

    def now_ms(self) -> float:
        """Return the clock's reading."""
        return self._clock.monotonic_ms()

    @override
    def speak(self, text: str) -> AsyncGenerator[SpeechChunk]:
        return paced(self._chunks(text), text, self._errors, self._limits)

    @override
    async def run(self) -> None:
        """Keep a socket open until cancelled; one that cannot be opened is tried again after 0.5 to 30 s."""
        pause_s = 0.5
        while True:
            began_ms = self.now_ms()
            try:
                with anyio.fail_after(_OPEN_S):
                    connection = await self._open(shared=True)
                try:
                    self._connection = connection
                    await connection.read()
                finally:
                    self._connection = None
                    connection.lose()
                    connection.abandon()
            except (TimeoutError, OSError, WebSocketException, ServerError) as error:
                _log.debug("a voice's socket could not be opened", voice=self._errors.name, error=type(error).__name__)
            settled = self.now_ms() - began_ms > _SETTLED_MS
            pause_s = 0.5 if settled else min(_MOST_BACKOFF_S, pause_s * 2)
            await anyio.sleep(0 if settled else pause_s / 2)

    async def _open(self, *, shared: bool) -> _Connection:
        socket = await self._target.connect()
        return _Connection(socket, self, shared=shared)

    @asynccontextmanager
    async def _own_connection(self) -> AsyncGenerator[_Connection]:
        connection = await self._open(shared=False)
        try:
            yield connection
        finally:
            connection.abandon()

    def _free_connection(self) -> _Connection | None:
        """Return the call's socket, if a speech can begin on it."""
        connection, kind, now_ms = self._connection, self.kind, self.now_ms()
        if connection is None or not (kind.parallel or connection.idle):
            return None
        if kind.most_uses is not None:
            while connection.used_ms and now_ms - connection.used_ms[0] > kind.uses_ms:
                connection.used_ms.popleft()
            if len(connection.used_ms) >= kind.most_uses:
                connection.abandon()
                return None
            connection.used_ms.append(now_ms)
        return connection

    async def _chunks(self, text: str) -> AsyncGenerator[SpeechChunk]:
        heard = False
        if (connection := self._free_connection()) is not None:
            try:
                async with aclosing(self._speak_on(connection, text)) as chunks:
                    async for chunk in chunks:
                        heard = heard or bool(chunk.pcm.size)
                        yield chunk
                return
            except (ConnectionClosed, _ConnectionLostError):
                if heard:
                    raise
        async with self._own_connection() as own, aclosing(self._speak_on(own, text)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _speak_on(self, connection: _Connection, text: str) -> AsyncGenerator[SpeechChunk]:
        context = f"speech-{next(self._numbers)}"
        samples, aligner = Samples(), Aligner(text)
        rebase, builder = Rebase(), WordBuilder()
        speech, done = connection.open(context), False
        try:
            await connection.send(self.start_messages(context, text))
            while not done:
                if not speech.events:
                    if speech.lost:
                        raise _ConnectionLostError("its connection was lost")
                    await (connection.wait_for(speech) if connection.shared else connection.receive())
                    continue
                event, message = speech.take()
                if event.failed:
                    raise self._failure(message)
                done = event.done
                built = (*builder.add(event.letters), *(builder.end() if done else ()))
                pcm, words = samples.add(event.audio), aligner.align((*rebase.apply(event.timings), *built))
                if pcm.size or words:
                    yield SpeechChunk(pcm, self._rate_hz, words)
            samples.end()
        finally:
            await connection.close_speech(context, cancel=not done)

    def _failure(self, message: str | bytes) -> ProviderError:
        try:
            self.read_message(message)
        except StreamError as error:
            return self._errors.of(error)
        return self._errors.refused_frame(message)
