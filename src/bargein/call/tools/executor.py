"""Execution of tool calls: each is prepared, run once, and always gets a result."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
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
from bargein.wire.base import JsonObject, Template
from bargein.wire.tools import HOOK_CALL

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_log = structlog.get_logger("bargein.call")

MOST_RESULT_CHARS = 100_000
"""A longer result is cut: it would fill the model's context."""
_MOST_ID_CHARS = 64
_MAX_WAITING = 1000
_GRACE_S = 5.0
"""The engine gives a tool up so much later than the tool's own time limit."""
_AFTER_THE_CALL_S = 3.0

SPOKEN_AND_ENDED = "assistant-ended-call-after-message-spoken"


class ToolOutcome(NamedTuple):
    """The outcome of a tool call.

    Attributes:
        result: the result for the model.
        say: said unless the tool has a message of its own; None: the model answers, unless the call ends.
        ends: the `endedReason` with which the call ends once everything is said; None: it goes on.
    """

    result: ToolResult
    say: str | None = None
    ends: str | None = None


BuiltinTool = Callable[[JsonObject, ToolCall, JsonObject], Awaitable[ToolOutcome]]
"""Carries out a built-in tool, given the tool, the tool call and its arguments. It raises nothing."""


@dataclass(frozen=True, slots=True)
class ToolInvocation:
    """A prepared tool call.

    Attributes:
        call: the tool call as the model wrote it, with an id that is unique in the call.
        tool: Vapi's JSON of the tool; None: the assistant has no such tool.
        arguments: the parsed arguments; None: they are not a JSON object.
        refusal: why it is not run; None: it is run.
        number: the number of tool calls before it.
        runner: the runner of the assistant that called it.
    """

    call: ToolCall
    tool: JsonObject | None
    arguments: JsonObject | None
    refusal: str | None
    number: int
    runner: ToolRunner | None


