"""The base of the fake transcribers: a WebSocket server that hears voice by its level and says what a script says.

    async with FakeDeepgram(SpeechScript(utterances=("I would like to book a table.",))) as fake:
        ...  # a client of fake.url

A fake of a vendor is a `SpeechPeer` with that vendor's messages. All have `url` and `script`.
"""

import json
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from typing_extensions import override
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bargein.audio.pcm import from_bytes, level_dbfs
from bargein.testing.socket_peer import SocketPeer

_NEXT_UTTERANCE_MS = 250
"""Silence after which a voice is the next utterance of the script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechScript:
    """The behaviour of a fake transcriber.

    Attributes:
        utterances: the texts for the first, second... voice; after the last the first follows.
        partials: whether there is interim text, a word more in each `word_ms`.
        level_dbfs: the level above which audio is voice.
        word_ms: the length of a word.
        endpoint_ms: silence after which the vendor itself makes a final segment; None: it does so only when asked.
        answers: whether it answers when all words so far are asked for.
        answer_after_ms: how long it takes for that.
        confidence: in the words.
        end_of_turn: the probability that the turn is over, where the vendor tells one.
        refuse: the HTTP status with which connections are refused, by their number, counted from 0.
        retry_after_s: the Retry-After of those refusals.
        error: an error in the vendor's shape, which is sent once the first audio has come; then the connection closes.
        raw: messages that are sent when a connection has begun, unchanged.
        drop_after_ms: the audio after which a connection is closed, in each of the first `drops` connections.
        close_code: the code of that.
        hang: whether it stops reading once the connection has begun.
        repeats: how often each message with words is sent.
    """

    utterances: Sequence[str] = ()
    partials: bool = True
    level_dbfs: float = -45.0
    word_ms: int = 300
    endpoint_ms: int | None = None
    answers: bool = True
    answer_after_ms: int = 0
    confidence: float = 0.9
    end_of_turn: float = 0.8
    refuse: Mapping[int, int] = field(default_factory=dict[int, int])
    retry_after_s: int | None = None
    error: str | None = None
    raw: Sequence[str | bytes] = ()
    drop_after_ms: int | None = None
    drops: int = 1
    close_code: int = 1011
    hang: bool = False
    repeats: int = 1


@dataclass(slots=True, eq=False)
class SpeechConnection:
    """One connection to a fake transcriber.

    Attributes:
        path: of the handshake, without the query.
        query: its parameters, each with all of its values.
        headers: of the handshake, names in lower case.
        messages: the text messages that came, parsed; audio in JSON is left out.
        audio: all audio that came: 16-bit mono.
        finalizes: how often all words so far were asked for.
        told: how many messages with words were sent.
        told_at_s: the monotonic time of the last of them; 0: none yet.
        closed: set once the connection has ended.
        turn: the number of the turn or segment, counted from 0.
        begun: the turns that were told to begin.
    """

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    audio: bytearray = field(default_factory=bytearray, repr=False)
    finalizes: int = 0
    told: int = 0
    told_at_s: float = 0.0
    closed: anyio.Event = field(default_factory=anyio.Event)
    turn: int = 0
    begun: set[int] = field(default_factory=set[int])
    received_ms: float = 0.0
    voiced_ms: float = 0.0
    quiet_ms: float = 0.0
    utterance: int = 0
    said: int = 0
    done: int = 0


class SpeechPeer(SocketPeer):
    """A fake transcriber on a free port of 127.0.0.1.

    Args:
        script: the behaviour; may be replaced before a connection is made.
        key: the key that it takes; any other is refused as the vendor does.
        record: whether to keep the audio.

    Attributes:
        connections: in the order in which they were made.
        attempts: how many handshakes there were.
    """

    rate_hz = 16_000

    def __init__(self, script: SpeechScript | None = None, *, key: str = "test-key", record: bool = True) -> None:
        super().__init__()
        self.script = script or SpeechScript()
        self.key = key
        self.connections: list[SpeechConnection] = []
        self.attempts = 0
        self._record = record
        self._changed = anyio.Event()

    @property
    def url(self) -> str:
        """The base URL, as the settings take it."""
        return self.origin

    async def connection(self, number: int = 0, *, received_ms: float = 0, within_s: float = 5.0) -> SpeechConnection:
        """Wait for the connection with this number, counted from 0, and for this amount of audio on it.

        Raises:
            TimeoutError: this did not happen within `within_s`.
        """
        with anyio.fail_after(within_s):
            while len(self.connections) <= number or self.connections[number].received_ms < received_ms:
                await self._changed.wait()
        return self.connections[number]

    @abstractmethod
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        """Return True for a handshake with the key."""

    @abstractmethod
    def refusal(self, status: int) -> bytes:
        """Return the body of a refused handshake."""

    @abstractmethod
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        """Take a message: return its audio, `finalize` if it asks for all words so far, or None.

        Texts that are not audio are kept in `connection.messages`.
        """

    @abstractmethod
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        """Return the messages for interim text."""

    @abstractmethod
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        """Return the messages for a final segment; the text is empty if there are no words.

        Args:
            connection: the connection.
            text: the words since the segment before.
            asked: whether a client asked for it.
        """

    @abstractmethod
    def error(self, words: str) -> str:
        """Return a message that reports an error."""

    def opening(self, connection: SpeechConnection) -> list[str]:
        """Return the messages at the beginning of a connection."""
        del connection
        return []

    def replies(self, connection: SpeechConnection, message: dict[str, Any]) -> list[str]:
        """Return the answers to a message that is neither audio nor `finalize`."""
        del connection, message
        return []

    def after_audio(self, connection: SpeechConnection) -> list[str]:
        """Return what else is sent after a piece of audio."""
        del connection
        return []

    def is_expected(self, path: str) -> bool:
        """Return True for a path of the vendor's."""
        return bool(path)

    def keep(self, connection: SpeechConnection, message: str | bytes) -> dict[str, Any]:
        """Keep a text message, and return it parsed."""
        parsed: dict[str, Any] = json.loads(message)
        connection.messages.append(parsed)
        return parsed

    @override
    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        number, self.attempts = self.attempts, self.attempts + 1
        parts = urlsplit(request.path)
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        status = self.script.refuse.get(number)
        if status is None and not self.is_expected(parts.path):
            status = 404
        if status is None and not self.authorized(headers, parse_qs(parts.query)):
            status = 401
        if status is None:
            return None
        response = connection.respond(status, self.refusal(status).decode())
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        if self.script.retry_after_s is not None:
            response.headers["Retry-After"] = str(self.script.retry_after_s)
        return response

    @override
    async def _serve(self, socket: ServerConnection) -> None:
        request = socket.request
        parts = urlsplit("" if request is None else request.path)
        headers = {} if request is None else {k.lower(): v for k, v in request.headers.raw_items()}
        connection = SpeechConnection(parts.path, parse_qs(parts.query), headers)
        self.connections.append(connection)
        self._notify()
        try:
            for message in [*self.opening(connection), *self.script.raw]:
                await socket.send(message)
            if self.script.hang:
                await socket.wait_closed()
            async for message in socket:
                await self._handle(socket, connection, message)
        except ConnectionClosed:
            return
        finally:
            connection.closed.set()
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _handle(self, socket: ServerConnection, connection: SpeechConnection, message: str | bytes) -> None:
        taken = self.take(connection, message)
        if isinstance(taken, bytes):
            await self._hear(socket, connection, taken)
        elif taken == "finalize":
            connection.finalizes += 1
            if self.script.answers:
                await anyio.sleep(self.script.answer_after_ms / 1000)
                await self._tell(
                    socket, connection, self.final(connection, _since(self.script, connection), asked=True)
                )
                connection.done = connection.said
        elif connection.messages:
            for reply in self.replies(connection, connection.messages[-1]):
                await socket.send(reply)
        self._notify()

    async def _hear(self, socket: ServerConnection, connection: SpeechConnection, audio: bytes) -> None:
        script = self.script
        first = not connection.received_ms
        length_ms = len(audio) / 2 / self.rate_hz * 1000
        connection.received_ms += length_ms
        if self._record:
            connection.audio += audio
        if first and script.error is not None:
            await socket.send(self.error(script.error))
            await socket.close(1011)
            return
        if script.utterances and _advance(script, connection, audio, length_ms) and script.partials:
            await self._tell(socket, connection, self.interim(connection, _since(script, connection)))
        for message in self.after_audio(connection):
            await socket.send(message)
        own = script.endpoint_ms is not None and connection.quiet_ms >= script.endpoint_ms
        if own and connection.done < connection.said:
            await self._tell(socket, connection, self.final(connection, _since(script, connection), asked=False))
            connection.done = connection.said
        if (
            script.drop_after_ms is not None
            and connection.received_ms >= script.drop_after_ms
            and self.connections.index(connection) < script.drops
        ):
            await socket.close(script.close_code)

    async def _tell(self, socket: ServerConnection, connection: SpeechConnection, messages: Sequence[str]) -> None:
        for message in messages:
            for _ in range(self.script.repeats):
                await socket.send(message)
                connection.told += 1
                connection.told_at_s = time.monotonic()  # noqa: TID251  # a fake of another program has its own clock


def _since(script: SpeechScript, connection: SpeechConnection) -> str:
    """Return the words since the last final segment."""
    if not script.utterances:
        return ""
    words = script.utterances[connection.utterance % len(script.utterances)].split()
    return " ".join(words[connection.done : connection.said])


def _advance(script: SpeechScript, connection: SpeechConnection, audio: bytes, length_ms: float) -> bool:
    """Hear audio; return True if there is a word more."""
    if level_dbfs(from_bytes(audio)) <= script.level_dbfs:
        connection.quiet_ms += length_ms
        return False
    if connection.said and connection.quiet_ms >= _NEXT_UTTERANCE_MS:
        connection.utterance += 1
        connection.voiced_ms = 0.0
        connection.said = connection.done = 0
    connection.quiet_ms = 0.0
    connection.voiced_ms += length_ms
    words = script.utterances[connection.utterance % len(script.utterances)].split()
    known = min(len(words), 1 + int(connection.voiced_ms // script.word_ms))
    more = known > connection.said
    connection.said = max(connection.said, known)
    return more
