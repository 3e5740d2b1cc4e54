"""A caller of the capacity benchmark: it listens, interrupts and listens again in real time, and measures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import anyio

from bargein.client.playback import PAUSE_MS, Interruption, InterruptionMeter
from bargein.client.server_api import CallInfo, Server, create_call
from bargein.clock import Clock
from bargein.wire.base import JsonObject
from bench.capacity.clips import FRAME_MS, RATE_HZ, Utterance
from bench.capacity.socket import LoadSocket

SLOT_MS = 2
"""Callers are spread over the 20 ms of a frame in steps of this length."""

LATE_MS = 20.0
"""A frame of the assistant is late if its caller waited for longer than this in the middle of speech."""

WITHIN_MS = 2000.0
"""An interruption is missed if the assistant is not silent by then."""

_LISTENS_MS = (700.0, 2000.0)
_PATIENCE_MS = 8000.0
_BYTES_PER_MS = RATE_HZ * 2 // 1000


@dataclass(slots=True)
class Heard:
    """The assistant's audio that a caller received since its last reset.

    Attributes:
        frames: pieces of the assistant's audio.
        late_frames: pieces for which the caller waited for more than `LATE_MS` in the middle of speech.
        worst_late_ms: the longest wait.
    """

    frames: int = 0
    late_frames: int = 0
    worst_late_ms: float = 0.0


class Caller:
    """One call. `tick` is called every 20 ms and sends a frame; all else happens when frames arrive.

    Args:
        number: seed of its random choices and of its order of clips.
        clips: utterances to say.
        noise: frames to send while it says nothing.
        clock: the clock of all callers.
    """

    def __init__(self, number: int, clips: Sequence[Utterance], noise: Sequence[bytes], clock: Clock) -> None:
        self.heard = Heard()
        self.stalls = 0
        self.tried = 0
        self.answered = False
        self.may_interrupt = True
        self.call_id = ""
        self._number = number
        self._clips = clips
        self._noise = noise
        self._clock = clock
        self._random = Random(number)
        self._ticks = number * 7
        self._said = number
        self._clip: Utterance | None = None
        self._frame = 0
        self._interrupt_at_ms: float | None = None
        self._ask_at_ms = float("inf")
        self._first_ms = float("-inf")
        self._socket: LoadSocket | None = None
        self._meter = InterruptionMeter(self._late)

    async def join(self, server: Server, assistant: JsonObject) -> None:
        """Make the call and open its socket.

        Raises:
            OSError, TimeoutError, ClientError: the call could not be made.
        """
        call: CallInfo = await create_call(server, assistant=assistant, rate_hz=RATE_HZ)
        self.call_id = call.id
        self._socket = await LoadSocket.open(call.socket_url, self._receive_audio, self._receive_message)
        self._ask_at_ms = self._clock.monotonic_ms() + self._random.uniform(200, 2000)

    async def leave(self, within_s: float = 3.0) -> None:
        """Hang up; drop the connection if the server does not close it."""
        if self._socket is None:
            return
        self._socket.send_text('{"type":"end-call"}')
        with anyio.move_on_after(within_s):
            await self._socket.closed.wait()
        self._socket.abort()

    @property
    def alive(self) -> bool:
        """True if the call goes on."""
        return self._socket is not None and not self._socket.closed.is_set()

    def reset(self, now_ms: float) -> None:
        """Start to count: interruptions that begin after `now_ms`."""
        self.heard = Heard()
        self.stalls = 0
        self._meter.unprompted = 0
        self._first_ms = now_ms

    def interruptions(self) -> list[Interruption]:
        """Interruptions since the reset. Open ones are closed, so ask only after they had time to end."""
        return [event for event in self._meter.finish() if event.onset_ms >= self._first_ms]

    def closed_interruptions(self) -> list[Interruption]:
        """Interruptions of the whole call but the one that may still have an effect."""
        return self._meter.closed

    @property
    def unprompted(self) -> int:
        """Number of times that the assistant was interrupted although this caller did not interrupt it."""
        return self._meter.unprompted

    def tick(self, due_ms: float) -> None:
        """Send the frame whose last sample is due at `due_ms`."""
        if self._socket is None:
            return
        if self._clip is None:
            self._decide(due_ms - FRAME_MS)
        if self._clip is None:
            self._ticks += 1
            self._socket.send_audio(self._noise[self._ticks % len(self._noise)])
            return
        self._socket.send_audio(self._clip.frames[self._frame])
        self._frame += 1
        if self._frame == len(self._clip.frames):
            self._clip = None
            self._ask_at_ms = due_ms + _PATIENCE_MS
            self._interrupt_at_ms = None

    def _decide(self, now_ms: float) -> None:
        """Decide whether to say something in the frame that begins at `now_ms`."""
        speech = self._meter.unflushed.last
        speaking = speech is not None and speech.end_ms > now_ms
        if speaking and self._interrupt_at_ms is None:
            self.answered = True
            self._interrupt_at_ms = now_ms + self._random.uniform(*_LISTENS_MS)
        elif not speaking and speech is not None and now_ms > speech.end_ms + PAUSE_MS:
            self._interrupt_at_ms = None
        if self._interrupt_at_ms is not None and now_ms >= self._interrupt_at_ms:
            if self.may_interrupt:
                self.tried += 1
                clip = self._say()
                self._meter.on_onset(now_ms + clip.onset_ms, within_ms=WITHIN_MS)
        elif not speaking and now_ms >= self._ask_at_ms and (self.may_interrupt or not self.answered):
            # The first question; and another try when no answer came.
            self.stalls += self.answered
            self._say()

    def _say(self) -> Utterance:
        self._clip, self._frame = self._clips[self._said % len(self._clips)], 0
        self._said += 1
        return self._clip

    def _receive_audio(self, data: bytes) -> None:
        duration_ms = len(data) / _BYTES_PER_MS
        audible = bool(data.strip(b"\0"))
        self.heard.frames += 1
        self._meter.on_audio(duration_ms, self._clock.monotonic_ms(), None if audible else 0.0)

    def _receive_message(self, text: bytes) -> None:
        if b'"type":"user-interrupted"' in text or b'"type": "user-interrupted"' in text:
            self._meter.on_user_interrupted(self._clock.monotonic_ms(), json.loads(text).get("turnId"))

    def _late(self, late_ms: float) -> None:
        self.heard.worst_late_ms = max(self.heard.worst_late_ms, late_ms)
        self.heard.late_frames += late_ms > LATE_MS


class Ticker:
    """Drives all callers from one loop, each at its own phase, on a schedule without drift."""

    def __init__(self, clock: Clock) -> None:
        self.late_ms: list[float] = []
        """Delay of each slot with callers in it, in ms; the reader clears it."""
        self._clock = clock
        self._slots: list[list[Caller]] = [[] for _ in range(FRAME_MS // SLOT_MS)]
        self._added = 0

    def add(self, caller: Caller) -> None:
        """Add a caller."""
        self._slots[self._added * 7 % len(self._slots)].append(caller)  # 7 spreads successive callers
        self._added += 1

    def remove(self, caller: Caller) -> None:
        """Remove a caller, if it was added."""
        for slot in self._slots:
            if caller in slot:
                slot.remove(caller)

    def clear(self) -> None:
        """Remove all callers."""
        for slot in self._slots:
            slot.clear()

    async def run(self) -> None:
        """Tick until cancelled."""
        start_ms, slot = self._clock.monotonic_ms(), 0
        while True:
            due_ms = start_ms + slot * SLOT_MS
            wait_ms = due_ms - self._clock.monotonic_ms()
            # Also when it is behind: what arrives must be read between two slots.
            await anyio.sleep(max(0.0, wait_ms / 1000))
            callers = self._slots[slot % len(self._slots)]
            if callers:
                self.late_ms.append(self._clock.monotonic_ms() - due_ms)
            for caller in callers:
                caller.tick(due_ms)
            slot += 1