class ToolExecutor:
    """The executor of one call's tools.

    Args:
        runner: runs tools that reach outside the call, until a handoff brings another one; None: they cannot be run.
        builtin: the built-in tools, by type.
        render: renders templates.
        save_variables: receives the values that a tool has extracted (`ToolResult.variables`) and the tool, before its
            message is said.
        history: returns the conversation so far.
        now_ms: returns the time since the call began.
        post: receives `ToolsCalled`, `HookToolCalled` and `ToolReturned`.
    """

    def __init__(
        self,
        *,
        runner: ToolRunner | None,
        builtin: dict[str, BuiltinTool],
        render: Render,
        save_variables: Callable[[JsonObject, JsonObject | None], None],
        history: Callable[[], Sequence[Remember]],
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
    ) -> None:
        self._tool_runners = ToolRunners(runner)
        self._save_variables = save_variables
        self._builtin = builtin
        self._render = render
        self._history = history
        self._now_ms = now_ms
        self._post = post
        self._invocations: dict[str, ToolInvocation] = {}
        self._running: dict[str, anyio.CancelScope] = {}
        self._to_start_in, self._to_start = anyio.create_memory_object_stream[ToolInvocation](_MAX_WAITING)
        self._async_left = 0
        self._async_done = anyio.Event()

    def switch_runner(self, runner: ToolRunner | None) -> None:
        """Run the tools of another assistant with its runner; calls made before keep theirs."""
        self._tool_runners.switch(runner)

    def find(self, call_id: str) -> ToolInvocation | None:
        """Return a tool call of this call, also a past one."""
        return self._invocations.get(call_id)

    def prepare(self, turn_id: str, calls: Sequence[ToolCall], tools: ToolDeclarations, *, spoke: bool) -> None:
        """Prepare the tools that a reply calls, and post them; `spoke`: whether the reply also said something."""
        asked = tuple(self._prepare(call, tools, spoke=spoke) for call in calls)
        self._post(ToolsCalled(self._at(), turn_id, asked))

    def prepare_for_hook(self, turn_id: str, tool: JsonObject | None) -> None:
        """Prepare the tool that a hook calls, and post it; None: there is no such tool."""
        asked: tuple[ToolCallRequest, ...] = ()
        if tool is not None:
            arguments = static_arguments(tool) if tool.get("type") in declarations.BUILTIN_TYPES else {}
            call = ToolCall(f"{HOOK_CALL}{turn_id[-12:]}", declarations.name_of(tool), json.dumps(arguments))
            asked = (self._prepare(call, ToolDeclarations((tool,)), spoke=True),)
        self._post(HookToolCalled(self._at(), turn_id, asked))

    def _prepare(self, call: ToolCall, tools: ToolDeclarations, *, spoke: bool) -> ToolCallRequest:
        number = len(self._invocations)
        if not call.id or len(call.id) > _MOST_ID_CHARS or call.id in self._invocations:
            call = replace(call, id=f"{call.id[: _MOST_ID_CHARS - 8]}_{number}")
        tool, arguments = tools.find(call.name), declarations.arguments_of(call)
        invocation = ToolInvocation(
            call, tool, arguments, self._refusal(call, tool, arguments), number, self._tool_runners.runner
        )
        self._invocations[call.id] = invocation
        if invocation.refusal is None:
            self._tool_runners.acquire(invocation.runner, call.id)
        asked = ToolCallRequest(call.id, call.name, call.arguments, vendor_state=call.vendor_state)
        if tool is None or arguments is None or invocation.refusal is not None:
            return asked
        start = declarations.start_of(tool, arguments, number)
        delayed = declarations.delayed_of(tool, arguments, number)
        unsaid = start is None and not spoke and not declarations.is_async(tool) and not declarations.is_builtin(tool)
        if unsaid and not any(staged.after_ms <= declarations.FILLER_AFTER_MS for staged in delayed):
            delayed = (declarations.filler(number), *delayed)
        start = start or declarations.StartMessage()
        return ToolCallRequest(
            call.id,
            call.name,
            call.arguments,
            start=self._render_text(start.text),
            blocking=start.blocking,
            delayed=tuple(DelayMessage(one.after_ms, self._render_text(one.text)) for one in delayed),
            is_async=declarations.is_async(tool),
            timeout_ms=int((declarations.timeout_s(tool) + _GRACE_S) * 1000),
            vendor_state=call.vendor_state,
        )

    def _refusal(self, call: ToolCall, tool: JsonObject | None, arguments: JsonObject | None) -> str | None:
        if tool is None:
            return f"Not run: there is no tool called {call.name[:64]}."
        if arguments is None:
            return "Not run: its arguments are not a JSON object."
        if rejected(tool, self._history(), self._render):
            return "Not run: the conversation does not allow it at this point."
        return None

    def _render_text(self, text: str) -> str:
        """Render a text of a tool's settings."""
        return self._render(Template(text), {}) if text else text

    def run(self, call_ids: Sequence[str]) -> list[ToolInvocation]:
        """Run these tool calls; return those that are not refused."""
        started: list[ToolInvocation] = []
        for call_id in call_ids:
            invocation = self._invocations[call_id]
            if invocation.refusal is not None or invocation.tool is None:
                self._post_result(invocation, ToolOutcome(ToolResult(invocation.refusal or "", failed=True)))
                continue
            started.append(invocation)
            self._async_left += declarations.is_async(invocation.tool)
            self._to_start_in.send_nowait(invocation)
        return started

    def stop(self, call_id: str) -> None:
        """Cancel a tool call, or give it up if it has not started."""
        if (scope := self._running.get(call_id)) is not None:
            scope.cancel()
        elif (invocation := self._invocations.get(call_id)) is not None:
            self._tool_runners.release(invocation.runner, call_id)

    async def run_tasks(self, tasks: "TaskGroup") -> None:
        """Run tool calls as tasks of `tasks` until cancelled."""
        async with self._to_start_in, self._to_start:
            async for invocation in self._to_start:
                tasks.start_soon(self._execute, invocation)

    async def wait_for_async(self) -> None:
        """Wait a few seconds for async tools that still run: the call is over."""
        with anyio.move_on_after(_AFTER_THE_CALL_S):
            while self._async_left:
                await self._async_done.wait()

    async def _execute(self, invocation: ToolInvocation) -> None:
        tool, arguments = invocation.tool, invocation.arguments
        if tool is None or arguments is None:  # `run` starts no such call
            raise AssertionError
        limit_s = declarations.timeout_s(tool)
        outcome = ToolOutcome(ToolResult(f"The tool gave no answer within {limit_s:g} seconds.", failed=True))
        try:
            with anyio.move_on_after(limit_s) as scope:
                self._running[invocation.call.id] = scope
                outcome = await self._run_tool(tool, invocation, arguments)
        except Exception as error:  # noqa: BLE001  # a bug in a tool becomes a result for the model, and does not end the call
            _log.error("a tool raised an unexpected error", tool=tool.get("type"), exc_info=error)
            outcome = ToolOutcome(ToolResult("The tool failed.", failed=True))
        finally:
            self._running.pop(invocation.call.id, None)
            self._tool_runners.release(invocation.runner, invocation.call.id)
            if declarations.is_async(tool):
                self._async_left -= 1
                self._async_done.set()
                self._async_done = anyio.Event()
        self._post_result(invocation, outcome)

    async def _run_tool(self, tool: JsonObject, invocation: ToolInvocation, arguments: JsonObject) -> ToolOutcome:
        if declarations.is_builtin(tool):
            return await self._builtin[str(tool["type"])](tool, invocation.call, arguments)
        if invocation.runner is None:
            return ToolOutcome(ToolResult("This server cannot run tools of that type.", failed=True))
        return ToolOutcome(await invocation.runner.run(tool, invocation.call))

    def _post_result(self, invocation: ToolInvocation, outcome: ToolOutcome) -> None:
        result, tool = outcome.result, invocation.tool
        if result.variables:
            self._save_variables(result.variables, tool)
        end = declarations.EndMessage() if tool is None else self._end_of(tool, invocation, result)
        # The text of a built-in tool is the assistant's, whose templates are filled in already.
        say = outcome.say if end.say is None and end.system_message is None else end.say
        self._post(
            ToolReturned(
                self._at(),
                invocation.call.id,
                _bounded(result.text),
                failed=result.failed,
                say=say,
                system_message=end.system_message,
                end_call_reason=outcome.ends or (SPOKEN_AND_ENDED if end.ends_call else None),
                metadata=None if result.metadata is None else json.dumps(result.metadata, ensure_ascii=False),
                variables=json.dumps(result.variables, ensure_ascii=False) if result.variables else None,
            )
        )

    def _end_of(self, tool: JsonObject, invocation: ToolInvocation, result: ToolResult) -> declarations.EndMessage:
        end = declarations.end_of(tool, invocation.arguments or {}, result, invocation.number)
        if not end.is_template:
            return end
        return end._replace(
            say=None if end.say is None else self._render_text(end.say),
            system_message=None if end.system_message is None else self._render_text(end.system_message),
        )

    def _at(self) -> int:
        return int(self._now_ms())


def _bounded(text: str) -> str:
    if len(text) <= MOST_RESULT_CHARS:
        return text
    return f"{text[:MOST_RESULT_CHARS]}\n(cut: the result has {len(text)} characters)"
