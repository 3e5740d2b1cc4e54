"""Moonshine tiny (English) on plain onnxruntime: an encoder over raw samples, and a greedy decoder with its caches."""

import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bargein.ports import TRANSCRIBER_RATE_HZ
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED, Array, Session, package_file

REQUIREMENT = "moonshine-voice==0.0.73"

_PACKAGE = "moonshine_voice"
_START, _END = 1, 2
_TOKENS_PER_SECOND = 6.5
"""The fastest speech; tokens beyond it are the decoder's own inventions."""

_SPARE_TOKENS = 4
_LONGEST_LOOP = 8
_LOOPS = 3
"""A sequence of up to eight tokens that occurs three times in a row is a loop that the decoder does not leave."""

_LEAST_SAMPLES = 1_600
_BYTE_TOKEN = re.compile(rb"<0x([0-9A-F]{2})>")

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Transcript:
    """The model's transcript of a stretch of audio.

    Attributes:
        text: the words, as written English.
        log_probability: mean natural logarithm of the tokens' probabilities: -0.1 is certain, below -1 is a guess.
    """

    text: str
    log_probability: float

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

    def transcribe(self, samples: Float32Array, abandoned: Callable[[], bool] = lambda: False) -> Transcript:
        """Transcribe `samples`: floats in [-1, 1] at 16 kHz, best up to 25 s; less than 0.1 s yields no words.

        Args:
            samples: the audio.
            abandoned: called before each token; once it returns True, decoding ends with the tokens so far.

        Raises:
            ProviderError: the model is missing or broken.
        """
        if samples.size < _LEAST_SAMPLES:
            return NO_WORDS
        parts = self._loaded()
        tokens, log_probability = _decode(parts, samples.astype(np.float32, copy=False)[np.newaxis], abandoned)
        return Transcript(_spell(parts.vocabulary, tokens), log_probability)

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


def _decode(parts: _Parts, samples: Float32Array, abandoned: Callable[[], bool]) -> tuple[list[int], float]:
    """Decode greedily; return the tokens and the mean logarithm of their probabilities, that of the end included."""
    # the decoder's mask must have the length of the raw samples, too: with any other it crashes beyond 9 s of audio
    mask = np.ones(samples.shape, dtype=np.int64)
    (hidden,) = parts.encoder.run({"input_values": samples, "attention_mask": mask})
    past: dict[str, Array] = dict.fromkeys(parts.caches, parts.empty_cache)
    most = int(samples.shape[1] / TRANSCRIBER_RATE_HZ * _TOKENS_PER_SECOND) + _SPARE_TOKENS
    tokens: list[int] = []
    token, total = _START, 0.0
    for step in range(most):
        if abandoned():
            break
        feeds: dict[str, Array] = {
            "input_ids": np.array([[token]], dtype=np.int64),
            "encoder_hidden_states": hidden,
            "encoder_attention_mask": mask,
            "use_cache_branch": np.array([step > 0]),
            **past,
        }
        logits, *present = parts.decoder.run(feeds)
        # with its cache in use, the model returns nothing useful for the encoder's part of it
        past |= {
            name: value for name, value in zip(parts.caches, present, strict=True) if step == 0 or ".decoder." in name
        }
        scores = logits[0, -1]
        token = int(scores.argmax())
        total -= float(np.log(np.exp(scores - scores[token]).sum()))
        if token == _END:
            return tokens, total / (step + 1)
        tokens.append(token)
        if loop := _loop_length(tokens):
            return tokens[: -loop * (_LOOPS - 1)], total / (step + 1)
    return tokens, total / most


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


def _spell(vocabulary: list[bytes], tokens: list[int]) -> str:
    """Join tokens to text: `▁` stands for a space, `<0x41>` for one byte."""
    text = b""
    for token in tokens:
        piece = vocabulary[token]
        byte = _BYTE_TOKEN.fullmatch(piece)
        text += bytes([int(byte[1], 16)]) if byte else piece
    return text.decode("utf-8", errors="replace").replace("▁", " ").strip()
