"""The speech of the fakes of vendors' voices: what is spoken, what goes wrong, and what was made of it when."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import anyio

from bargein.errors import BargeinError
from bargein.testing.fake_voice import WORD_MS, speech
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object

PIECE_MS = 20
"""Length of a piece of audio in real time."""

KEY = "fake-key-0123456789"
"""The key that the fakes take."""

Trouble = Literal["none", "hang", "hang-between", "broken", "error", "die", "double", "empty"]
"""Faults of a vendor: no answer at all, no more audio after the first word, a frame that is not JSON, an error frame
after the first word, the connection breaks after the first word, twice the audio, or no audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorVoiceScript:
    """The behaviour of a fake of a vendor's voice.

    Attributes:
        trouble: what goes wrong.
        realtime: make pieces of `PIECE_MS` in real time; otherwise each word is one piece, all at once.
        interval_ms: delay before each piece.
        piece_bytes: size of the pieces; may be odd, so that samples are cut in two.
        status: HTTP status of the answer, or of the handshake.
        retry_after: its `Retry-After`.
        says: the vendor's words in an error.
    """

    trouble: Trouble = "none"
    realtime: bool = False
    interval_ms: float = 0
    piece_bytes: int | None = None
    status: int = 200
    retry_after: str | None = None
    says: str = "as scripted"


class Word(NamedTuple):
    """A word of the text that is spoken, where it stands, and when."""

    text: str
    at: int
    start_ms: int
    end_ms: int


class Piece(NamedTuple):
    """A piece of audio, and the word that begins with it."""

    audio: bytes
    word: Word | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for speech, as a vendor's contract names it.

    Attributes:
        text: the text.
        rate_hz: the sample rate.
        fields: all fields of the request, for the frames of the answer.
    """

    text: str
    rate_hz: int
    fields: JsonObject = field(default_factory=dict[str, object])


class RefusedError(BargeinError):
    """A request that the vendor refuses."""

    def __init__(self, status: int, says: str) -> None:
        super().__init__(says)
        self.status = status
        self.says = says


@dataclass(slots=True)
class Production:
    """The audio that a fake has made.

    Attributes:
        ms: its length.
        last_s: when the last of it was made, by the event loop's clock.
        cut_s: when the fake learned of the cut: a cancel message, or the end of the connection; None: it has not.
        cut: set then.
        requests: the requests for speech.
    """

    ms: float = 0.0
    last_s: float = 0.0
    cut_s: float | None = None
    cut: anyio.Event = field(default_factory=anyio.Event)
    requests: list[Asked] = field(default_factory=list[Asked])

    def add(self, piece_ms: float) -> None:
        """Count a piece."""
        self.ms += piece_ms
        self.last_s = anyio.current_time()

    def learn_of_cut(self) -> None:
        """Note that the client wants no more."""
        if self.cut_s is None:
            self.cut_s = anyio.current_time()
            self.cut.set()


def words_of(text: str) -> list[Word]:
    """Return the words of a text, each `WORD_MS` long."""
    found: list[Word] = []
    at = 0
    for index, word in enumerate(text.split()):
        at = text.index(word, at)
        found.append(Word(word, at, index * WORD_MS, (index + 1) * WORD_MS))
        at += len(word)
    return found


async def pieces(asked: Asked, script: VendorVoiceScript, made: Production) -> AsyncGenerator[Piece]:
    """Make the audio of a request as the script says."""
    if script.trouble == "hang":
        await anyio.sleep_forever()
    words: list[Word | None] = [*words_of(asked.text)]
    if script.trouble == "empty":
        words = []
    if script.trouble == "double":
        words += [None] * len(words)
    began_s, made_ms = anyio.current_time(), 0.0
    for index, word in enumerate(words):
        audio = speech(WORD_MS, asked.rate_hz)
        bytes_per_ms = len(audio) / WORD_MS
        size = script.piece_bytes or (int(PIECE_MS * bytes_per_ms) if script.realtime else len(audio))
        for start in range(0, len(audio), size):
            await anyio.sleep(script.interval_ms / 1000)
            if script.realtime:
                await anyio.sleep_until(began_s + made_ms / 1000)
            piece = audio[start : start + size]
            made_ms += len(piece) / bytes_per_ms
            made.add(len(piece) / bytes_per_ms)
            yield Piece(piece, word if start == 0 else None)
        if index == 0 and script.trouble == "hang-between":
            await anyio.sleep_forever()
        if index == 0 and script.trouble in {"broken", "error", "die"}:
            raise TroubleError


class TroubleError(BargeinError):
    """The script breaks the speech off here."""


def text_field(body: object, name: str, status: int = 400) -> str:
    """Return a string field of a request.

    Raises:
        RefusedError: it is missing or empty.
    """
    value = as_object(body).get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError(status, f"{name} is required")
    return value
