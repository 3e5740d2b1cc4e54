"""Moonshine tiny (English) on plain onnxruntime: an encoder over raw samples, and a greedy decoder with its caches."""

import math
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bargein.ports import TRANSCRIBER_RATE_HZ
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED, Array, Session, package_file

REQUIREMENT = "moonshine-voice==0.0.73"

_PACKAGE = "moonshine_voice"
START, END = 1, 2
"""The tokens before and after every text."""

_TOKENS_PER_SECOND = 6.5
"""The fastest speech; tokens beyond it are the decoder's own inventions."""

_SPARE_TOKENS = 4
_LONGEST_LOOP = 8
_LOOPS = 3
"""A sequence of up to eight tokens that occurs three times in a row is a loop that the decoder does not leave."""

_LEAST_SAMPLES = 1_600
_BYTE_TOKEN = re.compile(rb"<0x([0-9A-F]{2})>")

Float32Array = npt.NDArray[np.float32]

Abandoned = Callable[[], bool]
"""Returns True once a transcript is not needed any more."""


def never() -> bool:
    """Return False: the transcript is needed."""
    return False


@dataclass(frozen=True, slots=True)
class Transcript:
    """The model's transcript of a stretch of audio.

    Attributes:
        text: the words, as written English.
        log_probability: mean natural logarithm of the tokens' probabilities: -0.1 is certain, below -1 is a guess.
        tokens: how many tokens that is, with that of the end.
    """

    text: str
    log_probability: float
    tokens: int = 0

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities, from 0 to 1; None without words."""
        return math.exp(self.log_probability) if self.text else None


NO_WORDS = Transcript("", 0.0)
"""The transcript of audio without words."""


class MoonshineModel:
    """The model; `transcribe` blocks and may be called from several threads."""

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._parts: _Parts | None = None

    def load(self) -> None:
        """Load the model if it is not loaded yet; blocks about 0.3 s the first time.

        Raises:
            ProviderError: the model is missing or broken.
        """
        self._loaded()

    def transcribe(self, samples: Float32Array, abandoned: Abandoned = never) -> Transcript:
        """Transcribe `samples`: floats in [-1, 1] at 16 kHz, best up to 25 s; less than 0.1 s yields no words.

        Args:
            samples: the audio.
            abandoned: called before each token; once it returns True, decoding ends with the tokens so far.

        Raises:
            ProviderError: the model is missing or broken.
        """
        if samples.size < _LEAST_SAMPLES:
            return NO_WORDS
        return self.listen(samples).transcribe(abandoned)

    def listen(self, samples: Float32Array) -> "Listening":
        """Encode `samples`, of at least 0.1 s, so that they can be transcribed in more than one way.

        Raises:
            ProviderError: the model is missing or broken.
        """
        return Listening(self._loaded(), samples)

    @property
    def vocabulary(self) -> Sequence[bytes]:
        """The bytes of each token; `\u2581` stands for a space.

        Raises:
            ProviderError: the model is missing or broken.
        """
        return self._loaded().vocabulary

    def encode(self, samples: Float32Array) -> Float32Array:
        """Return the encoder's output for `samples`: a row of 288 values for each 24 ms.

        Raises:
            ProviderError: the model is missing or broken.
        """
        batch = samples.astype(np.float32, copy=False)[np.newaxis]
        mask = np.ones(batch.shape, dtype=np.int64)
        (hidden,) = self._loaded().encoder.run({"input_values": batch, "attention_mask": mask})
        return hidden[0]

    def _loaded(self) -> "_Parts":
        with self._loading:
            if self._parts is None:
                self._parts = _load()
            return self._parts


@dataclass(frozen=True, slots=True)
class _Parts:
    encoder: Session
    decoder: Session
    vocabulary: list[bytes]
    caches: tuple[str, ...]
    empty_cache: Float32Array


def model_file(name: str) -> Path:
    """Find a file of the model without importing its package, which would load a sound-card library.

    Raises:
        ProviderError: the package, or the model in it, is missing.
    """
    return package_file(_PACKAGE, REQUIREMENT, "assets", "tiny-en", name, ended_reason=TRANSCRIBER_FAILED)


def _load() -> _Parts:
    decoder = Session(model_file("decoder_model_merged.ort"), ended_reason=TRANSCRIBER_FAILED)
    caches = tuple(name for name in decoder.input_shapes if name.startswith("past_key_values."))
    _, heads, _, width = decoder.input_shapes[caches[0]]
    return _Parts(
        encoder=Session(model_file("encoder_model.ort"), ended_reason=TRANSCRIBER_FAILED),
        decoder=decoder,
        vocabulary=_read_vocabulary(model_file("tokenizer.bin").read_bytes()),
        caches=caches,
        empty_cache=np.zeros((1, int(heads or 0), 0, int(width or 0)), dtype=np.float32),
    )


class Listening:
    """Encoded audio. It may be decoded several times, one after the other.

    Args:
        parts: the model.
        samples: the audio.

    Attributes:
        most_tokens: a limit of the tokens in the audio; the decoder invents those beyond it.
    """

    def __init__(self, parts: _Parts, samples: Float32Array) -> None:
        batch = samples.astype(np.float32, copy=False)[np.newaxis]
        # the decoder's mask must have the length of the raw samples, too: with any other it crashes beyond 9 s of audio
        self._mask = np.ones(batch.shape, dtype=np.int64)
        (self._hidden,) = parts.encoder.run({"input_values": batch, "attention_mask": self._mask})
        self._parts = parts
        self.most_tokens = int(samples.size / TRANSCRIBER_RATE_HZ * _TOKENS_PER_SECOND) + _SPARE_TOKENS

    def decode(self) -> "Decoding":
        """Begin to decode."""
        return Decoding(self._parts, self._hidden, self._mask)

    def spell(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""
        return _spell(self._parts.vocabulary, tokens)

    def transcribe(self, abandoned: Abandoned = never) -> Transcript:
        """Return the transcript with the likeliest token at each step."""
        decoding, most = self.decode(), self.most_tokens
        tokens: list[int] = []
        token, total = START, 0.0
        for step in range(most):
            if abandoned():
                break
            scores = decoding.step([token], [0])[0]
            token = int(scores.argmax())
            total += float(scores[token])
            if token == END:
                return Transcript(self.spell(tokens), total / (step + 1), step + 1)
            tokens.append(token)
            if loop := _loop_length(tokens):
                kept = tokens[: -loop * (_LOOPS - 1)]
                return Transcript(self.spell(kept), total / (step + 1), step + 1)
        return Transcript(self.spell(tokens), total / most, most)


class Decoding:
    """The decoder in the middle of a sound, for one or more beginnings of its text at once."""

    def __init__(self, parts: _Parts, hidden: Float32Array, mask: npt.NDArray[np.int64]) -> None:
        self._parts = parts
        self._hidden, self._mask = hidden, mask
        self._of_sound: dict[str, Array] = {}
        self._of_text: dict[str, Array] = {}

    def step(self, tokens: Sequence[int], parents: Sequence[int]) -> Float32Array:
        """Return the logarithms of the probabilities of the next token, a row for each text.

        Args:
            tokens: the last token of each text; at first, `START` alone.
            parents: for each text, the index of the text in the step before that it continues.
        """
        parts, first = self._parts, not self._of_sound
        if first:
            past = dict.fromkeys(parts.caches, parts.empty_cache)
        else:
            past = {name: values[parents] for name, values in self._of_text.items()}
            past |= {name: np.repeat(values, len(tokens), axis=0) for name, values in self._of_sound.items()}
        feeds: dict[str, Array] = {
            "input_ids": np.array(tokens, dtype=np.int64)[:, np.newaxis],
            "encoder_hidden_states": np.repeat(self._hidden, len(tokens), axis=0),
            "encoder_attention_mask": np.repeat(self._mask, len(tokens), axis=0),
            "use_cache_branch": np.array([not first]),
            **past,
        }
        logits, *present = parts.decoder.run(feeds)
        caches = dict(zip(parts.caches, present, strict=True))
        if first:  # with its cache in use, the model returns nothing useful for the encoder's part of it
            self._of_sound = {name: values for name, values in caches.items() if ".decoder." not in name}
        self._of_text = {name: values for name, values in caches.items() if ".decoder." in name}
        scores = logits[:, -1]
        scores = scores - scores.max(axis=-1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def _loop_length(tokens: list[int]) -> int:
    """Return the length of the sequence that ends `tokens` three times in a row; 0 if there is none."""
    for length in range(1, _LONGEST_LOOP + 1):
        run = tokens[-length:]
        if len(tokens) >= length * _LOOPS and tokens[-length * _LOOPS :] == run * _LOOPS:
            return length
    return 0


def _read_vocabulary(data: bytes) -> list[bytes]:
    """Read the tokenizer's file: each token's length (one byte, or two from 128 on, low part first) and its bytes."""
    tokens: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 128:
            length += 128 * data[at] - 128
            at += 1
        tokens.append(data[at : at + length])
        at += length
    return tokens


def _spell(vocabulary: Sequence[bytes], tokens: Sequence[int]) -> str:
    """Join tokens to text: `▁` stands for a space, `<0x41>` for one byte."""
    text = b""
    for token in tokens:
        piece = vocabulary[token]
        byte = _BYTE_TOKEN.fullmatch(piece)
        text += bytes([int(byte[1], 16)]) if byte else piece
    return text.decode("utf-8", errors="replace").replace("▁", " ").strip()
