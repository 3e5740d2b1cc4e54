"""The interruption classifier: it tells an interruption from a backchannel and from noise, by sound.

The transcriber's encoder describes the sounds; a network of a few thousand weights classifies them as interruption,
backchannel ("uh-huh") or no speech. It is trained by `python -m training.interruption_classifier`
(`docs/measurements/interruption.md` is its model card); its weights are the file beside this module.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from bargein.audio import pcm
from bargein.audio.echo import echo_share
from bargein.ports import InterruptionClassifier, InterruptionScore, OverlappingSpeech
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.network import EncoderClassifier

WEIGHTS = Path(__file__).with_name("interruption_classifier.npz")

INTERRUPTION, BACKCHANNEL, NO_SPEECH = 0, 1, 2
"""The classes: the network's outputs, in order."""

LEAD_MS = 128
"""Audio from before the beginning of a voice that is classified, too: its first consonant may be soft."""

QUIET_MS = 200
"""Audio before that, from which the level of the background is measured."""

_PER_MS = 16
_FRAME = 256
_OLDEST_MS = 800.0
_FAINTEST_DB = -75.0
_LOUD_DB = 20.0
_BANDS_HZ = ((80.0, 1000.0), (1000.0, 2500.0), (2500.0, 3800.0))
_HZ = np.fft.rfftfreq(_FRAME, 1 / 16_000)
_TAPER = np.hanning(_FRAME)

Float32Array = npt.NDArray[np.float32]


def features(model: MoonshineModel, caller: Float32Array, voice: tuple[float, ...], age_ms: int) -> Float32Array:
    """Return the features of a voice.

    Args:
        model: the model whose encoder is used.
        caller: samples at 16 kHz, from `QUIET_MS` and `LEAD_MS` before the onset on.
        voice: the detector's probabilities since the onset.
        age_ms: the length of the voice since the onset.

    Returns:
        The mean of the encoder's values, then the detector's certainty, loudness, closeness to the microphone, age.
    """
    return add_acoustic_features(encode_voice(model, caller), caller, voice, age_ms)


def encode_voice(model: MoonshineModel, caller: Float32Array) -> Float32Array:
    """Return the slow part of `features`: the mean of the encoder's values."""
    return model.encode(caller[QUIET_MS * _PER_MS :]).mean(axis=0)


def add_acoustic_features(
    sounds: Float32Array, caller: Float32Array, voice: tuple[float, ...], age_ms: int
) -> Float32Array:
    """Return `features`: `sounds`, followed by the features that need no encoder."""
    quiet, speech = caller[: QUIET_MS * _PER_MS], caller[QUIET_MS * _PER_MS :]
    sure = np.array(voice, dtype=np.float32)
    frames = _frames(speech, _FRAME)
    loud_db = _levels_db(frames)
    age = age_ms / _OLDEST_MS
    rest = (
        sure.mean(), sure.min(), sure[-1], sure[-3:].mean(), (sure >= 0.5).mean(),
        loud_db.max() / 20, loud_db[-4:].mean() / 20, loud_db.mean() / 20, loud_db.std() / 10,
        *_pulses(speech), *_band_energies(frames, loud_db), *_level_changes(loud_db),
        (loud_db.max() - max(float(np.median(_levels_db(_frames(quiet, _FRAME)))), _FAINTEST_DB)) / 20,
        age, age * age,
    )  # fmt: skip
    return np.concatenate((sounds, np.array(rest, dtype=np.float32)))


# A voice close to the microphone has sharp pulses, high frequencies and abrupt ends; reverberation blurs all of them.


def _pulses(speech: Float32Array) -> tuple[float, float]:
    """Return the kurtosis of the first difference, which measures single pulses: weighted by power, and the median."""
    pulses = _frames(np.diff(speech), 2 * _FRAME)
    powers = np.mean(np.square(pulses), axis=1) + 1e-12
    kurtosis = np.mean(pulses**4, axis=1) / np.square(powers)
    by_power = float(np.log(np.sum(powers * kurtosis) / powers.sum() + 1e-6))
    return by_power, float(np.log(np.median(kurtosis) + 1e-6))


def _band_energies(frames: Float32Array, loud_db: Float32Array) -> tuple[float, float]:
    """Return the energy of the middle and of the high band relative to the low one, in the loud parts."""
    powers = np.abs(np.fft.rfft(frames * _TAPER, axis=1)) ** 2
    mean = powers[loud_db > loud_db.max() - _LOUD_DB].mean(axis=0)
    low, middle, high = (float(mean[(lo <= _HZ) & (hi > _HZ)].sum()) + 1e-9 for lo, hi in _BANDS_HZ)
    return float(np.log10(middle / low)), float(np.log10(high / low))


def _level_changes(loud_db: Float32Array) -> tuple[float, float, float]:
    """Return the rates at which the level falls and rises, and its range below the loudest."""
    changes = np.diff(loud_db)
    falling, rising = (float(np.percentile(changes, percent)) / 5 for percent in (10, 90))
    return falling, rising, float(loud_db.max() - np.percentile(loud_db, 10)) / 20


def _frames(samples: Float32Array, size: int) -> Float32Array:
    return samples[: samples.size // size * size].reshape(-1, size)


def _levels_db(frames: Float32Array) -> Float32Array:
    return np.asarray(20.0 * np.log10(np.sqrt(np.mean(np.square(frames), axis=1)) + 1e-5), dtype=np.float32)


class EmbeddedInterruptionClassifier(EncoderClassifier, InterruptionClassifier):
    """The interruption classifier; a classification takes some 5 ms on a worker thread.

    Args:
        model: the transcriber's model, shared with it.
    """

    def __init__(self, model: MoonshineModel) -> None:
        super().__init__(model, WEIGHTS, "the weights of the interruption classifier")

    @override
    async def classify(self, overlap: OverlappingSpeech) -> InterruptionScore:
        return await self._run_in_thread(self.score, overlap)

    def score(self, overlap: OverlappingSpeech) -> InterruptionScore:
        """Return the score of a voice, as far as it has been heard; blocks."""
        network = self.load()
        caller = pcm.to_float(overlap.caller)
        row = features(self._model, caller, overlap.voice, overlap.age_ms)
        floor = float(network.probabilities(row[np.newaxis])[0, INTERRUPTION])
        return InterruptionScore(floor, echo_share(caller[QUIET_MS * _PER_MS :], pcm.to_float(overlap.assistant)))
