"""When a scripted caller speaks: after the greeting, and then over each answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio

from bargein.client.clips import Clip
from bargein.client.narration import Narration
from bargein.client.pacing import PacedSender
from bargein.client.playback import PAUSE_MS, InterruptionMeter, Stretch
from bargein.clock import Clock
from bargein.wire.base import JsonObject

_GREETING_S = 8.0
_ANSWER_S = 20.0
"""How long to wait for the assistant before it counts as silent."""

_WHOLE_ANSWER_S = 60.0
_AFTERWARDS_S = 8.0
"""How much of the answer to the last interruption is listened to."""

_REACTION_MS = 2000
"""How long after a clip's voice an interruption still counts as its effect."""

_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Line:
    """What the caller says, and when.

    Attributes:
        clip: what.
        after_s: so long after the assistant begins to answer; None for the first line, which waits for the greeting.
    """

    clip: Clip
    after_s: float | None


@dataclass(frozen=True, slots=True)
class _Said:
    """From when to when the caller's voice sounded."""

    onset_ms: float
    offset_ms: float


class Scene:
    """Plays the lines of one caller in a running call.

    Args:
        sender: the caller's microphone.
        meter: told of the onset of each line but the first; asked for what the assistant is heard to say.
        clock: the sender's and the meter's.
        narration: told of each clip.
    """

    def __init__(self, sender: PacedSender, meter: InterruptionMeter, clock: Clock, narration: Narration) -> None:
        self._sender = sender
        self._meter = meter
        self._clock = clock
        self._narration = narration
        self._assistant_speaks = False
        self._caller_begins: bool | None = None

    def message(self, message: JsonObject) -> None:
        """Take any client message: some tell whose turn it is."""
        match message:
            case {"type": "speech-update", "role": "assistant", "status": status}:
                self._assistant_speaks = status == "started"
            case {"type": "assistant.started"}:
                assistant: JsonObject = message.get("newAssistant") or {}
                self._caller_begins = assistant.get("firstMessageMode") == "assistant-waits-for-user"
            case _:
                pass

    async def play(self, lines: Sequence[Line]) -> None:
        """Say every line at its time, then hear the last answer out; ends early when the assistant falls silent."""
        await self._until(self._started, _GREETING_S)
        self._narration.begin(self._sender.start_ms)
        await self._greeting()
        said: _Said | None = None
        for line in lines:
            at_ms = self._clock.monotonic_ms()
            if said is not None:
                answer = await self._answer(said)
                if answer is None:
                    return
                at_ms = answer.start_ms + (line.after_s or 0.0) * 1000
            said = await self._say(line, at_ms)
        if said is not None and await self._answer(said) is not None:
            await self._until(self._quiet, _WHOLE_ANSWER_S if len(lines) == 1 else _AFTERWARDS_S)

    async def _greeting(self) -> None:
        await self._until(lambda: self._caller_begins is True or self._meter.unflushed.last is not None, _GREETING_S)
        if self._caller_begins is not True:
            await self._until(self._quiet, _ANSWER_S)

    async def _say(self, line: Line, at_ms: float) -> "_Said":
        await self._until(lambda: self._clock.monotonic_ms() >= at_ms - 50)
        playing = self._sender.play(line.clip.pcm, at_ms)
        if line.after_s is not None:
            onset_ms = playing.start_ms + line.clip.onset_ms
            await self._until(lambda: self._clock.monotonic_ms() >= onset_ms)
            self._meter.onset(onset_ms, within_ms=line.clip.offset_ms - line.clip.onset_ms + _REACTION_MS)
        await playing.begun.wait()
        self._narration.plays(line.clip, playing.start_ms)
        await playing.ended.wait()
        return _Said(playing.start_ms + line.clip.onset_ms, playing.start_ms + line.clip.offset_ms)

    async def _answer(self, said: "_Said") -> Stretch | None:
        """Wait for the answer: speech that began after the caller's voice did, and that outlasts it."""

        def answer() -> Stretch | None:
            last = self._meter.unflushed.last
            return last if last and last.start_ms > said.onset_ms and last.end_ms > said.offset_ms else None

        await self._until(lambda: answer() is not None, _ANSWER_S)
        heard = answer()
        if heard is None:
            self._narration.silent(self._clock.monotonic_ms())
        return heard

    def _started(self) -> bool:
        return self._sender.running

    def _quiet(self) -> bool:
        last = self._meter.unflushed.last
        over = last is None or self._clock.monotonic_ms() >= last.end_ms + PAUSE_MS
        return over and not self._assistant_speaks

    async def _until(self, holds: Callable[[], bool], within_s: float = float("inf")) -> None:
        """Look until it holds, or the time is over. What is heard changes with time alone, so there is no event."""
        with anyio.move_on_after(within_s):
            while not holds():  # noqa: ASYNC110  # see above
                await anyio.sleep(_LOOK_S)
