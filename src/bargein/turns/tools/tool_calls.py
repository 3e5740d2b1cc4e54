"""Tool calls in flight: called by a reply or a hook, run once, answered once.

A tool call belongs to the reply that called it. It goes on when the caller interrupts that reply: its result enters the
history right after the call, as chat models expect it. A tool that is interrupted before it runs does not run.

The model is asked again when all the tools that a reply waits for are done, once for all of them; a reply that started
meanwhile has seen the results that were there by then.

A blocking start message, and a `request-response-delayed` message after 2 s:

    assistant   ..|"One moment."|..................|"Still at it."|....
    tool          waiting       |--- running --->---------------|
                                |<------ 2 s ----->|
                                                                result, then the model is asked
"""

from dataclasses import replace

from bargein.turns import conversation
from bargein.turns.commands import CalledTool, Command, Decide, Remember, RunTools, StopTool
from bargein.turns.events import HookToolCalled, ToolCallRequest, ToolReturned, ToolsCalled
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies.reply import PendingSay, Reply
from bargein.turns.state import Change, State, Tool

MAX_RUNNING = 16
"""At most this many tools of a call run at the same time."""
MAX_ROUNDS = 20
"""After this many requests because of tool results, without a word of the caller, the model gets no more tools."""

_CARRIED_OUT = frozenset({"assistant-forwarded-call"})
"""Reasons of an end that nothing calls off: the caller has been transferred."""

_TOO_MANY = f"Not run: more than {MAX_RUNNING} tools at once."
_TOO_OFTEN = "Not run: too many tool calls in a row. Talk to the caller."
_NOT_BEGUN = "Not run: it was interrupted before it began."
_CALL_OVER = "The call ended before the tool had answered."


def call_by_reply(state: State, reply: Reply, event: ToolsCalled) -> Change:
    """Call the tools of the running reply."""
    requests = _new_requests(state, event.calls)
    if not reply.by_model or reply.called_tools or not requests:
        return state, []
    reply = replace(reply, called_tools=True, last_activity_ms=state.now_ms, hang_sent=False)
    return _call(replace(state, reply=reply), reply.turn_id, requests, silent=not reply.text.strip())


def call_by_hook(state: State, event: HookToolCalled) -> Change:
    """Call a hook's tool: no reply waits for it, and the model is not asked to answer it."""
    if event.turn_id not in state.pending_hook_tools:
        return state, []
    pending = tuple(turn_id for turn_id in state.pending_hook_tools if turn_id != event.turn_id)
    state = replace(state, pending_hook_tools=pending)
    requests = _new_requests(state, event.calls)
    return _call(state, event.turn_id, requests, by_hook=True) if requests else (state, [])


def _new_requests(state: State, requests: tuple[ToolCallRequest, ...]) -> list[ToolCallRequest]:
    """Return the requests whose ids the call has not had, each id once."""
    new = {request.id: request for request in reversed(requests) if request.id not in state.tool_call_ids}
    return list(new.values())[::-1]


def _call(
    state: State, turn_id: str, requests: list[ToolCallRequest], *, silent: bool = False, by_hook: bool = False
) -> Change:
    called = tuple(
        CalledTool(request.id, request.name, request.arguments, request.vendor_state) for request in requests
    )
    entry = Remember("assistant", "", state.now_ms, state.now_ms, turn_id, tool_calls=called)
    ids = state.tool_call_ids.union(request.id for request in requests)
    state = replace(state, history=(*state.history, entry), tool_call_ids=ids)
    commands: list[Command] = [entry]
    run: list[str] = []
    for request in requests:
        state, more, runs = _add(state, turn_id, request, silent=silent, by_hook=by_hook)
        commands.extend(more)
        run.extend([request.id] if runs else [])
    if run:
        commands.append(RunTools(turn_id, tuple(run)))
    return state, commands


def _add(
    state: State, turn_id: str, request: ToolCallRequest, *, silent: bool, by_hook: bool
) -> tuple[State, list[Command], bool]:
    """Refuse one call, join it to a running duplicate, hold it back for its start message, or let it run.

    Returns:
        The state, the commands, and True if it runs now.
    """
    tool = Tool(
        call_id=request.id,
        turn_id=turn_id,
        name=request.name,
        arguments=request.arguments,
        status="running",
        timeout_ms=request.timeout_ms,
        is_async=request.is_async,
        started_ms=state.now_ms,
        delayed=tuple(sorted(request.delayed, key=lambda message: message.after_ms)),
        by_hook=by_hook,
        needs_response=request.is_async and silent and not request.start,
    )
    refusal = _refusal(state, by_hook=by_hook)
    if refusal is not None:
        state = replace(state, tools=(*state.tools, replace(tool, needs_response=False)))
        answer = state.tool_rounds < MAX_ROUNDS
        state, commands = _close(state, tool, refusal, failed=True, needs_response=answer)
        return state, commands, False
    twin = None if by_hook else next((t for t in state.tools if _is_duplicate(t, tool)), None)
    if twin is not None:
        why = Decide("ignored", f"{tool.name} runs already with the same arguments", turn_id)
        tool = replace(
            tool,
            duplicate_of=twin.call_id,
            is_async=twin.is_async,
            delayed=(),
            needs_response=twin.is_async,
        )
        return replace(state, tools=(*state.tools, tool)), [why], False
    speaks = bool(request.start) and (state.closing is None or state.closing.caller_present)
    blocking = request.blocking and speaks
    if speaks:
        say = PendingSay(
            text=request.start,
            starts_tool=request.id if blocking else None,
            tool_call_id=request.id,
            turn_id=turn_id,
        )
        if blocking or not any(s.text == request.start and s.turn_id == turn_id for s in state.pending_says):
            state = replace(state, pending_says=(*state.pending_says, say))
    tool = replace(tool, status="waiting" if blocking else "running")
    return replace(state, tools=(*state.tools, tool)), [], not blocking


