"""One live call: an inbox that feeds the engine, and hands that do what it says.

Everything happens on the event loop's thread. `post` steps the engine and performs its commands before it returns,
so that between the caller's voice and the silence there is no queue and no task switch.
"""

import json
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import structlog

from bargein.call import journal
from bargein.call.audience import Audience
from bargein.call.call_log import CallLog
from bargein.call.consulting import Consulting
from bargein.call.conversation import for_model, transcript_of
from bargein.call.ears import AssistantTap, Ears
from bargein.call.inside import inside_tools
from bargein.call.insight import Insight
from bargein.call.mouth import Mouth
from bargein.call.narrator import Cast, Narrator
from bargein.call.outcome import Told, activation_of, artifact_of, in_charge, record_of, settled_plan
from bargein.call.overlap import Overlaps
from bargein.call.passing import FORWARDED, HandoffError, Part, Passing, Relay
from bargein.call.reply import Speaker
from bargein.call.setting import Providers, Setting
from bargein.call.toolbox import Toolbox
from bargein.call.toolwork import SPOKEN_AND_ENDED, ToolWork
from bargein.clock import Clock, Timer, iso_from_epoch_ms
from bargein.ports import (
    CallRecords,
    CarrierError,
    ChatMessage,
    JournalSink,
    Leg,
    ProviderError,
    Recorder,
    ToolCall,
    TranscriberStream,
    Unrecorded,
)
from bargein.turns import Plan, State, step, wake_at
from bargein.turns.commands import (
    AskEndpointing,
    CallHookTool,
    CloseReply,
    Command,
    Decide,
    Duck,
    EndCall,
    Play,
    Remember,
    RunTools,
    Send,
    StartReply,
    StopPlayback,
    StopTool,
    TakeOver,
    Unduck,
)
from bargein.turns.events import (
    AddMessage,
    CallStarted,
    Event,
    Fail,
    HangUp,
    Mute,
    Played,
    Say,
    SayFirstMessage,
    Tick,
)
from bargein.wire import inbound
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError
from bargein.wire.plans import CustomEndpointing

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_log = structlog.get_logger("bargein.call")

_BROKEN = "call.in-progress.error-vapifault-worker-died"
_MOST_REPLIES_WAITING = 100
_MUTES: dict[str, tuple[Any, bool]] = {
    "mute-assistant": ("assistant", True),
    "unmute-assistant": ("assistant", False),
    "mute-customer": ("customer", True),
    "unmute-customer": ("customer", False),
}


class _Request(NamedTuple):
    turn_id: str
    text: str | None
    messages: tuple[ChatMessage, ...]
    box: Toolbox


_Errand = Callable[[], Coroutine[Any, Any, None]]


