"""A scripted caller: plays its first clip after the greeting, and the others over the assistant's answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio

from bargein.client.clips import Clip
from bargein.client.pacing import PacedSender
from bargein.client.playback import InterruptionMeter, SpeechSegment
from bargein.client.printer import CallPrinter
from bargein.clock import Clock
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object

_GREETING_S = 8.0
_ANSWER_S = 20.0
"""Time limit for the assistant's answer to begin."""

_WHOLE_ANSWER_S = 60.0
_AFTERWARDS_S = 8.0
"""Time for which the answer to the last interruption is received."""

_REACTION_MS = 2000
"""Time after a clip's voice within which an interruption counts as its effect."""

_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Utterance:
    """One clip of the caller, and its time.

    Attributes:
        clip: the clip.
        after_s: seconds after the assistant begins to answer; None for the first clip, which follows the greeting.
    """

    clip: Clip
    after_s: float | None


@dataclass(frozen=True, slots=True)
class _VoiceSpan:
    """Beginning and end of the caller's voice in one utterance."""

    onset_ms: float
    offset_ms: float


class CallerScript:
    """Plays the utterances of one caller in a running call.

    Args:
        sender: the caller's microphone.
        meter: gets the onset of each utterance but the first, and models the assistant's audible speech.
        clock: the clock of the sender and the meter.
        printer: prints each clip.
    """

    def __init__(self, sender: PacedSender, meter: InterruptionMeter, clock: Clock, printer: CallPrinter) -> None:
        self._sender = sender
        self._meter = meter
        self._clock = clock
        self._printer = printer
        self._assistant_speaks = False
        self._caller_begins: bool | None = None

    def on_message(self, message: JsonObject) -> None:
        """Follow the turns in client messages; any message may be passed."""
        match message:
            case {"type": "speech-update", "role": "assistant", "status": status}:
                self._assistant_speaks = status == "started"
            case {"type": "assistant.started"}:
                assistant = as_object(message.get("newAssistant"))
                self._caller_begins = assistant.get("firstMessageMode") == "assistant-waits-for-user"
            case _:
                pass

    async def play(self, utterances: Sequence[Utterance]) -> None:
        """Play every utterance at its time, then receive the last answer; end early if the assistant does not answer.

        ::

            assistant  greeting       answer ~~~~~~~|cut   answer ~~~~
            caller             first          second
                                      |after_s|
        """
        await self._until(self._started, _GREETING_S)
        self._printer.set_zero(self._sender.start_ms)
        await self._wait_for_greeting()
        span: _VoiceSpan | None = None
        for utterance in utterances:
            at_ms = self._clock.monotonic_ms()
            if span is not None:
                answer = await self._wait_for_answer(span)
                if answer is None:
                    return
                at_ms = answer.start_ms + (utterance.after_s or 0.0) * 1000
            span = await self._play_utterance(utterance, at_ms)
        if span is not None and await self._wait_for_answer(span) is not None:
            await self._until(self._quiet, _WHOLE_ANSWER_S if len(utterances) == 1 else _AFTERWARDS_S)

    async def _wait_for_greeting(self) -> None:
        await self._until(lambda: self._caller_begins is True or self._meter.unflushed.last is not None, _GREETING_S)
        if self._caller_begins is not True:
            await self._until(self._quiet, _ANSWER_S)

    async def _play_utterance(self, utterance: Utterance, at_ms: float) -> _VoiceSpan:
        clip = utterance.clip
        await self._until(lambda: self._clock.monotonic_ms() >= at_ms - 50)
        scheduled = self._sender.play(clip.pcm, at_ms)
        if utterance.after_s is not None:
            onset_ms = scheduled.start_ms + clip.onset_ms
            await self._until(lambda: self._clock.monotonic_ms() >= onset_ms)
            self._meter.on_onset(onset_ms, within_ms=clip.offset_ms - clip.onset_ms + _REACTION_MS)
        await scheduled.begun.wait()
        self._printer.print_clip(clip, scheduled.start_ms)
        await scheduled.ended.wait()
        return _VoiceSpan(scheduled.start_ms + clip.onset_ms, scheduled.start_ms + clip.offset_ms)

    async def _wait_for_answer(self, span: _VoiceSpan) -> SpeechSegment | None:
        """Wait for the answer: speech that began after the caller's voice did, and that outlasts it."""

        def answer() -> SpeechSegment | None:
            return self._meter.unflushed.answer_to(span.onset_ms, span.offset_ms)

        await self._until(lambda: answer() is not None, _ANSWER_S)
        found = answer()
        if found is None:
            self._printer.print_no_answer(self._clock.monotonic_ms())
        return found

    def _started(self) -> bool:
        return self._sender.running

    def _quiet(self) -> bool:
        return self._meter.unflushed.is_silent(self._clock.monotonic_ms()) and not self._assistant_speaks

    async def _until(self, condition: Callable[[], bool], within_s: float = float("inf")) -> None:
        """Poll until `condition()` is true or the time is over; playback changes with time only, so no event fires."""
        with anyio.move_on_after(within_s):
            while not condition():  # noqa: ASYNC110  # see above
                await anyio.sleep(_POLL_S)