def _refusal(state: State, *, by_hook: bool) -> str | None:
    if state.tool_rounds >= MAX_ROUNDS and not by_hook:
        return _TOO_OFTEN
    return _TOO_MANY if sum(t.status != "done" for t in state.tools) >= MAX_RUNNING else None


def _is_duplicate(tool: Tool, other: Tool) -> bool:
    """Return True if two replies want the same; a reply that calls the same twice means it."""
    return (
        tool.status != "done"
        and tool.duplicate_of is None
        and tool.turn_id != other.turn_id
        and (tool.name, tool.arguments) == (other.name, other.arguments)
    )


def run(state: State, call_id: str) -> Change:
    """Run a tool whose start message has been heard; its time limit counts from now."""
    tool = next(t for t in state.tools if t.call_id == call_id)
    state = _replace_tool(state, replace(tool, status="running", started_ms=state.now_ms))
    return state, [RunTools(tool.turn_id, (call_id,))]


def apply_result(state: State, event: ToolReturned) -> Change:
    """Apply a tool's result; one for a tool that does not run is dropped by its id."""
    tool = next((t for t in state.tools if t.call_id == event.call_id and t.status == "running"), None)
    if tool is None or tool.duplicate_of is not None:
        return state, []
    state = _without_wait(state, tool)
    answer = event.say is None and event.end_call_reason is None and not tool.is_async
    state, commands = _close(
        state, tool, event.text, failed=event.failed, needs_response=answer, metadata=event.metadata
    )
    if event.system_message:
        entry = Remember("system", event.system_message, state.now_ms, state.now_ms)
        state = replace(state, history=(*state.history, entry))
        commands.append(entry)
    if event.end_call_reason is not None and event.end_call_reason not in _CARRIED_OUT:
        state = replace(state, ending_calls=(*state.ending_calls, tool.call_id))
    if event.say:
        ends_for = tool.call_id if tool.call_id in state.ending_calls else None
        say = PendingSay(text=event.say, end_call_reason=event.end_call_reason, ends_for=ends_for)
        state = replace(state, pending_says=(*state.pending_says, say))
    elif event.end_call_reason is not None:
        state = replace(state, end_call_reason=event.end_call_reason)
    return state, commands


def _close(
    state: State, tool: Tool, text: str, *, failed: bool, needs_response: bool, metadata: str | None = None
) -> Change:
    """Give a tool call and its duplicates their one result each."""
    commands: list[Command] = []
    for one in state.tools:
        if one.status == "done" or tool.call_id not in (one.call_id, one.duplicate_of):
            continue
        entry = Remember(
            "tool",
            text,
            one.started_ms,
            state.now_ms,
            one.turn_id,
            tool_call_id=one.call_id,
            failed=failed,
            metadata=metadata,
        )
        state = replace(state, history=conversation.with_result(state.history, entry))
        answer = not one.by_hook and (needs_response or (one.is_async and one.needs_response))
        state = _replace_tool(state, replace(one, status="done", needs_response=answer))
        commands.append(entry)
    says = tuple(s for s in state.pending_says if not (s.only_while_running and s.tool_call_id == tool.call_id))
    return replace(state, pending_says=says), commands


def _without_wait(state: State, tool: Tool) -> State:
    """Take the time in which the assistant waited for a tool off the time in which nobody was heard."""
    if tool.is_async:
        return state
    idle_ms = max(0, tool.started_ms - state.idle_since_ms)
    return replace(state, idle_since_ms=max(state.idle_since_ms, state.now_ms - idle_ms))


def _replace_tool(state: State, tool: Tool) -> State:
    return replace(state, tools=tuple(tool if t.call_id == tool.call_id else t for t in state.tools))


def _tool_timeout_due(state: State, _plan: Plan) -> int | None:
    return min((t.started_ms + t.timeout_ms for t in _running(state)), default=None)


def _give_up_tool(state: State, _plan: Plan) -> Change:
    tool = min(_running(state), key=lambda t: t.started_ms + t.timeout_ms)
    text = f"The tool gave no answer within {tool.timeout_ms / 1000:g} seconds."
    state, commands = _close(state, tool, text, failed=True, needs_response=not tool.is_async)
    return _without_wait(state, tool), [StopTool(tool.call_id), *commands]


