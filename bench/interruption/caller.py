"""One call over a server's socket, in real time, in which scenes are played one after the other."""

import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio
import numpy as np

from bargein.audio import g711
from bargein.audio.pcm import Float32Array
from bargein.client.playback import audible_ms
from bargein.client.server_api import Server, create_call
from bargein.clock import Clock
from bargein.wire.base import JsonObject
from bench.capacity.socket import LoadSocket
from bench.interruption.conditions import FRAME_MS, RATE_HZ, SPEECH_MS, WORD_MS, Condition
from bench.interruption.line import Echo, Line
from bench.interruption.playback import FALSE_AFTER_MS, HIT_MS, PAUSE_MS, Outcome, Playback
from bench.interruption.scenes import Scene, draw
from bench.interruption.words import partial_words

ANSWER_S = SPEECH_MS / 1000 - 2
"""No scene is played later than this in an answer."""

_SPEAKS_WITHIN_S = 8.0
_HEARD_AFTER_MS = 400
_WATCH_MS = 4_000
_FOLLOW_MS, _FOLLOW_SPREAD_MS = 2_000, 2_000
_APART_MS = 1_000
_TICK_S = 0.01
_SIZE = RATE_HZ * FRAME_MS // 1000


class SilentError(Exception):
    """The assistant does not speak, or no longer."""


class UsedUpError(Exception):
    """The current answer is too old for the scene, which needs another call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Data that all calls share.

    Attributes:
        clips: samples at 16 kHz by path and condition name; see `material.load`.
        noise: a steady noise with an RMS of one.
        response: a room's impulse response.
    """

    clips: Mapping[tuple[str, str], Float32Array]
    noise: Float32Array
    response: Float32Array


