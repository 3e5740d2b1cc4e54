"""smart-turn v3.2 as end-of-turn detector: `BARGEIN_TURN_MODEL=smart-turn`, and `pip install 'bargein[smart-turn]'`.

The model takes the last eight seconds and knows 23 languages. Its file is in the wheel of pipecat-ai, which is found by
its path and never imported. Its input is that of Whisper: the logarithm of the energy in 80 mel bands, a hundred times
a second.
"""

import threading
from functools import lru_cache

import anyio
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from bargein.audio import pcm
from bargein.ports import EndOfTurnDetector, TurnPause
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED, Session, package_file

REQUIREMENT = "pipecat-ai==1.14.0"

Float32Array = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

_RATE_HZ = 16_000
_SAMPLES = 8 * _RATE_HZ
_FRAME = 400
_HOP = 160
_BANDS = 80
_FAINTEST = 1e-10
_RANGE = 8.0
_MOST_AT_ONCE = 1
_LINEAR_UP_TO_HZ = 1000.0
_HZ_PER_MEL = 200.0 / 3.0
_LOG_STEP = float(np.log(6.4)) / 27.0


def spectrogram(samples: Float32Array) -> Float32Array:
    """Return the model's input for up to eight seconds that end with the pause: 80 mel bands by 800 frames.

    Shorter audio is preceded by silence. The level does not matter: the audio is normalised to one variance.
    """
    sound = np.zeros(_SAMPLES, dtype=np.float32)
    kept = samples[-_SAMPLES:]
    sound[_SAMPLES - kept.size :] = kept
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    padded = np.pad(sound.astype(np.float64), _FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[:_SAMPLES:_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1)))
    bands = np.log10(np.maximum(power @ _filters(), _FAINTEST)).T
    return ((np.maximum(bands, bands.max() - _RANGE) + 4.0) / 4.0).astype(np.float32)


@lru_cache(maxsize=1)
def _filters() -> Array:
    """Return triangular filters of equal area, evenly spaced in mel (Slaney's: linear to 1 kHz, then logarithmic)."""
    edges = _hertz(np.linspace(0.0, _mel(_RATE_HZ / 2), _BANDS + 2))
    bins = np.linspace(0.0, _RATE_HZ / 2, _FRAME // 2 + 1)[:, np.newaxis]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.maximum(triangles, 0.0) * (2.0 / (right - left))


def _mel(hertz: float) -> float:
    return _LINEAR_UP_TO_HZ / _HZ_PER_MEL + float(np.log(hertz / _LINEAR_UP_TO_HZ)) / _LOG_STEP


def _hertz(mel: Array) -> Array:
    above = _LINEAR_UP_TO_HZ * np.exp(_LOG_STEP * (mel - _LINEAR_UP_TO_HZ / _HZ_PER_MEL))
    return np.where(mel * _HZ_PER_MEL < _LINEAR_UP_TO_HZ, mel * _HZ_PER_MEL, above)


class SmartTurnDetector(EndOfTurnDetector):
    """The end-of-turn detector smart-turn; a detection takes some 40 ms on a worker thread, one at a time."""

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._session: Session | None = None
        self._limiter: anyio.CapacityLimiter | None = None

    def load(self) -> Session:
        """Load the model if it is not loaded yet; blocks.

        Raises:
            ProviderError: the model is not installed, or broken.
        """
        with self._loading:
            if self._session is None:
                place = ("audio", "turn", "smart_turn", "data", "smart-turn-v3.2-cpu.onnx")
                path = package_file("pipecat", REQUIREMENT, *place, ended_reason=TRANSCRIBER_FAILED)
                self._session = Session(path, ended_reason=TRANSCRIBER_FAILED)
            return self._session

    @override
    async def predict(self, pause: TurnPause) -> float:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_MOST_AT_ONCE)
        return await anyio.to_thread.run_sync(self.detect, pause, limiter=self._limiter, abandon_on_cancel=True)

    def detect(self, pause: TurnPause) -> float:
        """Return the probability that the turn is over; blocks."""
        heard = spectrogram(pcm.to_float(pause.caller))
        (done,) = self.load().run({"input_features": heard[np.newaxis]})
        return float(done.ravel()[0])
