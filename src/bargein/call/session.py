"""One live call: an inbox that feeds the engine, and hands that do what it says.

Everything happens on the event loop's thread. `post` steps the engine and performs its commands before it returns,
so that between the caller's voice and the silence there is no queue and no task switch.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio
import structlog

from bargein.call.clients.insight import InsightFeed
from bargein.call.clients.listeners import Listeners
from bargein.call.components import CallEnvironment, build_components
from bargein.call.context import AgentSetup, Providers
from bargein.call.hearing.voicemail import VOICEMAIL
from bargein.call.record import journal
from bargein.call.record.call_log import CallLog
from bargein.call.record.outcome import (
    CallSummary,
    activation_of,
    active_assistant_fields,
    artifact_of,
    artifact_plan_after_handoff,
    ended_fields,
    initial_artifact_plan,
    is_recorded,
)
from bargein.call.record.recording import Recording
from bargein.call.tools.executor import SPOKEN_AND_ENDED
from bargein.call.tools.transfer import Handoffs, Successor
from bargein.clock import Clock, Timer, iso_from_epoch_ms
from bargein.ports import CallRecords, JournalSink, Leg, NullRecorder, Recorder
from bargein.turns import State, step, wake_at
from bargein.turns.commands import (
    AskEndpointing,
    CallHookTool,
    CloseReply,
    Command,
    Decide,
    Duck,
    EndCall,
    JudgePause,
    KeepReply,
    Play,
    Remember,
    RunTools,
    Send,
    StartReply,
    StopPlayback,
    StopTool,
    SwitchAssistant,
    Unduck,
)
from bargein.turns.events import CallStarted, Event, HangUp, Played, Say, Tick, TranscriptReceived
from bargein.wire import client_controls
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.call")

_BROKEN = "call.in-progress.error-vapifault-worker-died"


class CallSession:
    """A call from the moment its caller is connected until it is over. Run it once."""

    def __init__(
        self,
        setup: AgentSetup,
        providers: Providers,
        leg: Leg,
        *,
        clock: Clock,
        records: CallRecords,
        sink: JournalSink,
        recorder: Recorder | None = None,
        log: JournalSink | None = None,
        handoffs: Handoffs | None = None,
    ) -> None:
        self.setup = setup
        self.epoch_ms = clock.epoch_ms()
        self.zero_ms = clock.monotonic_ms()
        self.insight = InsightFeed()
        self.summary = CallSummary(activation_of(setup.call, setup.assistant_json))
        self.listeners = Listeners()
        self._clock = clock
        self._records = records
        self._sink = sink
        self._recording = Recording(recorder or NullRecorder(), on=is_recorded(setup.assistant_json))
        self._kept = initial_artifact_plan(setup.assistant_json)
        self._leg = leg
        self._log = None if log is None else CallLog(log, setup.call_id, self.epoch_ms)
        self._state = State(call_id=setup.call_id)
        self._narrated = self._state.history
        self._inbox: deque[Event] = deque()
        self._stepping = False
        self._moved: anyio.Event | None = None
        self._timer: Timer | None = None
        self._due_ms: int | None = None
        self._ended = anyio.Event()
        self._ended_reason = "worker-shutdown"
        self._ended_ms: float | None = None
        self._at_end: list[Callable[[], None]] = []
        environment = CallEnvironment(
            leg=leg,
            clock=clock,
            recorder=self._recording,
            handoffs=handoffs,
            insight=self.insight,
            listeners=self.listeners,
        )
        self._components = build_components(self, providers, environment)

    # What comes in.

    def now_ms(self) -> float:
        """Milliseconds since the call began."""
        return self._clock.monotonic_ms() - self.zero_ms

    @property
    def state(self) -> State:
        """Where the engine stands."""
        return self._state

    async def next_step(self) -> None:
        """Wait until the engine has been told something more."""
        if self._moved is None:
            self._moved = anyio.Event()
        await self._moved.wait()

    def render(self, text: str, values: Mapping[str, object]) -> str:
        """Fill in the templates of a text, which may also name these values."""
        return self.setup.variables.render(text, self._clock.epoch_ms(), values)

    def receive_audio(self, data: bytes) -> None:
        """Take audio from the caller.

        Raises:
            ValueError: it is no audio in the format that was agreed.
            FloodError: it comes much faster than it sounds.
        """
        if not self._ended.is_set():
            self._components.audio_input.receive(data)

    def mark_reached(self, mark: str) -> bool:
        """The far end has come to a mark that this call set (`Leg.mark`); False where it means nothing any more."""
        return self._components.audio_output.mark_reached(mark)

    def receive_key(self, key: str) -> None:
        """The caller pressed a key of the telephone (0 to 9, *, #, A to D)."""
        if not self._ended.is_set():
            self._components.dtmf.receive_key(key)

    def handle_answered_by(self, by: str, detail: str) -> None:
        """The carrier says who answered: human or machine, and its own word for it."""
        self._components.voicemail.handle_answered_by(by, detail)

    def control(self, message: client_controls.ClientControl, *, by_caller: bool) -> None:
        """Carry out a client's message; `by_caller` tells the caller's own client from others that steer the call.

        Raises:
            WireError: this call cannot do that.
        """
        self._components.controls.control(message, by_caller=by_caller)

    def reply_to_client(self, text: str) -> None:
        """Send a text frame that is no message of the call: the answer to a message that was refused."""
        self._leg.send_text(text)

    @property
    def ended_reason(self) -> str:
        """The call's `endedReason`, once it is over."""
        return self._ended_reason

    def artifact(self) -> JsonObject:
        """The call's artifact as it stands now."""
        setup = self.setup
        return artifact_of(self._call(), setup.assistant_json, self.summary, epoch_ms=self.epoch_ms)

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
            _log.error("the call broke", call_id=self.setup.call_id, exc_info=error)
            self._inbox.clear()
            self._end(_BROKEN, "internal error")
        finally:
            self._stepping = False

    # What goes on.

    async def run(self) -> None:
        """Hold the call; returns once it is over and recorded."""
        setup = self.setup
        started_at = iso_from_epoch_ms(self.epoch_ms)
        self._sink.write(journal.head_line(journal.Head(setup.call_id, started_at, setup.plan)))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._sink.run)
                tasks.start_soon(self._recording.run, self.now_ms)
                if self._log is not None:
                    tasks.start_soon(self._log.sink.run)
                tasks.start_soon(self._components.background.direct, tasks)
                tasks.start_soon(self._components.tools.direct, tasks)
                tasks.start_soon(self._components.endpointing_requests.direct, tasks)
                tasks.start_soon(self._components.transcription.run)
                tasks.start_soon(self._components.pauses.run)
                if self._components.overlaps is not None:
                    tasks.start_soon(self._components.overlaps.run)
                tasks.start_soon(self._records.begin, setup.call_id, self._beginning(started_at))
                self._components.messenger.status("in-progress")
                self._components.messenger.assistant_started()
                self.post(CallStarted(0))
                if setup.rejection is not None:
                    self.post(Say(0, setup.rejection.text, interruptible=False, ends_call=True))
                await self._ended.wait()
                await self._components.tools.finish()
                tasks.cancel_scope.cancel()
        finally:
            self._let_go()
            with anyio.CancelScope(shield=True):
                await self._sink.close()
                await self._recording.close(self.now_ms() if self._ended_ms is None else self._ended_ms)
                await self._records.finish(setup.call_id, self._outcome())
                if self._log is not None:
                    await self._log.sink.close()

    def _step(self, event: Event) -> None:
        # Where the playout stands decides what was heard; the engine must not judge by an old mark.
        played = None if isinstance(event, Played) else self._components.audio_output.played(int(self.now_ms()))
        for one in (event,) if played is None else (played, event):
            self._sink.write(journal.event_line(one))
            self._state, commands = step(self._state, one, self.setup.plan)
            self.summary.apply(self._state, one, commands)
            if self._log is not None:
                self._log.write_step(self._state.now_ms, one, commands)
            for command in commands:
                self._perform(command)
            if isinstance(one, TranscriptReceived):
                self._components.voicemail.receive_transcript(one.text)
            self._tell_conversation()
        if self._moved is not None:
            self._moved.set()
            self._moved = None

    def _tell_conversation(self) -> None:
        """After what it came of, so that `user-interrupted` goes before the history that it changed."""
        if self._state.history is not self._narrated:
            self._narrated = self._state.history
            self._components.messenger.conversation(self._narrated)

    def _perform(self, command: Command) -> None:
        parts = self._components
        match command:
            case StartReply() | Play() | Duck() | Unduck() | StopPlayback() | CloseReply():
                parts.reply_runner.perform(command)
            case RunTools() | CallHookTool() | StopTool() | AskEndpointing() | JudgePause():
                self._reach_out(command)
            case SwitchAssistant(successor):
                self._take_over(parts.transfers.parts[successor])
            case Send(message):
                parts.messenger.tell(message)
            case KeepReply():  # it goes on as it is
                pass
            case Decide(what, why, turn_id):
                self.insight.on_decision(self._state.now_ms, what, why, turn_id)
            case EndCall(reason, detail):
                self._end(reason, detail)
            case Remember():  # told as a whole once the step is done
                if command.tool_call_id is not None:
                    parts.messenger.tool_result(command, parts.tools.find(command.tool_call_id))

    def _reach_out(self, command: RunTools | CallHookTool | StopTool | AskEndpointing | JudgePause) -> None:
        parts = self._components
        match command:
            case RunTools(call_ids=call_ids):
                parts.messenger.tool_calls(parts.tools.run(call_ids))
            case CallHookTool(turn_id, tool):
                found = self.setup.hook_tools
                parts.tools.ask_for_hook(turn_id, found[tool] if tool < len(found) else None)
            case StopTool(call_id):
                parts.tools.stop(call_id)
            case AskEndpointing():
                parts.endpointing_requests.ask(command, self._state.history)
            case JudgePause():
                parts.pauses.ask(command)

    def _take_over(self, part: Successor) -> None:
        before, self.setup = self.setup, part.setup
        self._components.switch_agent(before, part)
        self._recording.switch(on=is_recorded(part.setup.assistant_json))
        self._kept = artifact_plan_after_handoff(self._kept, part.setup.assistant_json)
        change = {**active_assistant_fields(part.setup.assistant_json), "artifactPlan": self._kept}
        self._components.background.begin(partial(self._records.update, part.setup.call_id, change))

    def _arm(self) -> None:
        due = wake_at(self._state, self.setup.plan)
        if self._timer is not None:
            if due == self._due_ms:
                return
            self._timer.cancel()
            self._timer = None
        self._due_ms = due
        if due is not None:
            self._timer = self._clock.call_at(self.zero_ms + due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        # A timer may fire a little early; the engine's milliseconds must not.
        due = wake_at(self._state, self.setup.plan)
        self.post(Tick(max(int(self.now_ms()), due or 0)))

    # How it ends.

    def _end(self, reason: str, detail: str) -> None:
        if self._ended.is_set():
            return
        rejection = self.setup.rejection
        if rejection is not None and reason == SPOKEN_AND_ENDED:
            reason = rejection.reason
        if self._components.voicemail.leaving and reason == SPOKEN_AND_ENDED:
            reason = VOICEMAIL
        self._ended_reason = reason
        self._ended_ms = self.now_ms()
        _log.info("call ended", call_id=self.setup.call_id, reason=reason, detail=detail or None)
        self._components.audio_output.close()
        self._tell_conversation()
        self._components.messenger.status("ended", reason)
        self._leg.hang_up()
        self._ended.set()
        for action in self._at_end:
            action()

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._components.audio_output.close()
        self._components.dtmf.close()
        self._components.voicemail.close()
        self._components.audio_input.close()

    def _beginning(self, started_at: str) -> dict[str, Any]:
        return {"status": "in-progress", "startedAt": started_at, "artifactPlan": self._kept}

    def _call(self) -> JsonObject:
        return {**self.setup.call, "artifactPlan": self._kept}

    def _outcome(self) -> dict[str, Any]:
        return ended_fields(
            self._call(),
            self.setup.assistant_json,
            self.summary,
            epoch_ms=self.epoch_ms,
            ended_at_ms=self._clock.epoch_ms(),
            reason=self._ended_reason,
        )
