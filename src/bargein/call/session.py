"""One live call: events are posted to the engine, and its commands are performed.

Everything runs on the event loop's thread. `post` steps the engine and performs its commands before it returns, so that
no queue and no task switch delays the silence after an interruption.
"""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import structlog

from bargein.call.clients.insight import InsightFeed
from bargein.call.clients.listeners import Listeners
from bargein.call.components import CallEnvironment, build_components
from bargein.call.context import AgentSetup, Providers
from bargein.call.hearing.audio_input import FloodError
from bargein.call.hearing.voicemail import VOICEMAIL
from bargein.call.record.end import HUNG_UP_BY_CALLER, INTERNAL_ERROR, CallEnd, EndReporter
from bargein.call.record.files import CallFiles
from bargein.call.record.guard import Guard, GuardedClock
from bargein.call.record.journal import Head
from bargein.call.record.outcome import (
    CallSummary,
    activation_of,
    active_assistant_fields,
    artifact_of,
    artifact_plan_after_handoff,
    ended_fields,
    essential_fields,
    initial_artifact_plan,
)
from bargein.call.record.usage import UsageMeter
from bargein.call.tools.executor import SPOKEN_AND_ENDED
from bargein.call.tools.transfer import Handoffs, Successor
from bargein.clock import Clock, Timer, iso_from_epoch_ms
from bargein.ports import CallRecords, JournalSink, Leg, PrivateCalls, ProviderError, Recorder
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
from bargein.wire.base import JsonObject, Template
from bargein.wire.json import as_object, repaired
from bargein.wire.ownership import Author
from bargein.wire.prices import Prices

_log = structlog.get_logger("bargein.call")


