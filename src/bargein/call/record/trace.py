"""The trace of a call: its requests to the model and its tool calls, with input, output and times, from its journal."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bargein.call.record.history import as_openai, call_json
from bargein.call.record.replay import Moment
from bargein.ports import ToolCall
from bargein.turns.commands import CloseReply, Command, RunTools, StartReply, SwitchAssistant
from bargein.turns.events import (
    Event,
    HookToolCalled,
    ReplyFailed,
    ReplyToken,
    TextEnded,
    ToolCallRequest,
    ToolReturned,
    ToolsCalled,
)
from bargein.wire.base import JsonObject


@dataclass(slots=True)
class Generation:
    """One request to the model. Times are in milliseconds of the call; None: that has not happened.

    Attributes:
        turn_id: the reply.
        assistant: 0 for the assistant that began the call, 1 for its first successor, …
        messages: the conversation that the model got, in OpenAI's form, without the assistant's instructions.
        text: its text.
        tool_calls: the tools that it called, in OpenAI's form.
        outcome: how the reply ended (`bargein.turns.commands.Outcome`).
        problem: why it failed.
    """

    turn_id: str
    assistant: int
    started_ms: int
    messages: list[JsonObject]
    text: str = ""
    tool_calls: list[JsonObject] = field(default_factory=list[JsonObject])
    first_token_ms: int | None = None
    ended_ms: int | None = None
    outcome: str | None = None
    problem: str | None = None


@dataclass(slots=True)
class ToolRun:
    """One run of a tool; times as in `Generation`."""

    call_id: str
    name: str
    arguments: str
    started_ms: int
    ended_ms: int | None = None
    result: str | None = None
    failed: bool = False


@dataclass(slots=True)
class CallTrace:
    """The trace of one call.

    Attributes:
        generations: the requests to the model, in order.
        tools: the runs of tools, in order.
        conversation: the conversation at the end, in OpenAI's form.
        ended_ms: the time of the last event.
    """

    generations: list[Generation] = field(default_factory=list[Generation])
    tools: list[ToolRun] = field(default_factory=list[ToolRun])
    conversation: list[JsonObject] = field(default_factory=list[JsonObject])
    ended_ms: int = 0


class _Tracer:
    def __init__(self) -> None:
        self.trace = CallTrace()
        self._open: dict[str, Generation] = {}
        self._requests: dict[str, ToolCallRequest] = {}
        self._running: dict[str, ToolRun] = {}
        self._assistant = 0

    def apply(self, moment: Moment) -> None:
        """Add one step of the engine."""
        self._apply_event(moment.event)
        for command in moment.commands:
            self._apply_command(command, moment)
        self.trace.ended_ms = moment.at_ms

    def _apply_event(self, event: Event) -> None:
        match event:
            case ReplyToken(at_ms, turn_id, text) if (one := self._open.get(turn_id)) is not None:
                one.text += text
                one.first_token_ms = at_ms if one.first_token_ms is None else one.first_token_ms
            case TextEnded(at_ms, turn_id) if (one := self._open.get(turn_id)) is not None:
                one.ended_ms = at_ms
            case ReplyFailed(at_ms, turn_id, reason, detail) if (one := self._open.get(turn_id)) is not None:
                one.problem = f"{reason}: {detail}" if detail else reason
                one.ended_ms = one.ended_ms or at_ms
            case ToolsCalled(turn_id=turn_id, calls=calls) | HookToolCalled(turn_id=turn_id, calls=calls):
                self._requests |= {call.id: call for call in calls}
                if (one := self._open.get(turn_id)) is not None:
                    one.tool_calls += [call_json(ToolCall(call.id, call.name, call.arguments)) for call in calls]
            case ToolReturned() if (run := self._running.pop(event.call_id, None)) is not None:
                run.ended_ms, run.result, run.failed = event.at_ms, event.text, event.failed
            case _:
                pass

    def _apply_command(self, command: Command, moment: Moment) -> None:
        match command:
            case StartReply(text=None) if not command.prepared:
                messages = as_openai(moment.state.history)
                messages += [{"role": "user", "content": command.said}] if command.said else []
                messages += [{"role": role, "content": text} for role, text in command.prompt]
                one = Generation(command.turn_id, self._assistant, moment.at_ms, messages)
                self._open[command.turn_id] = one
                self.trace.generations.append(one)
            case CloseReply(turn_id, outcome) if (one := self._open.pop(turn_id, None)) is not None:
                one.outcome = outcome
                one.ended_ms = moment.at_ms if one.ended_ms is None else one.ended_ms
            case RunTools():
                for call_id in command.call_ids:
                    self._run_tool(call_id, moment.at_ms)
            case SwitchAssistant():
                self._assistant += 1
            case _:
                pass

    def _run_tool(self, call_id: str, at_ms: int) -> None:
        request = self._requests.get(call_id)
        if request is not None:
            self._running[call_id] = run = ToolRun(call_id, request.name, request.arguments, at_ms)
            self.trace.tools.append(run)


def trace_of(moments: Iterable[Moment]) -> CallTrace:
    """Return the trace of a replayed call."""
    tracer = _Tracer()
    last: Moment | None = None
    for last in moments:
        tracer.apply(last)
    if last is not None:
        tracer.trace.conversation = as_openai(last.state.history)
    return tracer.trace
