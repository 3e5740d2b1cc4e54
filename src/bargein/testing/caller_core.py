"""The inside of a caller: it schedules sounds, waits for moments of the call, and observes what follows."""

from collections.abc import Callable

import anyio
import numpy as np
from typing_extensions import override

from bargein.audio import pcm
from bargein.client.clips import Clip
from bargein.client.connection import Audio, Connection
from bargein.client.errors import ClientError
from bargein.client.pacing import PacedSender
from bargein.client.phone import follow
from bargein.client.playback import SpeechSegment
from bargein.client.server_api import Server
from bargein.testing.caller_checks import CallerChecks
from bargein.testing.caller_ears import Utterance
from bargein.testing.caller_sounds import RATE_HZ, Sound, Sounds
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_string

ANSWER_S = 20.0
"""The default time limit for the assistant's answer to begin."""

_GREETING_S = 8.0
_SPEECH_S = 120.0
"""The longest speech of an assistant that is heard to its end."""

REACTION_MS = 2_000
"""Time after the onset within which an interruption counts as the effect of a sound."""

_AFTER_SOUND_MS = 1_000
"""Time after the end of a sound for which the assistant's reaction to it is observed."""

_CERTAIN_MS = 200
"""Silence after which it is certain that the assistant has stopped, and does not pause between two words."""

_AHEAD_MS = 60
"""A sound is scheduled so long before it is due."""

_RECORD_S = 10.0
_CLOSE_S = 4.0
_POLL_S = 0.01


class CallerError(ClientError):
    """A call in which something did not happen that its caller waited for; the text says what, and what did."""


