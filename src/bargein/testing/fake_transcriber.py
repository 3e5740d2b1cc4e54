"""A fake transcriber on loopback; see `bargein.testing.fakes`."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import anyio
import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

_BYTES_PER_MS = 64
"""Of stereo 16-bit audio at 16 kHz."""


@dataclass(frozen=True, slots=True)
class TimedReply:
    """What a fake transcriber says once it has heard `at_ms` of audio."""

    at_ms: int
    text: str
    kind: Literal["final", "partial", "absent"] = "final"
    channel: str = "customer"
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriberScript:
    """How a fake transcriber answers.

    Attributes:
        timed: replies by the audio heard.
        utterances: for the first, second… time that the customer's level rises: partials that grow by a word in each
            `word_ms`, and the final once it has been quiet for `quiet_ms`; after the last it begins again.
        partials: whether it tells the words as they come; otherwise only the final.
        level_dbfs: what counts as risen.
        word_ms: how long a word takes.
        quiet_ms: how long a silence ends an utterance.
        raw: messages sent on start, as they are.
        drop_after_ms: of audio: closes the connection, in each of the first `drops` connections.
        refuse: the numbers of the connections, from 0, that are refused with 503.
        stall: whether it stops reading after `start`.
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
class Hearing:
    """One connection of a fake transcriber.

    Attributes:
        headers: of the handshake, names in lower case.
        start: the first message.
        audio: everything heard, interleaved stereo, when the fake records.
        heard_bytes: how much that is.
        closed: set once the connection is over.
    """

    headers: dict[str, str]
    start: object = None
    audio: bytearray = field(default_factory=bytearray, repr=False)
    heard_bytes: int = 0
    voiced_ms: float = 0
    quiet_ms: float = 0
    words_said: int = 0
    utterance: int = 0
    closed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def heard_ms(self) -> float:
        """How much audio has come."""
        return self.heard_bytes / _BYTES_PER_MS

    @property
    def samples(self) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
        """What was recorded: one row a sample, column 0 the customer, column 1 the assistant."""
        return np.frombuffer(bytes(self.audio), "<i2").reshape(-1, 2)


class FakeTranscriber:
    """A WebSocket server of Vapi's custom-transcriber protocol on a free port of 127.0.0.1.

    Args:
        script: how it answers; may be replaced before a connection comes.
        record: whether to keep the audio.
    """

    def __init__(self, script: TranscriberScript | None = None, *, record: bool = True) -> None:
        self.script = script or TranscriberScript()
        self.hearings: list[Hearing] = []
        self.attempts = 0
        self._record = record
        self._server: Server | None = None
        self._changed = anyio.Event()

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._hear,
            "127.0.0.1",
            0,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=0.2,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def url(self) -> str:
        """As in `CustomTranscriber.server.url`."""
        if self._server is None:
            raise RuntimeError("it is not running")
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/listen"

    async def hearing(self, number: int = 0, *, heard_ms: float = 0, within_s: float = 5.0) -> Hearing:
        """Wait for the connection with this number, counted from 0, and for so much audio on it.

        Raises:
            TimeoutError: it did not come.
        """
        with anyio.fail_after(within_s):
            while len(self.hearings) <= number or self.hearings[number].heard_ms < heard_ms:
                await self._changed.wait()
        return self.hearings[number]

    def _admit(self, connection: ServerConnection, _request: Request) -> Response | None:
        self.attempts += 1
        return connection.respond(503, "as scripted") if self.attempts - 1 in self.script.refuse else None

    async def _hear(self, socket: ServerConnection) -> None:
        script = self.script
        headers = {} if socket.request is None else {k.lower(): v for k, v in socket.request.headers.raw_items()}
        hearing = Hearing(headers)
        try:
            hearing.start = json.loads(await socket.recv())
            self.hearings.append(hearing)
            self._tell()
            for message in script.raw:
                await socket.send(message)
            if script.stall:
                await socket.wait_closed()
            async for data in socket:
                if isinstance(data, bytes):
                    await self._take(socket, script, hearing, data)
        except ConnectionClosed:
            return
        finally:
            hearing.closed.set()
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _take(self, socket: ServerConnection, script: TranscriberScript, hearing: Hearing, data: bytes) -> None:
        before_ms = hearing.heard_ms
        hearing.heard_bytes += len(data)
        if self._record:
            hearing.audio += data
        self._tell()
        for reply in script.timed:
            if before_ms < reply.at_ms <= hearing.heard_ms:
                await _say(socket, reply.text, reply.kind, reply.channel, reply.confidence)
        if script.utterances:
            await _follow(socket, script, hearing, data)
        if (
            script.drop_after_ms is not None
            and hearing.heard_ms >= script.drop_after_ms
            and self.hearings.index(hearing) < script.drops
        ):
            await socket.close(1011)


async def _follow(socket: ServerConnection, script: TranscriberScript, hearing: Hearing, data: bytes) -> None:
    customer = np.frombuffer(data, "<i2")[0::2].astype(np.float32)
    level = 20 * math.log10(max(1.0, float(np.sqrt(np.mean(customer**2)))) / 32768) if customer.size else -96.0
    words = script.utterances[hearing.utterance % len(script.utterances)].split()
    length_ms = len(data) / _BYTES_PER_MS
    if level > script.level_dbfs:
        hearing.voiced_ms += length_ms
        hearing.quiet_ms = 0
        known = min(len(words), 1 + int(hearing.voiced_ms // script.word_ms))
        if known > hearing.words_said:
            hearing.words_said = known
            if script.partials:
                await _say(socket, " ".join(words[:known]), "partial", "customer")
    elif hearing.words_said:
        hearing.quiet_ms += length_ms
        if hearing.quiet_ms >= script.quiet_ms:
            hearing.voiced_ms = hearing.quiet_ms = hearing.words_said = 0
            hearing.utterance += 1
            await _say(socket, " ".join(words), "final", "customer")


async def _say(socket: ServerConnection, text: str, kind: str, channel: str, confidence: float | None = None) -> None:
    message: dict[str, str | float] = {"type": "transcriber-response", "transcription": text, "channel": channel}
    if kind != "absent":
        message["transcriptType"] = kind
    if confidence is not None:
        message["confidence"] = confidence
    await socket.send(json.dumps(message))
