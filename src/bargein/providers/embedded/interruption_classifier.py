"""Whether a voice that cuts in takes the floor, judged by its sound.

The transcriber's encoder, which has heard much speech, says what sounds there are; a network of a few thousand weights
says what they mean: somebody takes the floor, somebody only listens aloud ("uh-huh"), or it is no speech at all. It is
trained by `python -m training.interruption_classifier` (`docs/measurements/interruption.md` is its model card); its
weights lie beside this file.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bargein.audio import pcm
from bargein.audio.echo import echo_share
from bargein.ports import InterruptionScore, OverlappingSpeech
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.network import EncoderClassifier

WEIGHTS = Path(__file__).with_name("interruption_classifier.npz")

FLOOR, LISTENING, NO_SPEECH = 0, 1, 2
"""What a voice may be: the network's outputs, in order."""

LEAD_MS = 160
"""So much from before a voice's onset is judged, too: its first consonant comes before what a detector calls voice."""

QUIET_MS = 200
"""And so much from before that tells how loud the room is without it."""

_PER_MS = 16
_FRAME = 256
_OLDEST_MS = 800.0
_FAINTEST_DB = -75.0
_HEARD_DB = 20.0
_BANDS_HZ = ((80.0, 1000.0), (1000.0, 2500.0), (2500.0, 3800.0))
_HZ = np.fft.rfftfreq(_FRAME, 1 / 16_000)
_TAPER = np.hanning(_FRAME)

Float32Array = npt.NDArray[np.float32]


def features(model: MoonshineModel, caller: Float32Array, voice: tuple[float, ...], age_ms: int) -> Float32Array:
    """What is judged of a voice.

    Args:
        model: whose encoder hears it.
        caller: its samples at 16 kHz, from `QUIET_MS` and `LEAD_MS` before its onset on.
        voice: the detector's probabilities since the onset.
        age_ms: how much of it has been heard.

    Returns:
        The mean of the encoder's values; then how sure the detector was, how loud it is and how near, and how old.
    """
    return with_the_rest(sounds_of(model, caller), caller, voice, age_ms)


def sounds_of(model: MoonshineModel, caller: Float32Array) -> Float32Array:
    """The part of `features` that takes long: the mean of what the encoder makes of a voice."""
    return model.encode(caller[QUIET_MS * _PER_MS :]).mean(axis=0)


def with_the_rest(sounds: Float32Array, caller: Float32Array, voice: tuple[float, ...], age_ms: int) -> Float32Array:
    """The rest of `features`, behind `sounds`."""
    quiet, speech = caller[: QUIET_MS * _PER_MS], caller[QUIET_MS * _PER_MS :]
    sure = np.array(voice, dtype=np.float32)
    frames = _frames(speech, _FRAME)
    loud_db = _levels_db(frames)
    age = age_ms / _OLDEST_MS
    rest = (
        sure.mean(), sure.min(), sure[-1], sure[-3:].mean(), (sure >= 0.5).mean(),
        loud_db.max() / 20, loud_db[-4:].mean() / 20, loud_db.mean() / 20, loud_db.std() / 10,
        *_peaks(speech), *_colour(frames, loud_db), *_falls(loud_db),
        (loud_db.max() - max(float(np.median(_levels_db(_frames(quiet, _FRAME)))), _FAINTEST_DB)) / 20,
        age, age * age,
    )  # fmt: skip
    return np.concatenate((sounds, np.array(rest, dtype=np.float32)))


# A voice close to the microphone has sharp pulses, bright sounds and sudden ends; across a room all of that is smeared.


def _peaks(speech: Float32Array) -> tuple[float, float]:
    """How much single pulses stand out (kurtosis of the first difference), by power and in the middle frame."""
    pulses = _frames(np.diff(speech), 2 * _FRAME)
    powers = np.mean(np.square(pulses), axis=1) + 1e-12
    kurtosis = np.mean(pulses**4, axis=1) / np.square(powers)
    by_power = float(np.log(np.sum(powers * kurtosis) / powers.sum() + 1e-6))
    return by_power, float(np.log(np.median(kurtosis) + 1e-6))


def _colour(frames: Float32Array, loud_db: Float32Array) -> tuple[float, float]:
    """Middle and high tones against the low ones, in the loud parts."""
    powers = np.abs(np.fft.rfft(frames * _TAPER, axis=1)) ** 2
    mean = powers[loud_db > loud_db.max() - _HEARD_DB].mean(axis=0)
    low, middle, high = (float(mean[(lo <= _HZ) & (hi > _HZ)].sum()) + 1e-9 for lo, hi in _BANDS_HZ)
    return float(np.log10(middle / low)), float(np.log10(high / low))


def _falls(loud_db: Float32Array) -> tuple[float, float, float]:
    """How fast it grows faint and loud, and how far from its loudest it falls."""
    changes = np.diff(loud_db)
    falling, rising = (float(np.percentile(changes, percent)) / 5 for percent in (10, 90))
    return falling, rising, float(loud_db.max() - np.percentile(loud_db, 10)) / 20


def _frames(samples: Float32Array, size: int) -> Float32Array:
    return samples[: samples.size // size * size].reshape(-1, size)


def _levels_db(frames: Float32Array) -> Float32Array:
    return np.asarray(20.0 * np.log10(np.sqrt(np.mean(np.square(frames), axis=1)) + 1e-5), dtype=np.float32)


class EmbeddedInterruptionClassifier(EncoderClassifier):
    """See `bargein.ports.FloorJudge`; it thinks on two threads of its own, some 5 ms each time.

    Args:
        model: the transcriber's, shared with it.
    """

    def __init__(self, model: MoonshineModel) -> None:
        super().__init__(model, WEIGHTS, "the floor judge's weights")

    async def classify(self, overlap: OverlappingSpeech) -> InterruptionScore:
        """See `bargein.ports.InterruptionClassifier.classify`."""
        return await self._think(self._judge, overlap)

    def _judge(self, overlap: OverlappingSpeech) -> InterruptionScore:
        network = self.load()
        caller = pcm.to_float(overlap.caller)
        row = features(self._model, caller, overlap.voice, overlap.age_ms)
        floor = float(network.probabilities(row[np.newaxis])[0, FLOOR])
        return InterruptionScore(floor, echo_share(caller[QUIET_MS * _PER_MS :], pcm.to_float(overlap.assistant)))
