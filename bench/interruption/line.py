"""The caller's line: its effect on the frames that the server receives, and the echo in the caller's room."""

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
    """Filter a clip as a telephone does: 300 to 3400 Hz, with edges of 100 Hz and without delay."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    gain = np.clip((hz - 250) / 100, 0, 1) * np.clip((3450 - hz) / 100, 0, 1)
    return np.fft.irfft(spectrum * gain, samples.size).astype(np.float32)


class Line:
    """Converts the caller's frames, in order, to the bytes that are sent to the server.

    Args:
        condition: condition of the line.
        coded: whether a telephone's samples are sent as mu-law at 8 kHz; otherwise they are decoded again here, for a
            server that accepts 16 kHz only.
        seed: seed of the losses.
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
        """A frame of the quietest room."""
        return self._numbers.normal(0, 10 ** (_FLOOR_DBFS / 20), _SIZE).astype(np.float32)

    def through(self, frame: Float32Array) -> bytes:
        """Return the bytes for a frame of 20 ms at 16 kHz."""
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
            # Two states; in the bad one every frame is lost, and it lasts four frames on average.
            leave, enter = 1 / _BURST_FRAMES, condition.loss / (1 - condition.loss) / _BURST_FRAMES
            self._in_burst = self._numbers.random() < (1 - leave if self._in_burst else enter)
            return self._in_burst
        return self._numbers.random() < condition.loss

    def _filled(self) -> Float32Array:
        before = self._waiting[-1] if self._waiting else self._last
        return before * np.float32(_FADE) if self._condition.hold else np.zeros(_SIZE, dtype=np.float32)


class _HalfBand:
    """Low-pass filter of a signal at 16 kHz for 8 kHz, frame by frame, with a delay of 2 ms."""

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
    """The assistant's voice as it returns through a room.

    Args:
        condition: level and delay of the echo.
        response: impulse response of the room at 16 kHz, with an energy of one.
    """

    def __init__(self, condition: Condition, response: Float32Array) -> None:
        self._on = condition.echo_db is not None
        self._tail = response.size - 1
        self._length = 1 << (_SIZE + self._tail).bit_length()  # the wrapped part lies before the frame
        self._response = np.fft.rfft(response * 10 ** ((condition.echo_db or 0.0) / 20), self._length)
        self._delay_ms = condition.delay_ms
        self._pieces: deque[tuple[float, Float32Array]] = deque(maxlen=200)

    def played(self, pcm: Int16Array, rate_hz: int, start_ms: float) -> None:
        """Add samples of the assistant that begin to sound at `start_ms`."""
        if self._on:
            sound = pcm.astype(np.float32) / 32768
            wide = sound if rate_hz == RATE_HZ else soxr.resample(sound, rate_hz, RATE_HZ)
            self._pieces.append((start_ms, np.asarray(wide, dtype=np.float32)))

    def frame(self, frame_ms: float) -> Float32Array:
        """Return the echo in the frame that begins at `frame_ms`."""
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
    """Convert samples from -1 to 1 to 16 bits."""
    return np.clip(np.rint(frame * 32767), -32768, 32767).astype(np.int16)