class CallSession:
    """A call from the moment its caller is connected until it is over. Run it once."""

    def __init__(
        self,
        setting: Setting,
        providers: Providers,
        leg: Leg,
        *,
        clock: Clock,
        records: CallRecords,
        sink: JournalSink,
        recorder: Recorder | None = None,
        log: JournalSink | None = None,
        relay: Relay | None = None,
    ) -> None:
        self.setting = setting
        self.insight = Insight()
        self.told = Told(activation_of(setting.call, setting.assistant_json))
        self.audience = Audience()
        self._clock = clock
        self._records = records
        self._sink = sink
        self._recorder = recorder or Unrecorded()
        self._leg = leg
        self._epoch_ms = clock.epoch_ms()
        self._zero_ms = clock.monotonic_ms()
        self._log = None if log is None else CallLog(log, setting.call_id, self._epoch_ms)
        self._state = State(call_id=setting.call_id)
        self._narrated = self._state.history
        self._inbox: deque[Event] = deque()
        self._stepping = False
        self._timer: Timer | None = None
        # Replies are begun by a task of the call's own: a timer's callback, where many of them are decided, has no task
        # that could own them.
        self._begun, self._to_begin = anyio.create_memory_object_stream[_Errand](_MOST_REPLIES_WAITING)
        self._replies: dict[str, anyio.CancelScope] = {}
        self._ended = anyio.Event()
        self._ended_reason = "worker-shutdown"
        self._ended_ms: float | None = None
        self._at_end: list[Callable[[], None]] = []
        participants = Cast.of(setting.call, setting.assistant_json)
        self._narrator = Narrator(
            participants, setting.assistant, self._epoch_ms, clock.epoch_ms, self._send, line=providers.line
        )
        self._tap = AssistantTap(leg, self._recorder.assistant)
        self._mouth = Mouth(
            leg, clock, self._zero_ms, self.post, overhear=self._tap.overhear, silenced=self._recorder.cut
        )
        self._speaker = Speaker(
            model=providers.model,
            voice=providers.voice,
            mouth=self._mouth,
            rate_hz=leg.rate_hz,
            failed_reason=setting.plan.model_failed_reason,
            now_ms=self.now_ms,
            post=self.post,
            call_tools=self._call_tools,
        )
        self._box = Toolbox(setting.tools)
        self._moved = anyio.Event()
        self._hearing = anyio.CancelScope()
        self._passing = Passing(
            leg=leg,
            line=providers.line,
            relay=relay,
            delegated=lambda: "phone-call-control" in (self.setting.assistant.server_messages or ()),
            forwarding=self._forwarding,
            now_ms=self.now_ms,
            post=self.post,
        )
        self._tools = ToolWork(
            runner=providers.tools,
            inside=inside_tools(leg, lambda: self.setting.assistant, self._passing),
            render=self._render,
            learn=setting.variables.found.update,
            history=lambda: self._state.history,
            now_ms=self.now_ms,
            post=self.post,
        )
        self._overlaps = (
            Overlaps(providers.judge, wanted=self._may_be_cut, now_ms=self.now_ms, post=self.post)
            if providers.judge is not None
            else None
        )
        self._judge_if(setting.plan)
        self._line = providers.line
        self._consulting = Consulting(
            providers.line,
            lambda: _endpointing_server(self.setting),
            lambda: (self.setting.plan.ask_ms or 0) / 1000,
            self.now_ms,
            self.post,
        )
        self._ears = Ears(
            leg,
            detector=providers.detector,
            transcriber=providers.transcriber,
            tap=self._tap,
            now_ms=self.now_ms,
            post=self.post,
            watch=self.insight.voice,
            overhear=self.audience.hear,
            record=self._recorder.customer,
            overlaps=self._overlaps,
        )

    # What comes in.

    def now_ms(self) -> float:
        """Milliseconds since the call began."""
        return self._clock.monotonic_ms() - self._zero_ms

    def hear(self, data: bytes) -> None:
        """Take audio from the caller.

        Raises:
            ValueError: it is no audio in the format that was agreed.
            FloodError: it comes much faster than it sounds.
        """
        if not self._ended.is_set():
            self._ears.hear(data)

    def control(self, message: inbound.InboundMessage, *, by_caller: bool) -> None:
        """Carry out a client's message; `by_caller` tells the caller's own client from others that steer the call."""
        at_ms = int(self.now_ms())
        match message:
            case inbound.AddMessage():
                text = message.message.content or ""
                role = "assistant" if message.message.role == "function" else message.message.role
                self.post(AddMessage(at_ms, role, text, respond=message.trigger_response_enabled))
            case inbound.Say():
                interruptible = message.interruptions_enabled is not False
                interrupts, ends = message.interrupt_assistant_enabled, message.end_call_after_spoken
                text = self.setting.variables.render(message.content, self._clock.epoch_ms())
                self.post(Say(at_ms, text, interruptible, interrupts, ends))
            case inbound.Control(control="say-first-message"):
                self.post(SayFirstMessage(at_ms))
            case inbound.Control():
                side, on = _MUTES[message.control]
                self._ears.muted = on if side == "customer" else self._ears.muted
                self.post(Mute(at_ms, side, on))
            case inbound.Transfer() | inbound.Handoff():
                self._pass_on(message)
            case inbound.EndCall():
                self.hang_up("customer-ended-call" if by_caller else "manually-canceled")

    def reply_to_client(self, text: str) -> None:
        """Send a text frame that is no message of the call: the answer to a message that was refused."""
        self._leg.send_text(text)

    @property
    def ended_reason(self) -> str:
        """The call's `endedReason`, once it is over."""
        return self._ended_reason

    def artifact(self) -> JsonObject:
        """The call's artifact as it stands now."""
        setting = self.setting
        return artifact_of(setting.call, setting.assistant_json, self.told, epoch_ms=self._epoch_ms)

    def on_end(self, action: Callable[[], None]) -> None:
        """Have something done when the call is over; at once if it is."""
        if self._ended.is_set():
            action()
        else:
            self._at_end.append(action)

    def hang_up(self, reason: str) -> None:
        """End the call, with an `endedReason` of Vapi's."""
        self.post(HangUp(int(self.now_ms()), reason))

    def post(self, event: Event) -> None:
        """Tell the engine. Whatever it answers has been done when this returns, unless it is already at work."""
        self._inbox.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._inbox:
                self._step(self._inbox.popleft())
            self._arm()
        except Exception as error:  # noqa: BLE001  # a bug of ours must end this call in words, and no other call
            _log.error("the call broke", call_id=self.setting.call_id, exc_info=error)
            self._inbox.clear()
            self._end(_BROKEN, "internal error")
        finally:
            self._stepping = False

    # What goes on.

    async def run(self) -> None:
        """Hold the call; returns once it is over and recorded."""
        setting = self.setting
        started_at = iso_from_epoch_ms(self._epoch_ms)
        self._sink.write(journal.head_line(journal.Head(setting.call_id, started_at, setting.plan)))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._sink.run)
                tasks.start_soon(self._recorder.run, self.now_ms)
                if self._log is not None:
                    tasks.start_soon(self._log.sink.run)
                tasks.start_soon(self._direct, tasks)
                tasks.start_soon(self._tools.direct, tasks)
                tasks.start_soon(self._consulting.direct, tasks)
                tasks.start_soon(self._transcribe)
                if self._overlaps is not None:
                    tasks.start_soon(self._overlaps.run)
                tasks.start_soon(self._records.begin, setting.call_id, self._beginning(started_at))
                self._narrator.status("in-progress")
                self._narrator.assistant_started()
                self.post(CallStarted(0))
                if setting.rejection is not None:
                    self.post(Say(0, setting.rejection.text, interruptible=False, ends_call=True))
                await self._ended.wait()
                await self._tools.finish()
                tasks.cancel_scope.cancel()
        finally:
            self._let_go()
            with anyio.CancelScope(shield=True):
                await self._sink.close()
                await self._recorder.close(self.now_ms() if self._ended_ms is None else self._ended_ms)
                await self._records.finish(setting.call_id, self._outcome())
                if self._log is not None:
                    await self._log.sink.close()

    def _step(self, event: Event) -> None:
        # Where the playout stands decides what was heard; the engine must not judge by an old mark.
        played = None if isinstance(event, Played) else self._mouth.played(int(self.now_ms()))
        for one in (event,) if played is None else (played, event):
            self._sink.write(journal.event_line(one))
            self._state, commands = step(self._state, one, self.setting.plan)
            self.told.take(self._state, one, commands)
            if self._log is not None:
                self._log.take(self._state.now_ms, one, commands)
            for command in commands:
                self._perform(command)
            self._tell_conversation()
        self._moved.set()
        self._moved = anyio.Event()

    def _tell_conversation(self) -> None:
        """After what it came of, so that `user-interrupted` goes before the history that it changed."""
        if self._state.history is not self._narrated:
            self._narrated = self._state.history
            self._narrator.conversation(self._narrated)

    def _perform(self, command: Command) -> None:
        match command:
            case StartReply() | Play() | Duck() | Unduck() | StopPlayback() | CloseReply():
                self._direct_reply(command)
            case RunTools() | CallHookTool() | StopTool() | AskEndpointing():
                self._reach_out(command)
            case TakeOver(successor):
                self._take_over(self._passing.parts[successor])
            case Send(message):
                self._narrator.tell(message)
            case Decide(what, why, turn_id):
                self.insight.decision(self._state.now_ms, what, why, turn_id)
            case EndCall(reason, detail):
                self._end(reason, detail)
            case Remember():  # told as a whole once the step is done
                if command.tool_call_id is not None:
                    self._narrator.tool_result(command, self._tools.find(command.tool_call_id))

    def _reach_out(self, command: RunTools | CallHookTool | StopTool | AskEndpointing) -> None:
        match command:
            case RunTools(call_ids=call_ids):
                self._narrator.tool_calls(self._tools.run(call_ids))
            case CallHookTool(turn_id, tool):
                found = self.setting.hook_tools
                self._tools.ask_for_hook(turn_id, found[tool] if tool < len(found) else None)
            case StopTool(call_id):
                self._tools.stop(call_id)
            case AskEndpointing():
                self._consulting.ask(command, self._state.history)

    def _direct_reply(self, command: StartReply | Play | Duck | Unduck | StopPlayback | CloseReply) -> None:
        match command:
            case StartReply():
                self._start_reply(command)
            case Play() | Duck() | Unduck() | StopPlayback():
                self._mouth.perform(command)
            case CloseReply(turn_id):
                if (scope := self._replies.pop(turn_id, None)) is not None:
                    scope.cancel()

    def _start_reply(self, start: StartReply) -> None:
        self._mouth.open(start.turn_id)
        messages = (*self.setting.instructions, *for_model(self._state.history), *self._prompt(start))
        box = self._box if start.tools else Toolbox(())
        self._begun.send_nowait(partial(self._reply, _Request(start.turn_id, start.text, messages, box)))

    def _prompt(self, start: StartReply) -> list[ChatMessage]:
        """What a hook asks of the model; its templates may name the `transcript` so far."""
        if not start.prompt:
            return []
        transcript = {"transcript": transcript_of(self._state.history)}
        return [ChatMessage(role, self._render(text, transcript)) for role, text in start.prompt]

    def _call_tools(self, turn_id: str, calls: Sequence[ToolCall], box: Toolbox, spoke: bool) -> None:  # noqa: FBT001  # the shape of `Speaker`'s callback
        self._tools.ask(turn_id, calls, box, spoke=spoke)

    def _render(self, text: str, values: JsonObject) -> str:
        return self.setting.variables.render(text, self._clock.epoch_ms(), values)

    async def _direct(self, tasks: "TaskGroup") -> None:
        async with self._begun, self._to_begin:
            async for errand in self._to_begin:
                tasks.start_soon(errand)

    async def _reply(self, request: _Request) -> None:
        turn_id = request.turn_id
        if self._state.reply is None or self._state.reply.turn_id != turn_id:
            return  # it was over before it began
        with anyio.CancelScope() as scope:
            self._replies[turn_id] = scope
            try:
                await self._speaker.run(turn_id, request.text, request.messages, request.box)
            finally:
                if self._replies.get(turn_id) is scope:
                    del self._replies[turn_id]

    async def _transcribe(self) -> None:
        stream = None
        while stream is not self._ears.transcribing:
            stream = self._ears.transcribing
            with anyio.CancelScope() as self._hearing:
                await self._run_transcriber(stream)

    async def _run_transcriber(self, stream: TranscriberStream) -> None:
        try:
            await stream.run()
        except ProviderError as error:
            self.post(Fail(int(self.now_ms()), error.ended_reason, str(error)))
        except Exception as error:  # noqa: BLE001  # a transcriber's own bug must end the call in words, not hang it
            _log.error("the transcriber broke", call_id=self.setting.call_id, exc_info=error)
            self.post(Fail(int(self.now_ms()), "pipeline-error-custom-transcriber-failed", "internal error"))

    def _judge_if(self, plan: Plan) -> None:
        if self._overlaps is not None:
            self._overlaps.on = plan.by_evidence

    def _may_be_cut(self) -> bool:
        reply = self._state.reply
        return reply is not None and reply.audible_ms is not None and reply.interruptible

    # Passing the caller on.

    def _take_over(self, part: Part) -> None:
        """Another assistant has the call: everything of the old one's is replaced, but for the connection."""
        before, self.setting = self.setting, part.setting
        providers = part.providers
        self._narrator.transfer_update(part.destination, part.setting.assistant_json)
        if self._line is not None:
            self._line.assume(part.setting.assistant_json)
        self._narrator.recast(Cast.of(part.setting.call, part.setting.assistant_json), part.setting.assistant)
        self._narrator.status("in-progress", tell=False)
        self._narrator.assistant_started()
        self._box = Toolbox(part.setting.tools)
        self._tools.recast(providers.tools)
        change = in_charge(part.setting.assistant_json)
        self._begun.send_nowait(partial(self._records.update, part.setting.call_id, change))
        self._judge_if(part.setting.plan)
        self._speaker.recast(providers.model, providers.voice, part.setting.plan.model_failed_reason)
        if before.assistant_json.get("transcriber") != part.setting.assistant_json.get("transcriber"):
            self._ears.listen_with(providers.transcriber)
            self._hearing.cancel()

    def _forwarding(self, destination: JsonObject) -> None:
        self._narrator.transfer_update(destination)
        self._narrator.status("forwarding")

    def _pass_on(self, message: inbound.Transfer | inbound.Handoff) -> None:
        to_phone = isinstance(message, inbound.Transfer) and message.destination.get("type") != "assistant"
        if to_phone and not self._passing.can_transfer:
            raise WireError(501, "this call cannot be transferred to a telephone: its transport has none")
        if message.content:
            self.post(Say(int(self.now_ms()), self._render(message.content, {})))
        self._begun.send_nowait(partial(self._passed_on, message.destination, to_phone=to_phone))

    async def _passed_on(self, destination: JsonObject, *, to_phone: bool) -> None:
        try:
            if not to_phone:
                await self._passing.hand_over(destination)
                return
            while self._state.reply is not None or self._state.sayings:
                await self._moved.wait()
            await self._passing.transfer(destination)
            self.hang_up(FORWARDED)
        except (HandoffError, CarrierError) as error:
            _log.warning("a caller could not be passed on", call_id=self.setting.call_id, reason=str(error))
            self.reply_to_client(json.dumps(WireError(400, str(error)).body()))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = wake_at(self._state, self.setting.plan)
        if due is not None:
            self._timer = self._clock.call_at(self._zero_ms + due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        # A timer may fire a little early; the engine's milliseconds must not.
        due = wake_at(self._state, self.setting.plan)
        self.post(Tick(max(int(self.now_ms()), due or 0)))

    def _send(self, text: str) -> None:
        self._leg.send_text(text)
        self.audience.read(text)

    # How it ends.

    def _end(self, reason: str, detail: str) -> None:
        if self._ended.is_set():
            return
        rejection = self.setting.rejection
        if rejection is not None and reason == SPOKEN_AND_ENDED:
            reason = rejection.reason
        self._ended_reason = reason
        self._ended_ms = self.now_ms()
        _log.info("call ended", call_id=self.setting.call_id, reason=reason, detail=detail or None)
        self._mouth.close()
        self._tell_conversation()
        self._narrator.status("ended", reason)
        self._leg.hang_up()
        self._ended.set()
        for action in self._at_end:
            action()

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._mouth.close()
        self._ears.close()

    def _beginning(self, started_at: str) -> dict[str, Any]:
        plan = settled_plan(self.setting.assistant_json)
        return {"status": "in-progress", "startedAt": started_at, "artifactPlan": plan}

    def _outcome(self) -> dict[str, Any]:
        return record_of(
            self.setting.call,
            self.setting.assistant_json,
            self.told,
            epoch_ms=self._epoch_ms,
            ended_at_ms=self._clock.epoch_ms(),
            reason=self._ended_reason,
        )


def _endpointing_server(setting: Setting) -> JsonObject | None:
    start = setting.assistant.start_speaking_plan
    smart = start.smart_endpointing_plan if start is not None else None
    server = smart.server if isinstance(smart, CustomEndpointing) else None
    return None if server is None else server.to_json()
