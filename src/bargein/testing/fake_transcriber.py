"""A fake transcriber: a server of Vapi's custom-transcriber protocol that answers as a script says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio
import numpy as np
from typing_extensions import override
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bargein.audio.pcm import from_bytes, level_dbfs
from bargein.testing.socket_peer import SocketPeer

_BYTES_PER_MS = 64
"""Bytes of a millisecond of stereo 16-bit audio at 16 kHz."""


@dataclass(frozen=True, slots=True)
class TimedReply:
    """A message that a fake transcriber sends once it has received `at_ms` of audio."""

    at_ms: int
    text: str
    kind: Literal["final", "partial", "absent"] = "final"
    channel: str = "customer"
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriberScript:
    """The behaviour of a fake transcriber.

    Attributes:
        timed: transcripts to send by the amount of audio received.
        utterances: texts for the first, second… time that the customer's level rises: partials that grow by a word in
            each `word_ms`, and the final once it has been quiet for `quiet_ms`; after the last the first follows.
        partials: whether to send partials; otherwise only the final.
        level_dbfs: level above which the customer counts as speaking.
        word_ms: length of a word.
        quiet_ms: length of the silence that ends an utterance.
        raw: messages to send after `start`, unchanged.
        drop_after_ms: amount of audio after which the connection is closed, in each of the first `drops` connections.
        refuse: numbers of the connections, counted from 0, that are refused with 503.
        stall: whether to stop reading after `start`.
    """

    timed: Sequence[TimedReply] = ()
    utterances: Sequence[str] = ()
    partials: bool = True
    level_dbfs: float = -45.0
    word_ms: int = 300
    quiet_ms: int = 300
    raw: Sequence[str | bytes] = ()
    drop_after_ms: int | None = None
    drops: int = 1
    refuse: Sequence[int] = ()
    stall: bool = False


@dataclass(slots=True, eq=False)
class TranscriberConnection:
    """One connection of a fake transcriber.

    Attributes:
        headers: headers of the handshake, names in lower case.
        start: the first message.
        audio: all audio received, interleaved stereo, if the fake records it.
        received_bytes: amount of audio received.
        closed: set once the connection has ended.
    """

    headers: dict[str, str]
    start: object = None
    audio: bytearray = field(default_factory=bytearray, repr=False)
    received_bytes: int = 0
    voiced_ms: float = 0
    quiet_ms: float = 0
    words_said: int = 0
    utterance: int = 0
    closed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def received_ms(self) -> float:
        """Amount of audio received, in milliseconds."""
        return self.received_bytes / _BYTES_PER_MS

    @property
    def samples(self) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
        """The recorded audio: one row a sample, column 0 the customer, column 1 the assistant."""
        return np.frombuffer(bytes(self.audio), "<i2").reshape(-1, 2)


class FakeTranscriber(SocketPeer):
    """A WebSocket server of Vapi's custom-transcriber protocol on a free port of 127.0.0.1.

    Args:
        script: the behaviour; may be replaced before a connection is made.
        record: whether to keep the audio.
    """

    def __init__(self, script: TranscriberScript | None = None, *, record: bool = True) -> None:
        super().__init__()
        self.script = script or TranscriberScript()
        self.connections: list[TranscriberConnection] = []
        self.attempts = 0
        self._record = record
        self._changed = anyio.Event()

    @property
    def url(self) -> str:
        """The URL, for `CustomTranscriber.server.url`."""
        return f"ws://127.0.0.1:{self.port}/listen"

    async def connection(
        self, number: int = 0, *, received_ms: float = 0, within_s: float = 5.0
    ) -> TranscriberConnection:
        """Wait for the connection with this number, counted from 0, and for this amount of audio on it.

        Raises:
            TimeoutError: this did not happen within `within_s`.
        """
        with anyio.fail_after(within_s):
            while len(self.connections) <= number or self.connections[number].received_ms < received_ms:
                await self._changed.wait()
        return self.connections[number]

    @override
    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.attempts += 1
        return connection.respond(503, "as scripted") if self.attempts - 1 in self.script.refuse else None

    @override
    async def _serve(self, socket: ServerConnection) -> None:
        script = self.script
        headers = {} if socket.request is None else {k.lower(): v for k, v in socket.request.headers.raw_items()}
        connection = TranscriberConnection(headers)
        try:
            connection.start = json.loads(await socket.recv())
            self.connections.append(connection)
            self._notify()
            for message in script.raw:
                await socket.send(message)
            if script.stall:
                await socket.wait_closed()
            async for data in socket:
                if isinstance(data, bytes):
                    await self._handle_audio(socket, script, connection, data)
        except ConnectionClosed:
            return
        finally:
            connection.closed.set()
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _handle_audio(
        self, socket: ServerConnection, script: TranscriberScript, connection: TranscriberConnection, data: bytes
    ) -> None:
        before_ms = connection.received_ms
        connection.received_bytes += len(data)
        if self._record:
            connection.audio += data
        self._notify()
        for reply in script.timed:
            if before_ms < reply.at_ms <= connection.received_ms:
                await _say(socket, reply.text, reply.kind, reply.channel, reply.confidence)
        if script.utterances:
            await _follow(socket, script, connection, data)
        if (
            script.drop_after_ms is not None
            and connection.received_ms >= script.drop_after_ms
            and self.connections.index(connection) < script.drops
        ):
            await socket.close(1011)


async def _follow(
    socket: ServerConnection, script: TranscriberScript, connection: TranscriberConnection, data: bytes
) -> None:
    level = level_dbfs(from_bytes(data)[0::2])
    words = script.utterances[connection.utterance % len(script.utterances)].split()
    length_ms = len(data) / _BYTES_PER_MS
    if level > script.level_dbfs:
        connection.voiced_ms += length_ms
        connection.quiet_ms = 0
        known = min(len(words), 1 + int(connection.voiced_ms // script.word_ms))
        if known > connection.words_said:
            connection.words_said = known
            if script.partials:
                await _say(socket, " ".join(words[:known]), "partial", "customer")
    elif connection.words_said:
        connection.quiet_ms += length_ms
        if connection.quiet_ms >= script.quiet_ms:
            connection.voiced_ms = connection.quiet_ms = connection.words_said = 0
            connection.utterance += 1
            await _say(socket, " ".join(words), "final", "customer")


async def _say(socket: ServerConnection, text: str, kind: str, channel: str, confidence: float | None = None) -> None:
    message: dict[str, str | float] = {"type": "transcriber-response", "transcription": text, "channel": channel}
    if kind != "absent":
        message["transcriptType"] = kind
    if confidence is not None:
        message["confidence"] = confidence
    await socket.send(json.dumps(message))
