"""The end-of-turn detector: the probability that a pause ends the caller's turn, by sound, rhythm and words.

The transcriber's encoder describes the sound of the last second; the runs of voice give the rhythm; the words tell
whether the sentence may be complete. Two networks of a few thousand weights combine them: one knows numbers and long
sentences, the other also what the assistant asked and the form of short turns. A logistic regression for each group of
words (`turn_text.Group`) makes one calibrated probability of the two. `python -m training.end_of_turn` trains them
(`docs/measurements/endpointing.md` is the model card).
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from bargein.audio import pcm
from bargein.ports import EndOfTurnDetector, ProviderError, TurnPause
from bargein.providers.embedded import turn_text
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.network import EncoderClassifier, Network
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED
from bargein.turns.endpointing.rules import unfinished

WEIGHTS = Path(__file__).with_name("end_of_turn.npz")
"""The network of numbers and long sentences."""

WORDS_WEIGHTS = Path(__file__).with_name("end_of_turn_words.npz")
"""The network that also knows the question and the form of the words."""

CALIBRATION = Path(__file__).with_name("end_of_turn_calibration.npz")
"""Coefficients of the regression: for each group, of the two networks' log odds, the constant, and of the doubt."""

_COEFFICIENTS = 4
_NAME = "the weights of the end-of-turn detector"

DONE = 1
"""The network's output for the end of the turn; 0 is that the turn goes on."""

Float32Array = npt.NDArray[np.float32]

ENCODER_FEATURES = 288
"""The number of features that come from the encoder."""

_RATE_HZ = 16_000
_HEARD = 2_096 * _RATE_HZ // 1000
_ENCODED = 1_200 * _RATE_HZ // 1000
_FRAME = 320
_PITCH_FRAME = 640
_LOWEST_HZ, _HIGHEST_HZ = 70, 350
_VOICED = 0.5
_DIGIT = re.compile(r"\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+|\d")
_FILLER = re.compile(r"\b(?:um+|uh+|er+|hmm+|like|well|so)[\s.,!?-]*$", re.IGNORECASE)


NUMBER_FEATURES = ENCODER_FEATURES + 26
"""The number of features, from the first, that the network of numbers takes; the other one takes all."""

_CLOSEST = 1e-4  # probabilities are kept this far from 0 and 1, whose logarithms have no value


class Encoder(Protocol):
    """An encoder of sound like `MoonshineModel`."""

    def encode(self, samples: Float32Array) -> Float32Array:
        """Return the encoder's values, a row for each 24 ms or so."""
        ...


def features(model: Encoder, pause: TurnPause) -> Float32Array:
    """Return the features of a pause: the mean of the encoder's values, `measures`, and those of `turn_text`."""
    caller = pcm.to_float(pause.caller[-_HEARD:])
    sounds = model.encode(caller[-_ENCODED:]).mean(axis=0)
    voice_ms = sum(end - begin for begin, end in pause.runs)
    text = turn_text.features_of(pause.said, pause.asked, voice_ms, pause.language)
    return np.concatenate((sounds, np.array([*measures(caller, pause), *text], dtype=np.float32)))