def _delay_message_due(state: State, _plan: Plan) -> int | None:
    return min((t.started_ms + t.delayed[0].after_ms for t in _running(state) if t.delayed), default=None)


def _queue_delay_message(state: State, _plan: Plan) -> Change:
    tool = min((t for t in _running(state) if t.delayed), key=lambda t: t.started_ms + t.delayed[0].after_ms)
    message, *rest = tool.delayed
    state = _replace_tool(state, replace(tool, delayed=tuple(rest)))
    if any(s.only_while_running for s in state.pending_says):  # one such message at a time
        return state, []
    say = PendingSay(text=message.text, tool_call_id=tool.call_id, turn_id=tool.turn_id, only_while_running=True)
    return replace(state, pending_says=(*state.pending_says, say)), []


def _cancelled_tool_due(state: State, _plan: Plan) -> int | None:
    return None if _cancelled_tool(state) is None else state.now_ms


def _close_cancelled_tool(state: State, _plan: Plan) -> Change:
    tool = _cancelled_tool(state)
    if tool is None:  # _cancelled_tool_due has found it
        raise AssertionError
    # A reply that was requested at this very moment has seen the result already.
    answer = state.reply is None or state.reply.kind != "model" or state.reply.requested_ms < state.now_ms
    why = Decide("ignored", f"{tool.name} does not run: the message before it was not heard", tool.turn_id)
    state, commands = _close(state, tool, _NOT_BEGUN, failed=True, needs_response=answer)
    return state, [why, *commands]


def _cancelled_tool(state: State) -> Tool | None:
    """Find a tool that waits for a start message which will not be heard any more."""
    starting = {s.starts_tool for s in state.pending_says}
    starting.add(state.reply.starts_tool if state.reply is not None else None)
    starting.add(state.false_interruption.starts_tool if state.false_interruption is not None else None)
    return next((t for t in state.tools if t.status == "waiting" and t.call_id not in starting), None)


def _tool_results_due(state: State, _plan: Plan) -> int | None:
    return state.now_ms if _turns_with_results(state) else None


def _request_response(state: State, _plan: Plan) -> Change:
    turn_ids = _turns_with_results(state)
    answer = any(t.needs_response for t in state.tools if t.turn_id in turn_ids)
    state = replace(state, tools=_without_results(state.tools, turn_ids), tool_rounds=state.tool_rounds + answer)
    return (conversation.ask_for_response(state) if answer else state), []


def _turns_with_results(state: State) -> set[str]:
    """Find the replies that are over and whose awaited tools are all done."""
    running = state.reply.turn_id if state.reply is not None else None
    awaited = {t.turn_id for t in state.tools if t.awaited}
    return {t.turn_id for t in state.tools if t.status == "done" or t.needs_response} - awaited - {running}


def mark_results_seen(state: State) -> State:
    """Note that the model is asked now with the whole history: the results in it need no further answer."""
    return replace(state, tools=_without_results(state.tools, {t.turn_id for t in state.tools}))


def _without_results(tools: tuple[Tool, ...], turn_ids: set[str]) -> tuple[Tool, ...]:
    return tuple(
        replace(t, needs_response=False) if t.turn_id in turn_ids else t
        for t in tools
        if t.status != "done" or t.turn_id not in turn_ids
    )


def drop_pending_says(state: State, turn_id: str) -> State:
    """Drop what was still to be said for a reply that the caller has interrupted, also about its tools."""
    return replace(state, pending_says=tuple(s for s in state.pending_says if s.turn_id != turn_id))


def close_all(state: State) -> Change:
    """Give every unanswered tool call a result at the end of the call."""
    commands: list[Command] = []
    for tool in state.tools:
        if tool.status != "done" and tool.duplicate_of is None:
            state, closing = _close(state, tool, _CALL_OVER, failed=True, needs_response=False)
            commands.extend(closing)
    return replace(state, tools=()), commands


def is_awaited(state: State) -> bool:
    """Return True if the assistant waits for a tool."""
    return any(t.awaited for t in state.tools)


def _running(state: State) -> list[Tool]:
    return [t for t in state.tools if t.status == "running" and t.duplicate_of is None]


TOOL_TIMEOUT = Item(
    "tool timeout",
    "Due when a tool has not answered within its time limit: it is stopped and gets a failed result.",
    _tool_timeout_due,
    _give_up_tool,
    closing=True,
)
DELAY_MESSAGE = Item(
    "tool delay message",
    "Due when a running tool has taken as long as its next `request-response-delayed` message says: the message is"
    " queued, unless one is queued already.",
    _delay_message_due,
    _queue_delay_message,
    closing=True,
)
CANCELLED_TOOL = Item(
    "cancelled tool",
    "Due when a tool waits for a blocking start message that will not be heard any more: it does not run, and gets a"
    " failed result.",
    _cancelled_tool_due,
    _close_cancelled_tool,
    closing=True,
)
TOOL_RESULTS = Item(
    "tool results",
    "Due when a reply is over and all the tools that it waits for are done: a response becomes pending if a result"
    " needs one.",
    _tool_results_due,
    _request_response,
    closing=True,
)
