"""A scene of `bench.interruption`, played to a call on the simulated clock, and its outcome."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import anyio
import anyio.lowlevel
import numpy as np
import soxr
from bench.interruption.conditions import FRAME_MS, RATE_HZ
from bench.interruption.playback import FALSE_AFTER_MS, HIT_MS, Outcome
from bench.interruption.recordings import at_level, read
from bench.interruption.scenes import Scene

from bargein.audio import pcm
from bargein.audio.pcm import Float32Array, Int16Array
from bargein.call.context import AgentSetup, Providers
from bargein.call.plan.compile import compile_plan
from bargein.call.session import CallSession
from bargein.client.playback import InterruptionMeter, audible_ms
from bargein.ports import NullRecorder
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from training.interruption_classifier.stage import Archive, StageClock, StageLeg, call_record

_NOISE_DBFS = -70.0
_FALLS_SILENT_MS = 500
_FRAME = RATE_HZ * FRAME_MS // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The outcome of a scene.

    Attributes:
        outcome: outcome as the benchmark on real servers has it.
        why: reason of the decision that stopped the assistant; None: it was not stopped.
        back_ms: time from the caller's silence to the assistant's next sound, where it was stopped and continued.
        sounds_ms: times of all audible pieces of the assistant's speech, in the call's time.
        onset_ms: rise of the clip's energy, in the call's time.
        lines: journal of the call.
    """

    outcome: Outcome
    why: str | None
    back_ms: float | None
    onset_ms: float
    sounds_ms: tuple[float, ...] = ()
    lines: list[str] = field(default_factory=list)


class ScenePlayer:
    """Plays scenes, each in a call of its own.

    Args:
        data: folder of the collection.
        assistant: assistant in Vapi's JSON; it begins to speak at once.
        response: impulse response for echoes.
    """

    def __init__(self, data: Path, assistant: JsonObject, response: Float32Array) -> None:
        self._data = data
        self._assistant = assistant
        self._response = response

    async def play(self, scene: Scene, providers: Providers, number: int = 0) -> Played:
        """Make a call, play the scene, end the call."""
        one = _Call(scene, self._clip(scene), self._response)
        setup = AgentSetup(
            call=call_record(number),
            assistant=Assistant.model_validate(self._assistant),
            assistant_json=self._assistant,
            plan=compile_plan(Assistant.model_validate(self._assistant)),
        )
        archive = Archive()
        session = CallSession(
            setup,
            providers,
            one.leg,
            clock=StageClock(),
            records=archive,
            sink=archive,
            recorder=NullRecorder(),
        )
        began_ms = StageClock().monotonic_ms()
        decisions: list[JsonObject] = []
        session.insight.watch(decisions.append)
        async with anyio.create_task_group() as tasks:
            await session.record_start()
            tasks.start_soon(session.run)
            await anyio.lowlevel.checkpoint()
            outcome = await one.talk(session)
            session.hang_up("customer-ended-call")
        why = next((str(entry["why"]) for entry in decisions if entry.get("what") == "stopped"), None)
        return Played(
            outcome=outcome,
            why=why,
            back_ms=one.back_ms(),
            onset_ms=one.onset_ms - began_ms,
            sounds_ms=tuple(at_ms - began_ms for at_ms in one.sounds_ms),
            lines=archive.lines,
        )

    def _clip(self, scene: Scene) -> Float32Array:
        if not scene.clip:
            return np.zeros(RATE_HZ, dtype=np.float32)
        return at_level(read(self._data / scene.clip), scene.condition.level_dbfs)


