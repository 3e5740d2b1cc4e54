"""The tools of one call at work: what a model asks for is made out, run once, and answered whatever happens."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import anyio
import structlog

from bargein.call.plan.hooks import static_arguments
from bargein.call.tools import declarations
from bargein.call.tools.declarations import ToolDeclarations
from bargein.call.tools.rejection import Render, rejected
from bargein.call.tools.tool_runners import ToolRunners
from bargein.ports import ToolCall, ToolResult, ToolRunner
from bargein.turns.commands import Remember
from bargein.turns.events import DelayMessage, Event, HookToolCalled, ToolCallRequest, ToolReturned, ToolsCalled
from bargein.wire.base import JsonObject

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_log = structlog.get_logger("bargein.call")

MOST_RESULT_CHARS = 100_000
"""A longer result is cut: it would drown the conversation."""
_MOST_ID_CHARS = 64
_MAX_WAITING = 1000
_GRACE_S = 5.0
"""The engine gives a tool up so much later than the tool's own time limit."""
_AFTER_THE_CALL_S = 3.0

SPOKEN_AND_ENDED = "assistant-ended-call-after-message-spoken"


class Answer(NamedTuple):
    """What a tool that the call itself carries out has come to.

    Attributes:
        result: for the model.
        say: said unless the tool has a message of its own; None: the model is asked, unless the call ends.
        ends: the call ends with this `endedReason` once all is said.
    """

    result: ToolResult
    say: str | None = None
    ends: str | None = None


Inside = Callable[[JsonObject, ToolCall, JsonObject], Awaitable[Answer]]
"""Carries out a tool of the call's own: the tool, the call of it, its arguments. It raises nothing."""


@dataclass(frozen=True, slots=True)
class Work:
    """A tool call, made out.

    Attributes:
        call: as the model wrote it, but for an id that is unique.
        tool: Vapi's JSON; None: the assistant has no such tool.
        arguments: None: they are no JSON object.
        refusal: why it does not run.
        number: how many calls came before it.
        runner: of the assistant that called it.
    """

    call: ToolCall
    tool: JsonObject | None
    arguments: JsonObject | None
    refusal: str | None
    number: int
    runner: ToolRunner | None


