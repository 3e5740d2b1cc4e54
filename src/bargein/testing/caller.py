"""A caller for tests and simulations: it speaks, interrupts, coughs, types and hangs up, and knows what it heard.

    call = await create_call(server, assistant=assistant)
    async with joining(server, call, Sounds(HibariVoice())) as caller:
        await caller.say("Tell me a story.")
        await caller.interrupt_after(1.2, "Stop.")
        assert caller.silent_within_ms(400)

It is a client of Vapi's WebSocket transport in real time. The voice is given to it, and so are its words; it knows
nothing of pytest: `plugin` makes fixtures of it. `caller_sounds` makes its sounds, `caller_ears` is its hearing,
`caller_report` and `caller_checks` are what it knows and how it judges, `caller_core` is what it waits for.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from bargein.client.connection import join
from bargein.client.errors import ClientError
from bargein.client.server_api import CallInfo, Server
from bargein.clock import Clock, LoopClock
from bargein.testing.caller_core import REACTION_MS, CallerCore, CallerError
from bargein.testing.caller_ears import Utterance
from bargein.testing.caller_sounds import RATE_HZ, Sounds, make_noise
from bargein.wire.base import JsonObject

__all__ = ["Caller", "CallerError", "joining"]


class Caller(CallerCore):
    """The caller of one call; made by `joining`.

    Methods that let something be heard return once its effect is known, so that the checks can follow them at once:
    `silent_within_ms`, `kept_talking_through` and `answered_within_ms` (in `CallerChecks`).

    A time `after` at which the caller talks over the assistant is seconds from the first sound of its speech, or words:
    the moment at which the assistant has said them.
    """

    async def say(self, text: str, *, at_once: bool = False) -> Utterance:
        """Take the next turn and say a text; returns when the voice has ended.

        The caller first hears the assistant out: its greeting, or its answer to the last turn.

        Args:
            text: the words.
            at_once: True to speak now, also in the middle of the assistant's speech.

        Raises:
            CallerError: the call has ended, or the assistant did not answer the last turn.
            ClientError: the voice has no sound for this text.
        """
        return await self._take_turn(await self._sounds.speech(text), at_once=at_once)

    async def play(
        self, path: str | Path, *, text: str = "", after: float | str | None = None, at_once: bool = False
    ) -> Utterance:
        """Take the next turn with a recording or, with `after`, play it over the assistant.

        Args:
            path: a file that libsndfile reads: WAV, FLAC, OGG, MP3.
            text: the words in it, for the time line.
            after: see the class.
            at_once: as in `say`.

        Raises:
            CallerError: as `say` and `interrupt_after`.
            ClientError: the file cannot be read, or contains only silence.
        """
        sound = await self._sounds.recording(Path(path), text)
        if after is None:
            return await self._take_turn(sound, at_once=at_once)
        return await self._talk_over(sound, await self._moment(after), expects_answer=True)

    async def interrupt_after(self, after: float | str, what: str | Path) -> Utterance:
        """Talk over the assistant with words that are meant to stop it.

        It waits for the assistant's speech if there is none yet: the answer to the last turn, or the greeting. It
        returns when the assistant is silent, or when it is certain that it did not stop.

        Args:
            after: see the class.
            what: the words, or a recording.

        Raises:
            CallerError: the assistant did not speak, or not long enough; or the call has ended.
        """
        sound = await self._sounds.of(what)
        return await self._talk_over(sound, await self._moment(after), expects_answer=True)

    async def backchannel(self, text: str = "uh-huh", *, after: float | str = 1.0) -> Utterance:
        """Acknowledge what the assistant says without the wish to speak; it should go on.

        Args:
            text: "uh-huh" and "mm-hmm" are recordings, any other text is spoken by the voice.
            after: see the class.

        Raises:
            CallerError: as `interrupt_after`.
        """
        return await self._talk_over(await self._sounds.backchannel(text), await self._moment(after))

    async def cough(self, *, after: float | str = 1.0) -> Utterance:
        """Cough while the assistant speaks; it should go on. Errors as `interrupt_after`."""
        return await self._talk_over(await self._sounds.cough(), await self._moment(after))

    async def noise(
        self, seconds: float = 2.0, *, level_dbfs: float = -40.0, after: float | str | None = 1.0
    ) -> Utterance:
        """Let a steady noise be heard, which is not meant for the assistant.

        Args:
            seconds: its length.
            level_dbfs: its root-mean-square level; the voice has -26.
            after: see the class; None: now, whoever speaks.

        Raises:
            CallerError: as `interrupt_after`.
        """
        sound = await anyio.to_thread.run_sync(make_noise, seconds, level_dbfs)
        return await self._talk_over(sound, self._now_ms() if after is None else await self._moment(after))

    async def silence(self, seconds: float) -> None:
        """Say nothing for a time, or until the call has ended."""
        with anyio.move_on_after(seconds):
            await self._ended.wait()

    async def type(self, text: str, *, trigger_response: bool = True) -> Utterance:
        """Send a typed message (`add-message`), at once; the assistant answers it with `trigger_response`.

        If the assistant speaks, it returns when the assistant is silent, or when it is certain that it did not stop.

        Raises:
            CallerError: the call has ended.
        """
        self._require_call("the text was sent")
        utterance = self._silent_utterance(text, f"typed: {text}")
        now_ms = utterance.onset_ms
        speaks = self._ears.speech_at(now_ms) is not None
        if speaks:
            utterance.over = self._ears.meter.on_onset(now_ms, within_ms=REACTION_MS)
        await self._connection.add_message("user", text, trigger_response=trigger_response)
        if trigger_response:
            self._turn = utterance
        if speaks:
            await self._observe(utterance)
        return utterance

    async def press(self, keys: str) -> None:
        """Press keys of a telephone (0 to 9, *, #, A to D), at once; they need an enabled `keypadInputPlan`.

        Raises:
            CallerError: the call has ended.
        """
        self._require_call("the keys were pressed")
        utterance = self._silent_utterance(keys, f"keys: {keys}")
        await self._connection.press(keys)
        self._turn = utterance

    async def hang_up(self) -> JsonObject:
        """End the call and return its record, as `wait_for_end`."""
        await self._connection.end_call()
        return await self.wait_for_end()


@asynccontextmanager
async def joining(server: Server, call: CallInfo, sounds: Sounds, clock: Clock | None = None) -> AsyncGenerator[Caller]:
    """Join a call as its caller; leaving the block ends the call.

    Args:
        server: the server that has the call.
        call: the call, as `create_call` or `ring` made it, with PCM at 16 kHz.
        sounds: makes the caller's sounds; several callers may share it.
        clock: the clock of all times.

    Raises:
        UnreachableError: nothing answers there.
        RefusedError: the server refuses the connection.
        ClientError: the call has another audio format.
    """
    if (call.encoding, call.rate_hz) != ("pcm_s16le", RATE_HZ):
        raise ClientError(f"the call has {call.encoding} at {call.rate_hz} Hz; a caller needs pcm_s16le at {RATE_HZ}")
    async with join(server, call, clock or LoopClock()) as connection:
        caller = Caller(server, connection, sounds)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(caller.run)
                try:
                    await caller.started()
                    yield caller
                finally:
                    with anyio.CancelScope(shield=True):  # bounded: see `leave`
                        await caller.leave()
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None  # the error of the block itself, unchanged
            raise