class _Call:
    """The caller's side of one scene."""

    def __init__(self, scene: Scene, clip: Float32Array, response: Float32Array) -> None:
        self._scene = scene
        self._clip = clip
        self._clock = StageClock()
        self.leg = StageLeg(
            telephone=scene.condition.telephone,
            on_audio=self._receive_audio,
            on_message=self._receive_message,
        )
        self._meter = InterruptionMeter()
        self._first_ms: float | None = None
        self.onset_ms = 0.0
        self._messages_ms: list[float] = []
        self.sounds_ms: list[float] = []
        echo_db = scene.condition.echo_db
        self._response = None if echo_db is None else response * 10 ** (echo_db / 20)
        self._played = np.zeros(0, dtype=np.float32)
        self._noise = np.random.default_rng(7)

    async def talk(self, session: CallSession) -> Outcome:
        """Speak from the assistant's first sound on, in real time by the simulated clock."""
        start_ms, sent = self._clock.monotonic_ms(), 0
        begin_ms: float | None = None
        opened = False
        while True:
            await anyio.sleep((start_ms + (sent + 1) * FRAME_MS - self._clock.monotonic_ms()) / 1000)
            due_ms = start_ms + (sent + 1) * FRAME_MS
            if begin_ms is None and self._first_ms is not None:
                begin_ms = due_ms - FRAME_MS + self._scene.inject_ms
                self.onset_ms = begin_ms + self._scene.onset_ms
            if begin_ms is None and due_ms > start_ms + 5_000:
                raise TimeoutError("the assistant does not begin to speak")
            if begin_ms is not None and not opened and due_ms > self.onset_ms:
                opened = True
                self._meter.on_onset(self.onset_ms, within_ms=self._lasts_ms())
            self._send(session, self._frame(due_ms - FRAME_MS, begin_ms))
            sent += 1
            if begin_ms is not None and due_ms > min(self.onset_ms + self._lasts_ms(), self._settled_ms()):
                return self._outcome()

    def back_ms(self) -> float | None:
        """Return the time from the caller's silence to the next sound of a stopped assistant."""
        if not self._messages_ms:
            return None
        silent_ms = self.onset_ms - self._scene.onset_ms + self._scene.offset_ms
        return next((at_ms - silent_ms for at_ms in self.sounds_ms if at_ms > self._messages_ms[0] + 60), None)

    def _lasts_ms(self) -> float:
        wait_ms = HIT_MS + 300 if self._scene.part in ("command", "word") else FALSE_AFTER_MS
        return max(HIT_MS, self._scene.offset_ms - self._scene.onset_ms) + wait_ms

    def _settled_ms(self) -> float:
        """Return when a true interruption has its outcome and the assistant is silent, so that the scene may end."""
        yielded = self._scene.is_true and self._messages_ms and self._messages_ms[0] >= self.onset_ms
        return self._messages_ms[0] + _FALLS_SILENT_MS if yielded else float("inf")

    def _frame(self, frame_ms: float, begin_ms: float | None) -> Float32Array:
        frame = self._noise.normal(0, 10 ** (_NOISE_DBFS / 20), _FRAME)
        if begin_ms is not None:
            at = round((frame_ms - begin_ms) * RATE_HZ / 1000)
            low, high = max(0, at), min(self._clip.size, at + _FRAME)
            if high > low:
                frame[low - at : high - at] += self._clip[low:high]
        return np.clip(frame + self._echo(frame_ms), -1, 1).astype(np.float32)

    def _echo(self, frame_ms: float) -> Float32Array:
        """Return the assistant's echo in the frame that begins at `frame_ms`."""
        if self._response is None:
            return np.zeros(_FRAME, dtype=np.float32)
        end = round((frame_ms + FRAME_MS - self._scene.condition.delay_ms) * RATE_HZ / 1000)
        begin = end - _FRAME - self._response.size + 1
        source = np.zeros(end - begin, dtype=np.float32)
        low, high = max(0, begin), min(end, self._played.size)
        if high > low:
            source[low - begin : high - begin] = self._played[low:high]
        length = 1 << (source.size + self._response.size).bit_length()
        back = np.fft.irfft(np.fft.rfft(source, length) * np.fft.rfft(self._response, length), length)
        return back[self._response.size - 1 : self._response.size - 1 + _FRAME].astype(np.float32)

    def _send(self, session: CallSession, frame: Float32Array) -> None:
        rate_hz = self.leg.rate_hz
        sound = frame if rate_hz == RATE_HZ else soxr.resample(frame, RATE_HZ, rate_hz, quality="QQ")
        session.receive_audio(self.leg.encode(pcm.from_float(np.asarray(sound, dtype=np.float32))))

    def _receive_audio(self, samples: Int16Array) -> None:
        rate_hz, now_ms = self.leg.rate_hz, self._clock.monotonic_ms()
        heard_ms = audible_ms(samples, rate_hz)
        queued = self._meter.on_audio(samples.size * 1000 / rate_hz, now_ms, heard_ms)
        if heard_ms and self._first_ms is None:
            self._first_ms = queued.start_ms
        if heard_ms:
            self.sounds_ms.append(queued.start_ms)
        if self._response is not None:
            sound = pcm.to_float(samples)
            wide = sound if rate_hz == RATE_HZ else np.asarray(soxr.resample(sound, rate_hz, RATE_HZ), dtype=np.float32)
            at = round(queued.start_ms * RATE_HZ / 1000)
            grown = np.zeros(max(self._played.size, at + wide.size), dtype=np.float32)
            grown[: self._played.size] = self._played
            grown[at : at + wide.size] = wide
            self._played = grown

    def _receive_message(self, text: str) -> None:
        if '"user-interrupted"' not in text:
            return
        message = cast("JsonObject", json.loads(text))
        if message.get("type") == "user-interrupted":
            self._messages_ms.append(self._clock.monotonic_ms())
            self._meter.on_user_interrupted(self._messages_ms[-1], cast("str | None", message.get("turnId")))

    def _outcome(self) -> Outcome:
        (event,) = self._meter.finish()
        stretch = self._meter.unflushed.segment_from(self.onset_ms)
        early = any(at_ms < self.onset_ms for at_ms in self._messages_ms)
        return Outcome(
            scene=self._scene,
            stop_ms=None if event.silence_ms is None else event.silence_ms - self.onset_ms,
            message_ms=None if event.message_ms is None else event.message_ms - self.onset_ms,
            early=early,
            over_speech=event.over_speech or early,
            exposed_ms=0.0 if stretch is None else max(0.0, stretch.end_ms - self.onset_ms),
        )