def log_odds(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the logarithm of the odds of probabilities."""
    kept = np.clip(probabilities.astype(np.float64), _CLOSEST, 1 - _CLOSEST)
    return np.log(kept / (1 - kept))


def scores(numbers: Network, words: Network, rows: Float32Array) -> npt.NDArray[np.float64]:
    """Return the log odds of the end of the turn by both networks, for each row of features."""
    by_both = (numbers.probabilities(rows[:, :NUMBER_FEATURES]), words.probabilities(rows))
    return np.column_stack([log_odds(one[:, DONE]) for one in by_both])


def combined(
    scores: npt.NDArray[np.float64],
    coefficients: npt.NDArray[np.float64],
    doubts: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the calibrated probability of the end of the turn.

    Args:
        scores: what `scores` returns.
        coefficients: those of the group of words of each row.
        doubts: `turn_text.doubt` of each row; None: the words are not doubted.
    """
    odds = np.sum(scores * coefficients[:, :2], axis=1) + coefficients[:, 2]
    if doubts is not None:
        odds += doubts * coefficients[:, 3]
    return 1 / (1 + np.exp(-odds))


def measures(caller: Float32Array, pause: TurnPause) -> list[float]:
    """Return the features that need no encoder: rhythm, loudness, pitch, words."""
    return [*_rhythm(pause.runs), *_loudness(caller), *_pitch(caller), *_words(pause)]


def _rhythm(runs: Sequence[tuple[int, int]]) -> list[float]:
    lengths = [(end - begin) / 1000 for begin, end in runs] or [0.0]
    gaps = [(b[0] - a[1]) / 1000 for a, b in pairwise(runs)]
    last, before = lengths[-1], lengths[-2] if len(lengths) > 1 else 0.0
    longest = max(gaps, default=0.0)
    return [
        min(len(lengths), 6) / 4,
        float(len(lengths) == 1),
        min(sum(lengths), 8.0) / 4,
        min(last, 4.0) / 2,
        min(before, 4.0) / 2,
        float(np.clip(np.log((last + 0.1) / (before + 0.1)), -2, 2)) if gaps else 0.0,
        min(longest, 2.0),
        min(gaps[-1], 2.0) if gaps else 0.0,
    ]


def _loudness(caller: Float32Array) -> list[float]:
    frames = caller[: caller.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud_db = 20 * np.log10(np.sqrt(np.mean(np.square(frames), axis=1)) + 1e-4)
    voiced = np.flatnonzero(loud_db > loud_db.max(initial=-80.0) - 30)
    said = loud_db[: voiced[-1] + 1] if voiced.size else loud_db
    tail, whole = said[-15:], said[-60:]
    slope = _slope(_counted(tail), tail) if tail.size > 3 else 0.0
    return [slope / 2, float(tail[-5:].mean() - whole.mean()) / 10, float(tail.mean() - whole.mean()) / 10]


def _counted(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.arange(values.size, dtype=np.int64)


def _slope(at: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> float:
    """Return the slope of the line that fits best (least squares)."""
    away = at - at.mean()
    return float((away * (values - values.mean())).sum() / max(float((away * away).sum()), 1e-9))


def _pitch(caller: Float32Array) -> list[float]:
    """Return the pitch at the end relative to the whole, in octaves, and the share of voiced frames at the end."""
    tones = np.array([_tone(caller[at : at + _PITCH_FRAME]) for at in range(0, caller.size - _PITCH_FRAME, _FRAME)])
    sure = np.flatnonzero(tones > 0)
    if sure.size < 6:
        return [0.0, 0.0, 0.0, 0.0]
    octaves = np.log2(tones[sure])
    end, middle = octaves[-6:], float(np.median(octaves))
    slope = _slope(sure[-6:], end)
    return [
        float(np.clip(np.median(end) - middle, -1, 1)),
        float(np.clip(slope * 5, -1, 1)),
        float(np.clip(octaves.min() - middle, -1, 0)),
        float(np.mean(tones[-25:] > 0)),
    ]


def _tone(frame: Float32Array) -> float:
    """Return the pitch of 40 ms in hertz, by autocorrelation; 0 if it is unvoiced."""
    frame = frame - frame.mean()
    spectrum = np.fft.rfft(frame, 2048)
    likeness = np.fft.irfft(np.square(np.abs(spectrum)))[:_PITCH_FRAME]
    if likeness[0] <= 1e-6 * _PITCH_FRAME:
        return 0.0
    shortest, longest = _RATE_HZ // _HIGHEST_HZ, _RATE_HZ // _LOWEST_HZ
    at = int(likeness[shortest:longest].argmax()) + shortest
    return _RATE_HZ / at if likeness[at] > _VOICED * likeness[0] else 0.0


def _words(pause: TurnPause) -> list[float]:
    said = pause.said.strip()
    words, digits = _WORD.findall(said), len(_DIGIT.findall(said))
    share = digits / max(len(words), 1)
    numeric = float(share >= 0.5)
    return [
        unfinished(said, pause.language),
        min(len(words), 12) / 6,
        share,
        numeric * min(digits, 16) / 8,
        numeric * float(digits < 4),
        numeric * float(digits in (7, 10, 11, 16)),
        numeric * float(digits >= 9),
        float(said.endswith(("?", "!"))),
        float(said.endswith(".")),
        float(said.endswith((",", "-", "..."))),
        float(bool(_FILLER.search(said))),
    ]


class EmbeddedEndOfTurnDetector(EncoderClassifier, EndOfTurnDetector):
    """The end-of-turn detector; a detection takes some 10 ms on a worker thread.

    Args:
        model: the transcriber's model, shared with it.
    """

    def __init__(self, model: MoonshineModel) -> None:
        super().__init__(model, WEIGHTS, _NAME)
        self._words = EncoderClassifier(model, WORDS_WEIGHTS, _NAME)
        self._coefficients: npt.NDArray[np.float64] | None = None

    @override
    def load(self) -> Network:
        if self._coefficients is None:
            self._words.load()
            self._coefficients = _read_calibration()
        return super().load()

    @override
    async def predict(self, pause: TurnPause) -> float:
        return await self._run_in_thread(self.detect, pause)

    def detect(self, pause: TurnPause) -> float:
        """Return the probability that the turn is over; blocks."""
        numbers, words = self.load(), self._words.load()
        if self._coefficients is None:  # `load` has read them
            raise AssertionError
        group = turn_text.group_of(pause.said, pause.asked, pause.language, pause.confidence)
        of_both = scores(numbers, words, features(self._model, pause)[np.newaxis])
        doubts = np.array([turn_text.doubt(pause.confidence)])
        return float(combined(of_both, self._coefficients[np.newaxis, group], doubts)[0])


def _read_calibration() -> npt.NDArray[np.float64]:
    try:
        with np.load(CALIBRATION, allow_pickle=False) as arrays:
            coefficients = arrays["coefficients"].astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_be_read(type(error).__name__) from error
    if coefficients.shape != (len(turn_text.Group), _COEFFICIENTS):
        raise _cannot_be_read("another number of groups")
    return coefficients


def _cannot_be_read(why: str) -> ProviderError:
    return ProviderError(f"{_NAME} cannot be read ({why}): install bargein again", ended_reason=TRANSCRIBER_FAILED)