class CallerCore(CallerChecks):
    """The part of `caller.Caller` that runs the call.

    Args:
        server: the server that has the call.
        connection: the call's socket.
        sounds: makes the caller's sounds.
    """

    def __init__(self, server: Server, connection: Connection, sounds: Sounds) -> None:
        sender = PacedSender(connection.send_audio, pcm.to_bytes, RATE_HZ, connection.clock)
        super().__init__(server, connection, sender)
        self._sounds = sounds
        self._clock = connection.clock
        self._ended = anyio.Event()

    @override
    def __repr__(self) -> str:
        status = "ended" if self._ended.is_set() else "in a call"
        return f"<Caller {status}, call {self.call_id}>"

    async def wait_for_answer(self, *, within_s: float = ANSWER_S) -> float:
        """Wait until the assistant begins to answer the last turn (or to greet); return how long that took, in ms.

        The time is counted from the end of the caller's voice.

        Raises:
            CallerError: no sound of an answer within the time, or the call has ended.
        """
        speech = await self._answer(within_s)
        return 0.0 if self._turn is None else speech.start_ms - self._turn.offset_ms

    async def wait_until_silent(self, *, within_s: float = _SPEECH_S) -> None:
        """Hear the assistant out: wait for its answer to the last turn (or its greeting), and for the end of that.

        Raises:
            CallerError: it does not begin or end within the time, or the call has ended.
        """
        if self._turn is None:
            await self._until(lambda: self._ears.greets() is not None, _GREETING_S, "the assistant started")
        if self._turn is not None or (self._ears.greets() and not self._ears.meter.unflushed.segments):
            await self._answer(min(within_s, ANSWER_S))
        await self._until(lambda: self._ears.is_silent(self._now_ms()), within_s, "the assistant had finished")

    async def wait_for(self, kind: str, *, within_s: float = 10.0, **fields: object) -> JsonObject:
        """Return the first client message of a type, whether it has arrived already or not.

        Args:
            kind: the message's `type`.
            within_s: the time limit.
            fields: values that fields of the message have.

        Raises:
            CallerError: none arrived within the time, or before the end of the call.
        """
        await self._until(lambda: self._ears.of(kind, fields), within_s, f"a message of the type {kind} arrived")
        return self._ears.of(kind, fields)[0]

    async def wait_for_end(self, *, within_s: float = 30.0) -> JsonObject:
        """Wait until the call has ended, and return its record with the artifact.

        Raises:
            CallerError: it goes on, or its record has no end.
        """
        with anyio.move_on_after(within_s):
            await self._ended.wait()
        if not self._ended.is_set():
            raise CallerError(f"the call did not end within {within_s:g} s")
        with anyio.move_on_after(_RECORD_S):
            async for record in follow(self._server, self.call_id, every_s=10 * _POLL_S):
                self._record = record
            return self._record
        raise CallerError(f"the record of the call has no end {_RECORD_S:g} s after its socket was closed")

    async def _take_turn(self, sound: Sound, *, at_once: bool) -> Utterance:
        if not at_once:
            await self.wait_until_silent()
        now_ms = self._now_ms()
        if self._ears.speech_at(now_ms) is not None:
            return await self._talk_over(sound, now_ms, expects_answer=True)
        utterance = self._schedule(sound, now_ms)
        self._turn = utterance
        await self._until_ms(utterance.start_ms + sound.clip.duration_ms, f"{utterance.name} was said")
        return utterance

    async def _talk_over(self, sound: Sound, at_ms: float, *, expects_answer: bool = False) -> Utterance:
        utterance = self._schedule(sound, at_ms)
        await self._until_ms(utterance.onset_ms, f"{utterance.name} was heard")
        within_ms = utterance.offset_ms - utterance.onset_ms + REACTION_MS
        utterance.over = self._ears.meter.on_onset(utterance.onset_ms, within_ms=within_ms)
        if expects_answer:
            self._turn = utterance
        await self._observe(utterance)
        return utterance

    async def _observe(self, utterance: Utterance) -> None:
        """Wait until the assistant's reaction is certain, and measure it."""
        latest_ms = max(utterance.onset_ms + REACTION_MS, utterance.offset_ms + _AFTER_SOUND_MS)

        def certain() -> bool:
            now_ms, event = self._now_ms(), utterance.over
            stopped = event is not None and event.message_ms is not None
            last = self._ears.meter.unflushed.last
            silent = last is None or now_ms >= last.end_ms + _CERTAIN_MS
            answers = last is not None and event is not None and last.start_ms > (event.message_ms or now_ms)
            return (
                self._ended.is_set()
                or now_ms >= latest_ms
                or (stopped and (silent or answers) and now_ms >= utterance.offset_ms)
            )

        while not certain():  # noqa: ASYNC110  # playback changes with time only, so no event fires
            await anyio.sleep(_POLL_S)
        self._ears.meter.finish()

    def _schedule(self, sound: Sound, at_ms: float) -> Utterance:
        self._require_call(f"“{sound.text or sound.clip.name}” was heard")
        start_ms = self._sender.play(sound.clip.pcm, at_ms).start_ms
        utterance = Utterance(
            sound=sound,
            start_ms=start_ms,
            onset_ms=start_ms + sound.clip.onset_ms,
            offset_ms=start_ms + sound.clip.offset_ms,
        )
        self._utterances.append(utterance)
        return utterance

    def _silent_utterance(self, text: str, name: str) -> Utterance:
        """Note something that the caller does now, without a sound."""
        now_ms = self._now_ms()
        clip = Clip(name=name, pcm=np.zeros(0, np.int16), rate_hz=RATE_HZ, onset_ms=0, offset_ms=0)
        utterance = Utterance(sound=Sound(text=text, clip=clip), start_ms=now_ms, onset_ms=now_ms, offset_ms=now_ms)
        self._utterances.append(utterance)
        return utterance

    async def _moment(self, after: float | str) -> float:
        """Wait until shortly before the moment at which the caller talks over the assistant, and return it."""
        speech = await self._answer(ANSWER_S)
        if isinstance(after, str):
            wanted = _plain(after)
            await self._until(
                lambda: wanted in _plain(self._ears.words_heard()) or self._ears.is_silent(self._now_ms()),
                _SPEECH_S,
                f"the assistant had said “{after}”",
            )
            if wanted not in _plain(self._ears.words_heard()):
                said = self._ears.words_heard()
                raise CallerError(f"the assistant was silent before it had said “{after}”; its words were “{said}”")
            return self._now_ms()
        due_ms = speech.start_ms + after * 1000
        await self._until(
            lambda: self._now_ms() >= due_ms - _AHEAD_MS or self._ears.is_silent(self._now_ms()),
            after + 1,
            f"the assistant had spoken for {after:g} s",
        )
        if self._ears.is_silent(self._now_ms()):
            last = self._ears.meter.unflushed.last
            spoken_s = ((speech if last is None else last).end_ms - speech.start_ms) / 1000
            raise CallerError(f"the assistant was silent after {spoken_s:.1f} s of speech: too early for {after:g} s")
        return due_ms

    async def _answer(self, within_s: float) -> SpeechSegment:
        """Wait for the beginning of the answer to the last turn, or of the greeting."""
        what = "the assistant spoke" if self._turn is None else f"the assistant answered {self._turn.name}"
        await self._until(lambda: self._answer_so_far() is not None, within_s, what)
        found = self._answer_so_far()
        if found is None:
            raise AssertionError("the answer is no more")
        return found

    def _now_ms(self) -> float:
        return self._clock.monotonic_ms()

    async def _until_ms(self, at_ms: float, what: str) -> None:
        await self._until(lambda: self._now_ms() >= at_ms, float("inf"), what)

    async def _until(self, condition: Callable[[], object], within_s: float, what: str) -> None:
        """Poll until a condition holds; much of what the caller hears changes with time only, so no event fires."""
        with anyio.move_on_after(within_s):
            while not condition():
                self._require_call(what)
                await anyio.sleep(_POLL_S)
            return
        raise CallerError(f"within {within_s:g} s it did not come that {what}")

    def _require_call(self, what: str) -> None:
        if self._ended.is_set():
            call = as_object((self._ears.ended or {}).get("call"))
            told = as_string(call.get("endedMessage"))
            why = self.ended_reason or f"close code {self._connection.close_code}"
            raise CallerError(f"the call ended before {what}: {why}" + (f" ({told})" if told else ""))

    async def run(self) -> None:
        """Send and hear until the call has ended; `joining` runs this."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send)
            async for event in self._connection:
                if isinstance(event, Audio):
                    self._ears.on_audio(event.data, event.at_ms)
                else:
                    self._ears.on_message(event.data, event.at_ms)
            self._ended.set()
            tasks.cancel_scope.cancel()

    async def _send(self) -> None:
        try:
            await self._sender.run()
        except ClientError:
            return  # a call that has ended accepts no audio; `run` notices its end

    async def leave(self) -> None:
        """End the call if it goes on, and wait for that for a moment; `joining` does this."""
        await self._connection.end_call()
        with anyio.move_on_after(_CLOSE_S):
            await self._ended.wait()

    async def started(self) -> None:
        """Wait until audio is being sent; `joining` does this."""
        await self._until(lambda: self._sender.running, _CLOSE_S, "the caller's audio began")


def _plain(text: str) -> str:
    """Return the words without punctuation and capitals, with a space around each."""
    letters = "".join(letter if letter.isalnum() or letter == "'" else " " for letter in text.lower())
    return f" {' '.join(letters.split())} "
