"""The caller's line: what a frame of the caller's goes through before the server gets it, and the echo in the room."""

from collections import deque

import numpy as np
import soxr

from bargein.audio import g711
from bargein.audio.pcm import Float32Array, Int16Array
from bench.interruption.conditions import FRAME_MS, PLAYOUT_MS, RATE_HZ, Condition

_FLOOR_DBFS = -70.0
_BURST_FRAMES = 4
_FADE = 0.5
_SIZE = RATE_HZ * FRAME_MS // 1000


def pass_band(samples: Float32Array) -> Float32Array:
    """What a telephone passes of a clip: 300 to 3400 Hz, with edges of 100 Hz, and nothing shifted in time."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    gain = np.clip((hz - 250) / 100, 0, 1) * np.clip((3450 - hz) / 100, 0, 1)
    return np.fft.irfft(spectrum * gain, samples.size).astype(np.float32)


class Line:
    """Takes the caller's frames in order and gives the bytes that go to the server.

    Args:
        condition: what the line does to them.
        coded: whether a telephone's samples go out as mu-law at 8 kHz; otherwise they are decoded again here, for a
            server that takes 16 kHz only.
        seed: the same seed, the same losses.
    """

    def __init__(self, condition: Condition, *, coded: bool, seed: int) -> None:
        self._condition = condition
        self._coded = coded and condition.telephone
        self._numbers = np.random.default_rng(seed)
        self._last = np.zeros(_SIZE, dtype=np.float32)
        self._in_burst = False
        self._waiting: deque[Float32Array] = deque(
            np.zeros(_SIZE, dtype=np.float32) for _ in range(round(condition.held_back_ms / FRAME_MS))
        )
        self._down, self._up = _HalfBand(), _HalfBand()

    @property
    def noise_floor(self) -> Float32Array:
        """One frame of the quietest room."""
        return self._numbers.normal(0, 10 ** (_FLOOR_DBFS / 20), _SIZE).astype(np.float32)

    def through(self, frame: Float32Array) -> bytes:
        """What the server gets for a frame of 20 ms at 16 kHz."""
        self._waiting.append(self._filled() if self._is_lost() else frame)
        sent = self._waiting.popleft()
        self._last = sent
        if not self._condition.telephone:
            return samples_of(sent).astype("<i2").tobytes()
        coded = g711.encode(samples_of(self._down.through(np.clip(sent, -1, 1))[::2]))
        if self._coded:
            return coded
        wide = np.zeros(_SIZE, dtype=np.float32)
        wide[::2] = g711.decode(coded).astype(np.float32) / 16384
        return samples_of(self._up.through(wide)).astype("<i2").tobytes()

    def _is_lost(self) -> bool:
        condition = self._condition
        if condition.jitter_ms and self._numbers.exponential(condition.jitter_ms) > PLAYOUT_MS:
            return True
        if condition.burst:
            # Two states; in the bad one everything is lost, and it lasts four frames on average.
            leave, enter = 1 / _BURST_FRAMES, condition.loss / (1 - condition.loss) / _BURST_FRAMES
            self._in_burst = self._numbers.random() < (1 - leave if self._in_burst else enter)
            return self._in_burst
        return self._numbers.random() < condition.loss

    def _filled(self) -> Float32Array:
        before = self._waiting[-1] if self._waiting else self._last
        return before * np.float32(_FADE) if self._condition.hold else np.zeros(_SIZE, dtype=np.float32)


class _HalfBand:
    """Passes what 8 kHz can hold of a signal at 16 kHz, frame by frame, two milliseconds late."""

    _TAPS = 65

    def __init__(self) -> None:
        at = np.arange(self._TAPS) - self._TAPS // 2
        self._kernel = (np.sinc(at * 0.47) * 0.47 * np.hamming(self._TAPS)).astype(np.float32)
        self._before = np.zeros(self._TAPS - 1, dtype=np.float32)

    def through(self, frame: Float32Array) -> Float32Array:
        """Filter the next frame."""
        samples = np.concatenate((self._before, frame))
        self._before = samples[-self._TAPS + 1 :]
        return np.convolve(samples, self._kernel, "valid").astype(np.float32)


class Echo:
    """The assistant's voice on its way back through a room.

    Args:
        condition: its level and delay.
        response: the room's impulse response at 16 kHz, its energy one.
    """

    def __init__(self, condition: Condition, response: Float32Array) -> None:
        self._on = condition.echo_db is not None
        self._tail = response.size - 1
        self._length = 1 << (_SIZE + self._tail).bit_length()  # what wraps around falls before the frame
        self._response = np.fft.rfft(response * 10 ** ((condition.echo_db or 0.0) / 20), self._length)
        self._delay_ms = condition.delay_ms
        self._pieces: deque[tuple[float, Float32Array]] = deque(maxlen=200)

    def played(self, pcm: Int16Array, rate_hz: int, start_ms: float) -> None:
        """Take what the assistant said, and when it sounds."""
        if self._on:
            sound = pcm.astype(np.float32) / 32768
            wide = sound if rate_hz == RATE_HZ else soxr.resample(sound, rate_hz, RATE_HZ)
            self._pieces.append((start_ms, np.asarray(wide, dtype=np.float32)))

    def frame(self, frame_ms: float) -> Float32Array:
        """What comes back in the frame that begins at `frame_ms`."""
        if not self._on:
            return np.zeros(_SIZE, dtype=np.float32)
        tail = self._tail
        begin_ms = frame_ms - self._delay_ms - tail * 1000 / RATE_HZ
        source = np.zeros(_SIZE + tail, dtype=np.float32)
        for start_ms, piece in self._pieces:
            at = round((start_ms - begin_ms) * RATE_HZ / 1000)
            low, high = max(0, at), min(source.size, at + piece.size)
            if high > low:
                source[low:high] = piece[low - at : high - at]
        back = np.fft.irfft(np.fft.rfft(source, self._length) * self._response, self._length)
        return back[tail : tail + _SIZE].astype(np.float32)


def samples_of(frame: Float32Array) -> Int16Array:
    """Samples from -1 to 1 as 16-bit ones."""
    return np.clip(np.rint(frame * 32767), -32768, 32767).astype(np.int16)