class Call:
    """A call in progress; `calling` makes one."""

    def __init__(
        self, clock: Clock, material: Material, condition: Condition, *, coded: bool, oracle: bool, partials: bool
    ) -> None:
        self.playback = Playback()
        self._clock = clock
        self._material = material
        self._condition = condition
        self._coded = coded and condition.telephone
        self._oracle = oracle
        self.partials = partials
        self._rate_hz = 8_000 if self._coded else RATE_HZ
        self._line = Line(condition, coded=coded, seed=7)
        self._echo = Echo(condition, material.response)
        self._socket: LoadSocket | None = None
        self._clip: tuple[float, Float32Array] | None = None
        self._late: deque[tuple[float, float]] = deque(maxlen=4_000)
        self._began_ms = self._played_until_ms = float("-inf")
        self._answer_ms = float("-inf")
        self._fresh = True
        self._texts: list[tuple[float, str]] = []
        self._over = False

    @property
    def over(self) -> bool:
        """True if the server has ended the call."""
        return self._over or (self._socket is not None and self._socket.closed.is_set())

    async def play(self, scene: Scene) -> Outcome:
        """Play one scene over the assistant's speech.

        The first event of an answer begins `inject_ms` after the answer's first sound. If the assistant continued after
        the previous event, the next one begins two to four seconds after the end of that event.

        Raises:
            SilentError: the assistant does not speak.
            UsedUpError: the scene needs another call.
        """
        begin_ms = await self._wait_for_begin(scene)
        clip = self._material.clips.get((scene.clip, scene.condition.name))
        self.say(begin_ms, np.zeros(1, dtype=np.float32) if clip is None else clip)
        until_ms = await self._watch(scene, begin_ms)
        self._began_ms, self._played_until_ms, self._fresh = begin_ms, until_ms, scene.is_true
        outcome = self.playback.outcome(scene, begin_ms, until_ms, self.worst_late_ms(begin_ms, until_ms))
        return replace(outcome, skipped_words=self._skipped(outcome, begin_ms + scene.onset_ms))

    def _skipped(self, outcome: Outcome, onset_ms: float) -> float | None:
        """Return the number of words that the assistant skipped after a false interruption (negative: repeated)."""
        if outcome.scene.is_true or outcome.stop_ms is None or outcome.gap_ms is None:
            return None
        stop_ms = onset_ms + outcome.stop_ms
        heard = self.playback.heard_ms(self._answer_ms, stop_ms) / WORD_MS
        again = next((text for at_ms, text in self._texts if at_ms > stop_ms), None)
        number = None if again is None else re.search(r"word(\d+)", again)
        return None if number is None or number[1] == "0" else int(number[1]) - heard

    def say(self, begin_ms: float, clip: Float32Array) -> None:
        """Play a clip to the server; its first sample is at `begin_ms`."""
        self._clip = (begin_ms, clip)

    def send_words(self, text: str, *, is_final: bool = True) -> None:
        """Send a server without a transcriber the words of the caller."""
        if self._oracle and text and self._socket is not None and (is_final or self.partials):
            self._socket.send_text(json.dumps({"type": "heard", "text": text, "final": is_final}))

    def worst_late_ms(self, from_ms: float, until_ms: float) -> float:
        """Return the largest delay of the caller's frames in a span."""
        return max((late for at_ms, late in self._late if from_ms - 500 <= at_ms <= until_ms), default=0.0)

    async def _wait_for_begin(self, scene: Scene) -> float:
        """Wait until the scene's clip is due; return its begin."""
        waited_from_ms = self._clock.monotonic_ms()
        while True:
            now_ms = self._clock.monotonic_ms()
            since_ms = self.playback.speaks_since(now_ms)
            if since_ms is None:
                if now_ms - waited_from_ms > _SPEAKS_WITHIN_S * 1000 or self.over:
                    raise SilentError(f"the assistant does not speak ({scene.part}, {scene.condition.name})")
            else:
                waited_from_ms = now_ms
                begin_ms = self._next_ms(scene, since_ms)
                if begin_ms + scene.offset_ms + FALSE_AFTER_MS > self._answer_ms + ANSWER_S * 1000:
                    raise UsedUpError
                if begin_ms <= now_ms + 3 * FRAME_MS:
                    return max(begin_ms, now_ms + 2 * FRAME_MS)
            await anyio.sleep(_TICK_S)

    def _next_ms(self, scene: Scene, since_ms: float) -> float:
        """Return when a scene begins over speech that began at `since_ms`."""
        if since_ms <= self._began_ms:
            return self._played_until_ms + _FOLLOW_MS + _FOLLOW_SPREAD_MS * draw(scene.clip, "follow")
        if self._fresh:
            self._answer_ms = since_ms  # after a false interruption the same answer may continue
        return max(since_ms + scene.inject_ms, self._played_until_ms + _APART_MS)

    async def _watch(self, scene: Scene, begin_ms: float) -> float:
        """Wait until the scene is over; return when that was."""
        onset_ms, offset_ms = begin_ms + scene.onset_ms, begin_ms + scene.offset_ms
        sent, partials = False, deque(partial_words(scene.text, onset_ms, offset_ms))
        while True:
            now_ms = self._clock.monotonic_ms()
            while partials and not sent and now_ms >= partials[0][0]:
                self.send_words(partials.popleft()[1], is_final=False)
            if not sent and now_ms >= offset_ms + _HEARD_AFTER_MS:
                self.send_words(scene.text)
                sent = True
            if sent and now_ms >= self._ends_ms(scene, onset_ms, offset_ms, now_ms):
                return now_ms
            if self.over:
                raise SilentError("the server ended the call")
            await anyio.sleep(_TICK_S)

    def _ends_ms(self, scene: Scene, onset_ms: float, offset_ms: float, now_ms: float) -> float:
        stop_ms = self.playback.stop_after(onset_ms, now_ms)
        if scene.is_true:
            # The result is certain: the assistant stopped, or did not stop in time.
            return max(offset_ms, onset_ms if stop_ms is not None else onset_ms + HIT_MS + 2 * PAUSE_MS)
        least_ms = max(onset_ms, offset_ms) + FALSE_AFTER_MS + PAUSE_MS
        if stop_ms is None:
            return least_ms
        # The assistant stopped for a false interruption: wait and see if it continues.
        resumed = self.playback.stretches[-1][0] > stop_ms
        return least_ms if resumed else max(least_ms, offset_ms + _WATCH_MS)

    async def run(self, socket: LoadSocket) -> None:
        """Send the caller's frames in real time, until cancelled."""
        self._socket = socket
        start_ms, sent = self._clock.monotonic_ms(), 0
        while not socket.closed.is_set():
            due_ms = start_ms + (sent + 1) * FRAME_MS
            await anyio.sleep(max(0.0, (due_ms - self._clock.monotonic_ms()) / 1000))
            self._late.append((due_ms, self._clock.monotonic_ms() - due_ms))
            socket.send_audio(self._line.through(self._frame(due_ms - FRAME_MS, sent)))
            sent += 1

    def _frame(self, frame_ms: float, number: int) -> Float32Array:
        frame = self._line.noise_floor
        condition = self._condition
        if condition.snr_db is not None:
            at = number * _SIZE % (self._material.noise.size - _SIZE)
            gain = 10 ** ((condition.level_dbfs - condition.snr_db) / 20)
            frame += self._material.noise[at : at + _SIZE] * np.float32(gain)
        if self._clip is not None:
            begin_ms, clip = self._clip
            at = round((frame_ms - begin_ms) * RATE_HZ / 1000)
            low, high = max(0, at), min(clip.size, at + _SIZE)
            if high > low:
                frame[low - at : high - at] += clip[low:high]
        return np.clip(frame + self._echo.frame(frame_ms), -1, 1).astype(np.float32)

    def receive_audio(self, data: bytes) -> None:
        """Process samples of the assistant."""
        now_ms = self._clock.monotonic_ms()
        pcm = g711.decode(data) if self._coded else np.frombuffer(data, "<i2")
        start_ms = self.playback.audio(pcm.size * 1000 / self._rate_hz, now_ms, audible_ms(pcm, self._rate_hz))
        self._echo.played(pcm, self._rate_hz, start_ms)

    def receive_message(self, text: bytes) -> None:
        """Process a message of the server."""
        message = json.loads(text)
        match message.get("type"):
            case "user-interrupted":
                self.playback.messages_ms.append(self._clock.monotonic_ms())
            case "assistant.speechStarted":
                self._texts.append((self._clock.monotonic_ms(), str(message.get("text"))))
            case "status-update":
                self._over |= message.get("status") == "ended"
            case _:
                pass


