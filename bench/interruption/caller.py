"""One scene, played in real time over a call's socket, and what came of it."""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np
import soxr

from bargein.audio import g711
from bargein.audio.pcm import Float32Array
from bargein.client.connection import CallInfo, Server, create_call
from bargein.client.playback import InterruptionMeter, audible_ms
from bargein.clock import Clock
from bargein.wire.base import JsonObject
from bench.capacity_socket import LoadSocket
from bench.interruption.scenes import RATE_HZ, Scene, at_level, read

FRAME_MS = 20
HIT_MS = 2_000
"""A stop within this time of the onset counts for a true interruption."""

FALSE_AFTER_MS = 1_000
"""And within this time of a sound's end against what is none."""

PAUSE_MS = 200
"""A longer pause of the assistant's is heard as a stop, also where it goes on afterwards."""

_FIRST_SOUND_S = 15.0
_NOISE_DBFS = -70.0
_LATE_MS = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a scene. Times are milliseconds from the onset of the clip's energy.

    Attributes:
        scene: it.
        stop_ms: the end of the last assistant audio that would still be heard; None: it went on.
        message_ms: when `user-interrupted` arrived; None: it did not.
        early: it stopped, or said so, before the onset: the trial counts as a false stop.
        over_speech: the assistant was talking at the onset; else the trial is void.
        exposed_ms: for how long the assistant talked while something could stop it.
        late_ms: the worst delay of our own frames: the trial was not in real time if it is much.
    """

    scene: Scene
    stop_ms: float | None = None
    message_ms: float | None = None
    early: bool = False
    over_speech: bool = False
    exposed_ms: float = 0.0
    late_ms: float = 0.0

    @property
    def void(self) -> bool:
        """Whether it says nothing about the server."""
        return not self.over_speech or self.late_ms > _LATE_MS

    @property
    def stopped(self) -> bool:
        """Whether the assistant stopped, or paused so that it was heard."""
        return self.early or self.stop_ms is not None or self.message_ms is not None


class SceneCaller:
    """Plays one scene.

    Args:
        scene: what to play.
        data: the collection.
        clock: the one clock.
        response: an impulse response for echoes.
    """

    def __init__(self, scene: Scene, data: Path, clock: Clock, response: Float32Array) -> None:
        self._scene = scene
        self._clock = clock
        self._rate_hz = 8_000 if scene.condition.telephone else RATE_HZ
        clip = read(data / scene.clip) if scene.clip else np.zeros(RATE_HZ, dtype=np.float32)
        self._clip = at_level(clip, scene.condition.level_dbfs) if scene.clip else clip
        self._meter = InterruptionMeter()
        self._first_ms: float | None = None
        self._messages_ms: list[float] = []
        self._sound = anyio.Event()
        self._echo = _Echo(scene, response)
        self._noise = np.random.default_rng(7)
        self._socket: LoadSocket | None = None

    async def play(self, server: Server, assistant: JsonObject) -> Outcome:
        """Make the call, play the scene, hang up.

        Raises:
            OSError, TimeoutError, ClientError: the call cannot be had.
        """
        encoding = "mulaw" if self._scene.condition.telephone else "pcm_s16le"
        call: CallInfo = await create_call(server, assistant=assistant, encoding=encoding, rate_hz=self._rate_hz)
        self._socket = await LoadSocket.open(call.socket_url, self._hear, self._read)
        try:
            return await self._talk()
        finally:
            self._socket.send_text('{"type":"end-call"}')
            with anyio.move_on_after(3, shield=True):
                await self._socket.closed.wait()
            self._socket.abort()

    async def _talk(self) -> Outcome:
        start_ms, sent, worst_ms = self._clock.monotonic_ms(), 0, 0.0
        onset_at_ms: float | None = None
        begin_ms: float | None = None
        while True:
            due_ms = start_ms + (sent + 1) * FRAME_MS
            await anyio.sleep(max(0.0, (due_ms - self._clock.monotonic_ms()) / 1000))
            now_ms = self._clock.monotonic_ms()
            worst_ms = max(worst_ms, now_ms - due_ms) if self._first_ms is not None else 0.0
            frame_ms = due_ms - FRAME_MS
            if begin_ms is None and self._first_ms is not None:
                begin_ms = frame_ms + self._scene.inject_ms
                onset_at_ms = begin_ms + self._scene.onset_ms
            if begin_ms is None and now_ms - start_ms > _FIRST_SOUND_S * 1000:
                raise TimeoutError("the assistant does not begin to speak")
            if onset_at_ms is not None and frame_ms <= onset_at_ms < due_ms:
                self._open(onset_at_ms)
            self._send(self._frame(frame_ms, begin_ms))
            sent += 1
            if onset_at_ms is not None and due_ms > onset_at_ms + self._lasts_ms():
                return self._outcome(onset_at_ms, worst_ms)

    def _lasts_ms(self) -> float:
        wait_ms = HIT_MS + 300 if self._scene.part in ("command", "word") else FALSE_AFTER_MS
        return max(HIT_MS, self._scene.offset_ms - self._scene.onset_ms) + wait_ms

    def _open(self, onset_at_ms: float) -> None:
        self._meter.onset(onset_at_ms, within_ms=self._lasts_ms())

    def _frame(self, frame_ms: float, begin_ms: float | None) -> Float32Array:
        size = RATE_HZ * FRAME_MS // 1000
        frame = self._noise.normal(0, 10 ** (_NOISE_DBFS / 20), size)
        if begin_ms is not None:
            at = round((frame_ms - begin_ms) * RATE_HZ / 1000)
            low, high = max(0, at), min(self._clip.size, at + size)
            if high > low:
                frame[low - at : high - at] += self._clip[low:high]
        return np.clip(frame + self._echo.frame(frame_ms, size), -1, 1).astype(np.float32)

    def _send(self, frame: Float32Array) -> None:
        if self._socket is None:
            return
        if self._rate_hz != RATE_HZ:
            narrow = soxr.resample(frame, RATE_HZ, self._rate_hz, quality="QQ")
            self._socket.send_audio(g711.encode(_samples(narrow)))
        else:
            self._socket.send_audio(_samples(frame).astype("<i2").tobytes())

    def _hear(self, data: bytes) -> None:
        now_ms = self._clock.monotonic_ms()
        pcm = g711.decode(data) if self._scene.condition.telephone else np.frombuffer(data, "<i2")
        heard_ms = audible_ms(pcm, self._rate_hz)
        queued = self._meter.audio(pcm.size * 1000 / self._rate_hz, now_ms, heard_ms)
        self._echo.played(pcm, self._rate_hz, queued.start_ms)
        if heard_ms and self._first_ms is None:
            self._first_ms = queued.start_ms

    def _read(self, text: bytes) -> None:
        if b'"user-interrupted"' in text and (message := json.loads(text)).get("type") == "user-interrupted":
            now_ms = self._clock.monotonic_ms()
            self._messages_ms.append(now_ms)
            self._meter.interrupted(now_ms, message.get("turnId"))

    def _outcome(self, onset_at_ms: float, worst_ms: float) -> Outcome:
        (event,) = self._meter.finish()
        stretch = self._meter.unflushed.stretch_from(onset_at_ms)
        early = any(at_ms < onset_at_ms for at_ms in self._messages_ms)
        stop_ms = event.silence_ms
        return Outcome(
            scene=self._scene,
            stop_ms=None if stop_ms is None else stop_ms - onset_at_ms,
            message_ms=None if event.message_ms is None else event.message_ms - onset_at_ms,
            early=early,
            over_speech=event.over_speech or early,
            exposed_ms=0.0 if stretch is None else max(0.0, stretch.end_ms - onset_at_ms),
            late_ms=worst_ms,
        )


class _Echo:
    """The assistant's voice on its way back through a room."""

    def __init__(self, scene: Scene, response: Float32Array) -> None:
        self._on = scene.condition.echo_db is not None
        gain = 10 ** ((scene.condition.echo_db or 0.0) / 20)
        self._response = response * gain
        self._delay_ms = scene.condition.delay_ms
        self._pieces: deque[tuple[float, Float32Array]] = deque(maxlen=200)

    def played(self, pcm: "np.ndarray[tuple[int], np.dtype[np.int16]]", rate_hz: int, start_ms: float) -> None:
        if self._on:
            sound = pcm.astype(np.float32) / 32768
            wide = sound if rate_hz == RATE_HZ else np.asarray(soxr.resample(sound, rate_hz, RATE_HZ), dtype=np.float32)
            self._pieces.append((start_ms, wide))

    def frame(self, frame_ms: float, size: int) -> Float32Array:
        """What comes back in the frame that begins at `frame_ms`."""
        if not self._on:
            return np.zeros(size, dtype=np.float32)
        tail = self._response.size - 1
        begin_ms = frame_ms - self._delay_ms - tail * 1000 / RATE_HZ
        source = np.zeros(size + tail, dtype=np.float32)
        for start_ms, piece in self._pieces:
            at = round((start_ms - begin_ms) * RATE_HZ / 1000)
            low, high = max(0, at), min(source.size, at + piece.size)
            if high > low:
                source[low:high] = piece[low - at : high - at]
        length = 1 << (source.size + tail).bit_length()
        back = np.fft.irfft(np.fft.rfft(source, length) * np.fft.rfft(self._response, length), length)
        return back[tail : tail + size].astype(np.float32)


def _samples(frame: Float32Array) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    return np.clip(np.rint(frame * 32767), -32768, 32767).astype(np.int16)
