"""Text to speech by hibari-tts, with the time of each word: one model and one thread for all calls.

The package's own `Hibari` class is not used: it returns no timings, and would download other voices. Only the package's
text-to-phoneme part and its signal processing are called; the model runs in a session of our own.
"""

import asyncio
import importlib
import json
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from bargein.audio import pcm
from bargein.ports import ProviderError, SpeechChunk, SpokenWord, Voice
from bargein.providers.embedded.runtime import VOICE_FAILED, Session, package_file
from bargein.providers.embedded.word_timings import ReadWord, align, split_at_clauses

REQUIREMENT = "hibari-tts==0.2.1"
RATE_HZ = 24_000

_FIRST_PIECE_CHARS = 90
_PIECE_CHARS = 160
"""Longer sentences are synthesised in pieces, the first a short one: its audio is ready in a fifth of the time."""

_LEAD_MS = 40
_TAIL_MS = 120
"""The silence that is kept of the 215 to 330 ms before, and of the 320 to 485 ms after each sentence."""

_EARLY_MS = 50
"""The audio is ahead of the model's durations: by 10 to 110 ms at a sentence's first phoneme, with a median of 50."""

_DURATIONS = "/Clip_output_0"
"""The model's internal tensor with the duration of each phoneme, in whole steps (two of its frames, 25 ms)."""

_PAUSES = frozenset(' .,!?;:—…"()“”')
_FRAME = RATE_HZ // 200
_AUDIBLE_BELOW_PEAK_DB = 40.0

