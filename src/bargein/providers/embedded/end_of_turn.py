"""The end-of-turn detector: the probability that a pause ends the caller's turn, by sound, rhythm and words.

The transcriber's encoder describes the sound of the last second; the runs of voice give the rhythm; the words tell
whether the sentence may be complete. A network of a few thousand weights combines them. It is trained by
`python -m training.end_of_turn` (`docs/measurements/endpointing.md` is its model card).
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from bargein.audio import pcm
from bargein.ports import EndOfTurnDetector, TurnPause
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.network import EncoderClassifier
from bargein.turns.endpointing.rules import unfinished

WEIGHTS = Path(__file__).with_name("end_of_turn.npz")

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


def features(model: MoonshineModel, pause: TurnPause) -> Float32Array:
    """Return the features of a pause: the mean of the encoder's values, then `measures`."""
    caller = pcm.to_float(pause.caller[-_HEARD:])
    sounds = model.encode(caller[-_ENCODED:]).mean(axis=0)
    return np.concatenate((sounds, np.array(measures(caller, pause), dtype=np.float32)))


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
        super().__init__(model, WEIGHTS, "the weights of the end-of-turn detector")

    @override
    async def predict(self, pause: TurnPause) -> float:
        return await self._run_in_thread(self.detect, pause)

    def detect(self, pause: TurnPause) -> float:
        """Return the probability that the turn is over; blocks."""
        network = self.load()
        return float(network.probabilities(features(self._model, pause)[np.newaxis])[0, DONE])
