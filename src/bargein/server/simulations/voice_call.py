"""A simulated call: the tester is a caller with a voice, and the assistant runs in a call of this server."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import structlog

from bargein.client.connection import Connection
from bargein.client.server_api import CallInfo, Server
from bargein.clock import Clock, LoopClock
from bargein.server.calls.live_calls import LiveCalls
from bargein.server.simulations.local_socket import RATE_HZ, calling
from bargein.server.simulations.outcome import Conversation
from bargein.server.simulations.steps import Step
from bargein.server.simulations.tester import Tester
from bargein.store import Store
from bargein.testing.caller import Caller, CallerError
from bargein.testing.caller_ears import Utterance
from bargein.testing.caller_sounds import Sounds
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string

_RECORD_S = 15.0
_LOOK_S = 0.1
_SERVER = Server(url="http://localhost")
"""A caller knows its server by an address; this one has no other way to it than its socket."""

_log = structlog.get_logger("bargein.server")


@dataclass(slots=True)
class VoiceCall:
    """One simulated call.

    Args:
        live_calls: runs the call.
        store: where its record is.
        call: the record of the call, which waits for its caller.
        tester: the tester.
        limit_s: the time after which the tester hangs up.
    """

    live_calls: LiveCalls
    store: Store
    call: JsonObject
    tester: Tester
    limit_s: float
    clock: Clock | None = None

    async def hold(self) -> Conversation:
        """Hold the conversation until it is over, and return it.

        Raises:
            RefusedError: the call cannot be begun.
            StartError: the assistant cannot be run on this server.
            ProviderError: the tester's model or voice failed.
            ClientError: the tester's voice cannot say a text.
        """
        call_id = str(self.call["id"])
        info = CallInfo(id=call_id, socket_url="", encoding="pcm_s16le", rate_hz=RATE_HZ, json=self.call)
        async with calling(self.live_calls, call_id) as socket:
            connection = Connection(socket, info, self.clock or LoopClock(), _SERVER.timeout_s)
            caller = Caller(_SERVER, connection, Sounds(self.tester.ready.voice))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(caller.run)
                await caller.started()
                with anyio.move_on_after(self.limit_s):
                    await self._talk(caller)
                await caller.leave()
                tasks.cancel_scope.cancel()
        record = await self._record(call_id)
        artifact = as_object(record.get("artifact"))
        return Conversation(
            messages=as_objects(artifact.get("messagesOpenAIFormatted")),
            transcript=as_string(artifact.get("transcript")) or "",
            record=record,
            performance=as_object(artifact.get("performanceMetrics")),
            interruptions=[_told(one) for one in caller.utterances if one.over is not None],
        )

    async def _talk(self, caller: Caller) -> None:
        while steps := await self.tester.next_steps(_conversation(caller)):
            for step in steps:
                if step.kind == "hang up" or not await self._perform(caller, step):
                    return
            try:
                await caller.wait_until_silent()
            except CallerError as error:
                if caller.ended_reason is not None:
                    return
                _log.info("a simulated caller heard no answer", call_id=caller.call_id, reason=str(error))

    async def _perform(self, caller: Caller, step: Step) -> bool:
        """Perform a step, and return whether the call goes on. What the assistant was too short for is left out."""
        try:
            await _acts(caller, step)()
        except CallerError as error:
            _log.info("a step of a simulated caller is left out", call_id=caller.call_id, reason=str(error))
        return caller.ended_reason is None

    async def _record(self, call_id: str) -> JsonObject:
        """Return the record of a call that has ended, with its artifact."""
        record: JsonObject = {}
        with anyio.move_on_after(_RECORD_S):
            while record.get("status") != "ended":
                record = await self.store.calls.get(call_id) or {"status": "ended"}
                await anyio.sleep(_LOOK_S)
        return record


def _acts(caller: Caller, step: Step) -> Callable[[], Awaitable[object]]:
    match step.kind:
        case "interrupt":
            return lambda: caller.interrupt_after(step.after_s, step.text)
        case "backchannel":
            return lambda: caller.backchannel(step.text, after=step.after_s)
        case "cough":
            return lambda: caller.cough(after=step.after_s)
        case "noise":
            return lambda: caller.noise(step.seconds, after=step.after_s)
        case "silence":
            return lambda: caller.silence(step.seconds)
        case _:
            return lambda: caller.say(step.text)


def _conversation(caller: Caller) -> list[JsonObject]:
    """Return what was said so far: the assistant's words as they were heard, the caller's as it meant them."""
    roles = {"bot": "assistant", "assistant": "assistant", "user": "user"}
    return [
        {"role": roles[str(one.get("role"))], "content": one.get("message")}
        for one in caller.history
        if str(one.get("role")) in roles
    ]


def _told(utterance: Utterance) -> JsonObject:
    """Return what came of a sound over the assistant's speech; times are ms from the beginning of the sound."""
    event = utterance.over
    told: JsonObject = {"sound": utterance.sound.text or utterance.clip.name}
    if event is None:
        return told
    told |= {"overSpeech": event.over_speech, "interrupted": not event.missed}
    for name, at_ms in (("messageMs", event.message_ms), ("silenceMs", event.silence_ms)):
        if at_ms is not None:
            told[name] = round(at_ms - event.onset_ms)
    return told if event.turn_id is None else {**told, "turnId": event.turn_id}