@asynccontextmanager
async def calling(
    at: Server, assistant: JsonObject, clock: Clock, material: Material, condition: Condition, *, coded: bool = True,
    oracle: bool = False, partials: bool = False,
) -> AsyncGenerator[Call]:  # fmt: skip
    """Make a call; end it at the end of the block.

    Args:
        at: server to call.
        assistant: assistant of the call.
        clock: clock of all measurements.
        material: data that all calls share.
        condition: condition of the caller's channel during the whole call.
        coded: whether the server expects mu-law at 8 kHz where the condition is a telephone.
        oracle: whether the server receives the caller's words, as from a perfect transcriber.
        partials: whether it receives them while they are spoken, too.

    Raises:
        OSError, TimeoutError, ClientError: the call could not be made.
    """
    call = Call(clock, material, condition, coded=coded, oracle=oracle, partials=partials)
    is_coded = coded and condition.telephone
    encoding, rate_hz = ("mulaw", 8_000) if is_coded else ("pcm_s16le", RATE_HZ)
    info = await create_call(at, assistant=assistant, encoding=encoding, rate_hz=rate_hz)
    socket = await LoadSocket.open(info.socket_url, call.receive_audio, call.receive_message)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call.run, socket)
            yield call
            tasks.cancel_scope.cancel()
    except ExceptionGroup as group:
        for error in group.exceptions[:1]:
            raise error from None  # the error of the block itself, unchanged
    finally:
        socket.send_text('{"type":"end-call"}')
        with anyio.move_on_after(3, shield=True):
            await socket.closed.wait()
        socket.abort()