class CallSession:
    """A call from the moment the caller is connected until it is over; `run` it once.

    Args:
        setup: the assistant that begins the call.
        providers: its providers.
        leg: the caller's connection.
        clock: the clock.
        records: stores the call's record.
        sink: stores the journal.
        recorder: records the audio; None: it is not recorded.
        log: stores the call's own log; None: there is none.
        handoffs: resolves other assistants; None: the call has no other assistant.
        private_calls: the server's part in a call of which nothing is kept; None: there is none.
        tells_details: whether the call's client may read a failure's details, which name the owner's servers.
        owners_client: whether the call's client is the owner, whose messages carry the call as the API returns it.
        prices: the owner's prices, from which the call's costs follow; None: there are none.

    Attributes:
        setup: the setup of the current assistant.
        epoch_ms: when the call began, in milliseconds since 1970.
        zero_ms: the clock's reading when the call began.
        insight: the live feed for the server's own page.
        summary: what has happened so far.
        listeners: the listeners of the call.
    """

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
        private_calls: PrivateCalls | None = None,
        tells_details: bool = False,
        owners_client: bool = False,
        prices: Prices | None = None,
    ) -> None:
        self.setup = setup
        self.epoch_ms = clock.epoch_ms()
        self.zero_ms = clock.monotonic_ms()
        self.insight = InsightFeed()
        self.summary = CallSummary(activation_of(setup.call, setup.assistant_json))
        self.listeners = Listeners()
        self._guard = Guard(setup.call_id)
        self._clock = GuardedClock(clock, self.fail)
        self._records = records
        self._files = CallFiles(
            setup.assistant_json,
            Head(setup.call_id, self._started_at, setup.plan),
            self.epoch_ms,
            self._guard,
            journal=sink,
            recorder=recorder,
            log=log,
            private_calls=private_calls,
        )
        self._prices = prices
        self._meter = UsageMeter(self.summary.usage, self.now_ms, self._files.write_use)
        self._artifact_plan = initial_artifact_plan(setup.assistant_json)
        self._leg = leg
        self._state = State(call_id=setup.call_id)
        self._sent_history = self._state.history
        self._inbox: deque[Event] = deque()
        self._stepping = False
        self._next_step: anyio.Event | None = None
        self._timer: Timer | None = None
        self._due_ms: int | None = None
        self._ended = anyio.Event()
        self._storing_end = False
        self._reporter = EndReporter(setup.call_id, tells_details=tells_details)
        self._ended_ms: float | None = None
        self._at_end: list[Callable[[], None]] = []
        environment = CallEnvironment(
            leg=leg,
            clock=self._clock,
            recorder=self._files.recording,
            handoffs=handoffs,
            insight=self.insight,
            listeners=self.listeners,
            owners_client=owners_client,
            meter=self._meter,
        )
        self._call_changes = JsonObject()
        self._change_provider_call = providers.change_call
        self._components = build_components(self, providers, environment)
        providers.notices.watch(self._on_notice)

    def now_ms(self) -> float:
        """Return the milliseconds since the call began."""
        return self._clock.monotonic_ms() - self.zero_ms

    @property
    def state(self) -> State:
        """Return the state of the engine."""
        return self._state

    async def next_step(self) -> None:
        """Wait until the engine has processed another event."""
        if self._next_step is None:
            self._next_step = anyio.Event()
        await self._next_step.wait()

    def render(self, text: Template, values: Mapping[str, object]) -> str:
        """Render the templates of a text, which may also use these values."""
        return self.setup.variables.render(text, self._clock.epoch_ms(), values)

    def receive_audio(self, data: bytes) -> None:
        """Receive encoded audio from the caller.

        Raises:
            ValueError: it is not in the format that was agreed on.
            FloodError: it is sent much faster than real time.
        """
        if self._ended.is_set():
            return
        try:
            self._components.audio_input.receive(data)
        except (ValueError, FloodError):
            raise
        except Exception as error:  # noqa: BLE001  # a bug must end this call with a reason
            self.fail(error)

    def mark_reached(self, mark: str) -> bool:
        """Handle a mark that the far end has reached (`Leg.mark`); return False if it belongs to an earlier reply."""
        try:
            return self._components.audio_output.mark_reached(mark)
        except Exception as error:  # noqa: BLE001  # a bug must end this call with a reason
            self.fail(error)
            return False

    def receive_key(self, key: str) -> None:
        """Handle a DTMF key of the caller (0 to 9, *, #, A to D)."""
        if not self._ended.is_set():
            self._components.dtmf.receive_key(key)

    def handle_answered_by(self, by: str, detail: str) -> None:
        """Handle the carrier's answering machine detection: `human` or `machine`, and the carrier's own word for it."""
        self._components.voicemail.handle_answered_by(by, detail)

    def control(self, message: client_controls.ClientControl, *, by_caller: bool, author: Author) -> None:
        """Carry out a client's message (`ClientControls.execute`).

        Raises:
            WireError: this call cannot do that.
        """
        self._components.controls.execute(message, by_caller=by_caller, author=author)

    def reply_to_client(self, text: str) -> None:
        """Send a text frame that is not a message of the call: the error of a refused message."""
        self._leg.send_text(text)

    @property
    def ended_reason(self) -> str:
        """Return the call's `endedReason`, once it is over."""
        return self._reporter.end.reason

    def note_error(self, error: ProviderError) -> None:
        """Keep a provider's error: if the call ends by it, the log line names the provider and what to change."""
        self._reporter.note_error(error)

    def artifact(self) -> JsonObject:
        """Return the call's artifact as of now."""
        setup = self.setup
        return artifact_of(self._call_record(), setup.assistant_json, self.summary, epoch_ms=self.epoch_ms)

    def on_end(self, action: Callable[[], None]) -> None:
        """Call `action` when the call is over, or at once if it is."""
        if self._ended.is_set():
            action()
        else:
            self._at_end.append(action)

    def hang_up(self, reason: str) -> None:
        """End the call with one of Vapi's `endedReason`s."""
        self.post(HangUp(int(self.now_ms()), reason))

    def post(self, event: Event) -> None:
        """Post an event to the engine. Its commands are performed on return, unless this is called from one of them.

        An event that comes once the end is being stored is dropped: it would be in the journal and not in the record. A
        carrier's report of the end, which follows the end of its connection, is one.
        """
        if self._storing_end:
            return
        self._inbox.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._inbox:
                self._step(self._inbox.popleft())
            self._set_timer()
        except Exception as error:  # noqa: BLE001  # a bug must end this call with a reason, and no other call
            self.fail(error)
        finally:
            self._stepping = False

    def fail(self, error: BaseException) -> None:
        """End the call because of an error that nobody expected."""
        with suppress(Exception):  # the log itself may be what fails
            _log.error("the call failed with an unexpected error", call_id=self.setup.call_id, exc_info=error)
        self._inbox.clear()
        self._end(INTERNAL_ERROR)

    async def record_start(self) -> None:
        """Record that the call is in progress here.

        Await this before `run`: nobody is told of the call before, so that a restart ends every call that was told of.
        """
        started = {"status": "in-progress", "startedAt": self._started_at, "artifactPlan": self._artifact_plan}
        await self._records.begin(self.setup.call_id, started)
        self._change_call(started)

    def _change_call(self, changes: JsonObject) -> None:
        """Tell all who are sent the call of changed fields of its record."""
        self._call_changes |= changes
        self._change_provider_call(changes)
        self._guard.attempt("client messages", self._components.messenger.change_call, changes)

    async def run(self) -> None:
        """Run the call; returns once it is over and its record is stored, whatever has failed meanwhile."""
        try:
            await self._run()
        except* Exception as errors:  # noqa: BLE001  # a bug in a task of the call
            self.fail(errors)
        finally:
            self._storing_end = True
            self._guard.attempt("end", self._close)
            with anyio.CancelScope(shield=True):
                await self._store_end()

    async def _run(self) -> None:
        setup, attempt = self.setup, self._guard.attempt
        self._files.write_head()
        self._meter.switch_assistant(setup.assistant)
        async with anyio.create_task_group() as tasks:
            self._files.start(tasks, self.now_ms)
            tasks.start_soon(self._components.background.run, tasks)
            tasks.start_soon(self._components.tools.run_tasks, tasks)
            tasks.start_soon(self._components.endpointing_requests.run, tasks)
            tasks.start_soon(self._components.transcription.run)
            tasks.start_soon(self._components.connections.run)
            tasks.start_soon(self._components.pauses.run)
            if self._components.overlaps is not None:
                tasks.start_soon(self._components.overlaps.run)
            attempt("client messages", self._components.messenger.status, "in-progress")
            attempt("client messages", self._components.messenger.assistant_started)
            self.post(CallStarted(0))
            if setup.rejection is not None:
                self.post(Say(0, setup.rejection.text, interruptible=False, ends_call=True))
            await self._ended.wait()
            await self._components.tools.wait_for_async()
            tasks.cancel_scope.cancel()

    async def _store_end(self) -> None:
        await self._files.close(self.now_ms() if self._ended_ms is None else self._ended_ms)
        outcome = self._files.storable_outcome(self._outcome())
        await self._guard.attempt_later("record", self._records.finish, self.setup.call_id, outcome)
        await self._files.close_log()

    def _step(self, event: Event) -> None:
        # What was heard follows from the playout position: the engine needs the current one with each event.
        played = None if isinstance(event, Played) else self._components.audio_output.played(int(self.now_ms()))
        for one in (event,) if played is None else (played, event):
            self._files.write_event(one)
            self._state, commands = step(self._state, one, self.setup.plan)
            self._guard.attempt("summary", self.summary.apply, self._state, one, commands)
            self._files.write_step(self._state.now_ms, one, commands)
            for command in commands:
                self._perform(command)
            if isinstance(one, TranscriptReceived):
                self._components.voicemail.receive_transcript(one.text, final=one.final)
            self._send_conversation()
        if self._next_step is not None:
            self._next_step.set()
            self._next_step = None

    def _send_conversation(self) -> None:
        """Send the history if it has changed; after the step's commands, so that `user-interrupted` comes before it."""
        if self._state.history is not self._sent_history:
            self._sent_history = self._state.history
            self._components.audio_input.expect(self._state.last_assistant_text)
            self._guard.attempt("client messages", self._components.messenger.conversation, self._sent_history)

    def _perform(self, command: Command) -> None:
        components = self._components
        match command:
            case StartReply() | Play() | Duck() | Unduck() | StopPlayback() | CloseReply():
                components.reply_runner.perform(command)
            case RunTools() | CallHookTool() | StopTool() | AskEndpointing() | JudgePause():
                self._request(command)
            case SwitchAssistant(successor):
                self._take_over(components.transfers.successors[successor])
            case Send(message):
                self._guard.attempt("client messages", components.messenger.send, message)
            case KeepReply():  # the reply goes on as it is
                pass
            case Decide(what, why, turn_id):
                self.insight.on_decision(self._state.now_ms, what, why, turn_id)
            case EndCall(reason, detail):
                self._end(CallEnd(reason, detail))
            case Remember():  # the whole history is sent once the step is done
                if command.tool_call_id is not None:
                    invocation = components.tools.find(command.tool_call_id)
                    self._guard.attempt("client messages", components.messenger.tool_result, command, invocation)

    def _request(self, command: RunTools | CallHookTool | StopTool | AskEndpointing | JudgePause) -> None:
        components = self._components
        match command:
            case RunTools(call_ids=call_ids):
                invocations = components.tools.run(call_ids)
                self._guard.attempt("client messages", components.messenger.tool_calls, invocations)
            case CallHookTool(turn_id, tool):
                hook_tools = self.setup.hook_tools
                components.tools.prepare_for_hook(turn_id, hook_tools[tool] if tool < len(hook_tools) else None)
            case StopTool(call_id):
                components.tools.stop(call_id)
            case AskEndpointing():
                components.endpointing_requests.request(command, self._state.history)
            case JudgePause():
                components.pauses.request(command)

    def _take_over(self, successor: Successor) -> None:
        before, self.setup = self.setup, successor.setup
        successor.providers.notices.watch(self._on_notice)
        self._change_provider_call = successor.providers.change_call
        self._components.switch_agent(before, successor)
        assistant, was_private = successor.setup.assistant_json, self._files.private
        self._files.switch_assistant(assistant, self.summary.usage)
        self._meter.switch_assistant(successor.setup.assistant)
        if not was_private:
            self._artifact_plan = artifact_plan_after_handoff(self._artifact_plan, assistant)
        self._change_call({**self._call_changes, "artifactPlan": self._artifact_plan})
        kept = active_assistant_fields(self._files.storable_assistant(assistant))
        change = {**kept, "artifactPlan": self._artifact_plan}
        self._components.background.start(partial(self._records.update, successor.setup.call_id, change))

    def _on_notice(self, what: str, why: str) -> None:
        self.insight.on_decision(int(self.now_ms()), what, why, None)

    def _set_timer(self) -> None:
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
        # The timer may fire a little early, but the engine must not see a time before the one that it asked for.
        due = wake_at(self._state, self.setup.plan)
        self.post(Tick(max(int(self.now_ms()), due or 0)))

    def _end(self, end: CallEnd) -> None:
        if self._ended.is_set():
            return
        reason, rejection = end.reason, self.setup.rejection
        if rejection is not None and reason == SPOKEN_AND_ENDED:
            reason = rejection.reason
        if self._components.voicemail.leaving and reason == SPOKEN_AND_ENDED:
            reason = VOICEMAIL
        self._reporter.end = CallEnd(reason, end.message)
        self._ended_ms = self.now_ms()
        self._files.write_end(int(self._ended_ms), reason)
        with suppress(Exception):  # the log itself may be what fails
            self._reporter.log()
        self._guard.attempt("playout", self._components.audio_output.close)
        self._send_conversation()
        self._guard.attempt(
            "client messages", self._components.messenger.ended, reason, self._reporter.client_message()
        )
        if reason != HUNG_UP_BY_CALLER:
            self._guard.attempt("hang-up", self._components.transfers.delegate_hang_up)
        self._guard.attempt("connection", self._leg.hang_up)
        self._ended.set()
        for action in self._at_end:
            self._guard.attempt("end", action)

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._components.audio_output.close()
        self._components.dtmf.close()
        self._components.voicemail.close()
        self._components.audio_input.close()

    @property
    def _started_at(self) -> str:
        return iso_from_epoch_ms(self.epoch_ms)

    def _call_record(self) -> JsonObject:
        return {**self.setup.call, "artifactPlan": self._artifact_plan}

    def _outcome(self) -> dict[str, Any]:
        # not by the wall clock, which may have been set meanwhile
        ended_at_ms = self.epoch_ms + round(self.now_ms() if self._ended_ms is None else self._ended_ms)
        outcome: dict[str, Any] = {}

        def complete() -> None:
            fields = ended_fields(
                self._call_record(),
                self.setup.assistant_json,
                self.summary,
                epoch_ms=self.epoch_ms,
                ended_at_ms=ended_at_ms,
                end=self._reporter.end,
                prices=self._prices,
            )
            if (destination := self._components.transfers.forwarded_to) is not None:
                fields["destination"] = destination
            outcome.update(as_object(repaired(fields)))

        self._guard.attempt("record", complete)
        return outcome or essential_fields(self._reporter.end, ended_at_ms)