class ToolExecutor:
    """Runs the tools of one call.

    Args:
        runner: for those that reach outside, until another assistant brings its own; None: there is nobody.
        inside: for those that the call carries out, by type.
        render: fills in templates.
        history: the conversation so far.
        now_ms: the time since the call began.
        post: takes `ToolsCalled` and `ToolReturned`.
        learn: takes what a tool has found out (`ToolResult.variables`), before anything is said about it.
    """

    def __init__(
        self,
        *,
        runner: ToolRunner | None,
        inside: dict[str, Inside],
        render: Render,
        learn: Callable[[JsonObject], None],
        history: Callable[[], Sequence[Remember]],
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
    ) -> None:
        self._tool_runners = ToolRunners(runner)
        self._learn = learn
        self._inside = inside
        self._render = render
        self._history = history
        self._now_ms = now_ms
        self._post = post
        self._works: dict[str, Work] = {}
        self._running: dict[str, anyio.CancelScope] = {}
        self._begun, self._to_begin = anyio.create_memory_object_stream[Work](_MAX_WAITING)
        self._async_left = 0
        self._async_done = anyio.Event()

    def switch_runner(self, runner: ToolRunner | None) -> None:
        """Another assistant has the call: its tools are run by this one, those that were called before as they were."""
        self._tool_runners.relieve(runner)

    def find(self, call_id: str) -> Work | None:
        """A tool call of this call, also a past one."""
        return self._works.get(call_id)

    def ask(self, turn_id: str, calls: Sequence[ToolCall], box: ToolDeclarations, *, spoke: bool) -> None:
        """A reply calls tools; `spoke` tells whether it also said something."""
        asked = tuple(self._made_out(call, box, spoke=spoke) for call in calls)
        self._post(ToolsCalled(self._at(), turn_id, asked))

    def ask_for_hook(self, turn_id: str, tool: JsonObject | None) -> None:
        """A hook calls a tool; None: there is no such tool."""
        asked: tuple[ToolCallRequest, ...] = ()
        if tool is not None:
            arguments = static_arguments(tool) if tool.get("type") in declarations.BUILTIN_TYPES else {}
            call = ToolCall(f"hook_{turn_id[-12:]}", declarations.name_of(tool), json.dumps(arguments))
            asked = (self._made_out(call, ToolDeclarations((tool,)), spoke=True),)
        self._post(HookToolCalled(self._at(), turn_id, asked))

    def _made_out(self, call: ToolCall, box: ToolDeclarations, *, spoke: bool) -> ToolCallRequest:
        number = len(self._works)
        if not call.id or len(call.id) > _MOST_ID_CHARS or call.id in self._works:
            call = ToolCall(f"{call.id[: _MOST_ID_CHARS - 8]}_{number}", call.name, call.arguments)
        tool, arguments = box.find(call.name), declarations.arguments_of(call)
        work = Work(call, tool, arguments, self._refusal(call, tool, arguments), number, self._tool_runners.runner)
        self._works[call.id] = work
        if work.refusal is None:
            self._tool_runners.take(work.runner, call.id)
        asked = ToolCallRequest(call.id, call.name, call.arguments)
        if tool is None or arguments is None or work.refusal is not None:
            return asked
        start = declarations.start_of(tool, arguments, number)
        delayed = declarations.delayed_of(tool, arguments, number)
        unsaid = (
            start is None
            and not spoke
            and not declarations.is_async(tool)
            and tool.get("type") not in declarations.BUILTIN_TYPES
        )
        if unsaid and not any(staged.after_ms <= declarations.FILLER_AFTER_MS for staged in delayed):
            delayed = (declarations.filler(number), *delayed)
        start = start or declarations.Start()
        return ToolCallRequest(
            call.id,
            call.name,
            call.arguments,
            start=self._filled_in(start.text),
            blocking=start.blocking,
            delayed=tuple(DelayMessage(one.after_ms, self._filled_in(one.text)) for one in delayed),
            is_async=declarations.is_async(tool),
            timeout_ms=int((declarations.timeout_s(tool) + _GRACE_S) * 1000),
        )

    def _refusal(self, call: ToolCall, tool: JsonObject | None, arguments: JsonObject | None) -> str | None:
        if tool is None:
            return f"Not run: there is no tool called {call.name[:64]}."
        if arguments is None:
            return "Not run: its arguments are not a JSON object."
        if rejected(tool, self._history(), self._render):
            return "Not run: the conversation does not allow it at this point."
        return None

    def _filled_in(self, text: str) -> str:
        return self._render(text, {}) if text else text

    # At work.

    def run(self, call_ids: Sequence[str]) -> list[Work]:
        """Run these calls; gives them, but for those that are refused."""
        begun: list[Work] = []
        for call_id in call_ids:
            work = self._works[call_id]
            if work.refusal is not None or work.tool is None:
                self._answer(work, Answer(ToolResult(work.refusal or "", failed=True)))
                continue
            begun.append(work)
            self._async_left += declarations.is_async(work.tool)
            self._begun.send_nowait(work)
        return begun

    def stop(self, call_id: str) -> None:
        """Nobody waits for this call any more."""
        if (scope := self._running.get(call_id)) is not None:
            scope.cancel()
        elif (work := self._works.get(call_id)) is not None:
            self._tool_runners.leave(work.runner, call_id)

    async def direct(self, tasks: "TaskGroup") -> None:
        """Hold the work until cancelled; each call of a tool is a task of its own."""
        async with self._begun, self._to_begin:
            async for work in self._to_begin:
                tasks.start_soon(self._work, work)

    async def finish(self) -> None:
        """The call is over: let what nobody waited for come to its end, for a moment."""
        with anyio.move_on_after(_AFTER_THE_CALL_S):
            while self._async_left:
                await self._async_done.wait()

    async def _work(self, work: Work) -> None:
        tool, arguments = work.tool, work.arguments
        if tool is None or arguments is None:  # `run` begins no such call
            raise AssertionError
        limit_s = declarations.timeout_s(tool)
        answer = Answer(ToolResult(f"The tool gave no answer within {limit_s:g} seconds.", failed=True))
        try:
            with anyio.move_on_after(limit_s) as scope:
                self._running[work.call.id] = scope
                answer = await self._answered(tool, work, arguments)
        except Exception as error:  # noqa: BLE001  # a tool's own bug must be told to the model, and end no call
            _log.error("a tool broke", tool=tool.get("type"), exc_info=error)
            answer = Answer(ToolResult("The tool broke.", failed=True))
        finally:
            self._running.pop(work.call.id, None)
            self._tool_runners.leave(work.runner, work.call.id)
            if declarations.is_async(tool):
                self._async_left -= 1
                self._async_done.set()
                self._async_done = anyio.Event()
        self._answer(work, answer)

    async def _answered(self, tool: JsonObject, work: Work, arguments: JsonObject) -> Answer:
        inside = self._inside.get(str(tool.get("type")))
        if inside is not None:
            return await inside(tool, work.call, arguments)
        if work.runner is None:
            return Answer(ToolResult("This server cannot run tools of that type.", failed=True))
        return Answer(await work.runner.run(tool, work.call))

    def _answer(self, work: Work, answer: Answer) -> None:
        result, tool = answer.result, work.tool
        if result.variables:
            self._learn(result.variables)
        end = (
            declarations.End() if tool is None else declarations.end_of(tool, work.arguments or {}, result, work.number)
        )
        say = answer.say if end.say is None and end.tell is None else end.say
        self._post(
            ToolReturned(
                self._at(),
                work.call.id,
                _bounded(result.text),
                failed=result.failed,
                say=None if say is None else self._filled_in(say),
                system_message=None if end.tell is None else self._filled_in(end.tell),
                end_call_reason=answer.ends or (SPOKEN_AND_ENDED if end.ends_call else None),
                metadata=None if result.metadata is None else json.dumps(result.metadata, ensure_ascii=False),
                variables=json.dumps(result.variables, ensure_ascii=False) if result.variables else None,
            )
        )

    def _at(self) -> int:
        return int(self._now_ms())


def _bounded(text: str) -> str:
    if len(text) <= MOST_RESULT_CHARS:
        return text
    return f"{text[:MOST_RESULT_CHARS]}\n(cut: the result has {len(text)} characters)"