T = TypeVar("T")

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Engine:
    """The loaded model, its vocabulary and the functions of the package."""

    session: Session
    vocabulary: dict[str, int]
    g2p: Any
    normalize: Callable[[str], str]
    synth: Any
    split_sentences: Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of the text that is synthesised at once."""

    text: str
    char_start: int


class HibariVoice(Voice):
    """The embedded English voice, 24 kHz; one for the process, shared by all calls."""

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._engine: _Engine | None = None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bargein-hibari")

    @override
    async def speak(self, text: str) -> AsyncGenerator[SpeechChunk, None]:
        """Yield one chunk for each sentence, or for each clause of a long one, with the times of its words."""
        pieces = await self._in_thread(lambda: _split(self.load(), text))
        samples = 0
        for piece in pieces:
            chunk = await self._in_thread(partial(self._say, piece, samples))
            samples += chunk.pcm.size
            yield chunk

    async def warm_up(self) -> None:
        """Load everything and synthesise a sentence, off the event loop; takes a second or two.

        Raises:
            ProviderError: the model is missing or broken.
        """
        # the invented word is in no dictionary, so that the pronunciation model is loaded, too
        await self._in_thread(partial(self._say, _Piece("Hello, bargeinia.", 0), 0))

    def load(self) -> _Engine:
        """Load the model and the pronunciation tables once; blocks, and may be called from any thread.

        Raises:
            ProviderError: the package is missing or broken.
        """
        with self._loading:
            if self._engine is None:
                self._engine = _load()
            return self._engine

    def close(self) -> None:
        """Stop the thread for good; sentences that are still queued are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _say(self, piece: _Piece, samples_before: int) -> SpeechChunk:
        return _synthesise(self.load(), piece, samples_before)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` on the voice's thread. If it is cancelled, the work ends there and its result is dropped."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except ProviderError:
            raise
        except Exception as error:
            raise ProviderError(
                f"the embedded voice failed: {type(error).__name__}", ended_reason=VOICE_FAILED
            ) from error


def _load() -> _Engine:
    model = package_file("hibari", REQUIREMENT, "assets", "hibari.onnx", ended_reason=VOICE_FAILED)
    vocabulary = package_file("hibari", REQUIREMENT, "assets", "vocab.json", ended_reason=VOICE_FAILED)
    g2p = cast("Any", importlib.import_module("hibari.g2p"))
    tts = cast("Any", importlib.import_module("hibari.tts"))
    return _Engine(
        session=Session(model.read_bytes() + _extra_output(_DURATIONS), ended_reason=VOICE_FAILED),
        vocabulary=json.loads(vocabulary.read_text(encoding="utf-8")),
        g2p=g2p.G2P(british=False),
        normalize=g2p.normalize,
        synth=cast("Any", importlib.import_module("hibari.dsp")).synth,
        split_sentences=tts.Hibari.split_sentences,
    )


def _extra_output(tensor: str) -> bytes:
    """Return bytes that, appended to a serialised ONNX model, make an internal float tensor an output.

    Protocol Buffers merge a message that occurs twice, and repeated fields grow by that: a `ModelProto` fragment with
    nothing but `graph.output` (onnx.proto3: field 7 of ModelProto, field 12 of GraphProto) adds that output.
    """
    float_tensor = _message(1, b"\x08\x01")  # TypeProto.tensor_type.elem_type = FLOAT
    value_info = _message(1, tensor.encode()) + _message(2, float_tensor)
    return _message(7, _message(12, value_info))


def _message(field: int, content: bytes) -> bytes:
    """Encode a length-delimited field; number and length must fit into seven bits, as they do here."""
    return bytes(((field << 3) | 2, len(content))) + content


def _split(engine: _Engine, text: str) -> list[_Piece]:
    """Split a text into sentences, and long sentences into clauses; text between two belongs to the one before."""
    starts: list[int] = []
    cursor = 0
    for sentence in engine.split_sentences(text):
        start = text.index(sentence, cursor)
        cursor = start + len(sentence)
        starts.append(start if starts else 0)
    pieces: list[_Piece] = []
    for start, end in pairwise([*starts, len(text)]):
        longest = _PIECE_CHARS if pieces else _FIRST_PIECE_CHARS
        cuts = [start + cut for cut in split_at_clauses(text[start:end], longest)]
        pieces += [_Piece(text[a:b], a) for a, b in pairwise([*cuts, end])]
    return pieces


def _synthesise(engine: _Engine, piece: _Piece, samples_before: int) -> SpeechChunk:
    """Synthesise one piece, which follows `samples_before` samples of the same `speak`."""
    phonemes, groups = _pronounce(engine, piece.text)
    known = [index for index, phoneme in enumerate(phonemes) if phoneme in engine.vocabulary]
    if not known:
        return _chunk(piece, np.zeros(0, dtype=np.float32), (), samples_before)
    ids = [0, *(engine.vocabulary[phonemes[index]] for index in known), 0]
    *spectrum, durations = engine.session.run(
        {"ids": np.array([ids], dtype=np.int64), "speed": np.ones(1, dtype=np.float32)}
    )
    wav = cast("Float32Array", engine.synth(*(part[0] for part in spectrum), np.random.default_rng(0)))
    onset, offset = _audible(wav)
    first = max(0, onset - _LEAD_MS * RATE_HZ // 1000)
    last = min(wav.size, offset + _TAIL_MS * RATE_HZ // 1000)
    step_ms = wav.size / float(durations.sum()) * 1000 / RATE_HZ
    ends_ms = np.cumsum(durations.ravel()) * step_ms - _EARLY_MS
    clock = {index: (float(ends_ms[k]), float(ends_ms[k + 1])) for k, index in enumerate(known)}
    read: list[ReadWord] = []
    for word, begin, end in groups:
        sounds = [clock[index] for index in range(begin, end) if index in clock and phonemes[index] not in _PAUSES]
        if sounds:
            read.append(ReadWord(word, sounds[0][0], sounds[-1][1]))
    heard = _within(read, onset * 1000 / RATE_HZ, offset * 1000 / RATE_HZ, first * 1000 / RATE_HZ)
    return _chunk(piece, wav[first:last], heard, samples_before)


def _pronounce(engine: _Engine, text: str) -> tuple[str, list[tuple[str, int, int]]]:
    """Return the phonemes of a piece, and for each word as it is read (numbers written out) its range of them."""
    tokens = cast("list[Any]", engine.g2p.phonemize_tokens(engine.g2p.tokenize(engine.normalize(text))))
    phonemes, groups, word, begin = "", list[tuple[str, int, int]](), "", 0
    for token in tokens:
        word += token.text
        phonemes += token.phonemes or ""
        if token.whitespace:
            groups.append((word, begin, len(phonemes)))
            if phonemes and not phonemes.endswith(" "):
                phonemes += " "
            word, begin = "", len(phonemes)
    groups.append((word, begin, len(phonemes)))
    return phonemes.rstrip(), groups


def _audible(wav: Float32Array) -> tuple[int, int]:
    """Return the first and the last audible sample, to 5 ms."""
    frames = wav[: wav.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    energy = np.mean(np.square(frames), axis=1)
    loud = np.flatnonzero(energy > energy.max(initial=0.0) * 10 ** (-_AUDIBLE_BELOW_PEAK_DB / 10))
    if loud.size == 0:
        return 0, wav.size
    return int(loud[0]) * _FRAME, (int(loud[-1]) + 1) * _FRAME


def _within(read: list[ReadWord], onset_ms: float, offset_ms: float, cut_ms: float) -> list[ReadWord]:
    """Limit the words' times to the audible part, and count them from the point at which the audio was cut."""
    if not read:
        return []
    bounded = [
        ReadWord(word.text, *(min(max(time, onset_ms), offset_ms) - cut_ms for time in (word.start_ms, word.end_ms)))
        for word in read
    ]
    bounded[0] = replace(bounded[0], start_ms=onset_ms - cut_ms)
    return bounded


def _chunk(piece: _Piece, wav: Float32Array, read: Sequence[ReadWord], samples_before: int) -> SpeechChunk:
    before_ms = samples_before * 1000 // RATE_HZ
    words = align(piece.text, read, wav.size * 1000 / RATE_HZ)
    return SpeechChunk(
        pcm=pcm.from_float(wav),
        rate_hz=RATE_HZ,
        words=tuple(
            SpokenWord(piece.char_start + w.char_end, before_ms + w.start_ms, before_ms + w.end_ms) for w in words
        ),
    )
