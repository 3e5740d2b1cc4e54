"""Tools in flight: called by a reply, run once, answered once.

A tool call belongs to the reply that asked for it. It goes on when the caller interrupts that reply: its result comes
into the history, right after the call, as chat models want it. What is interrupted before it ran does not run.

The model is asked again when all the tools that a reply waits for are done, and only once for all of them; a reply that
the caller got meanwhile has seen what was done by then.
"""

from dataclasses import replace

from bargein.turns.commands import CalledTool, Command, Decide, Remember, RunTools, StopTool
from bargein.turns.events import HookToolCalled, ToolAsked, ToolReturned, ToolsCalled
from bargein.turns.state import Reply, Saying, State, Tool

Change = tuple[State, list[Command]]

MOST_IN_FLIGHT = 16
"""More tools than this do not run at once."""
MOST_ROUNDS = 20
"""A model that has been asked so often because of its own tools, without a word of the caller's, gets no more tools."""

_TOO_MANY = f"Not run: more than {MOST_IN_FLIGHT} tools at once."
_TOO_OFTEN = "Not run: too many tool calls in a row. Talk to the caller."
_NOT_BEGUN = "Not run: it was interrupted before it began."
_CALL_OVER = "The call ended before the tool had answered."


def call(state: State, reply: Reply, event: ToolsCalled) -> Change:
    """The running reply calls tools."""
    calls = _news(state, event.calls)
    if not reply.by_model or reply.called or not calls:
        return state, []
    reply = replace(reply, called=True, alive_ms=state.now_ms, hang_sent=False)
    return _call(replace(state, reply=reply), reply.turn_id, calls, silent=not reply.text.strip())


def call_by_hook(state: State, event: HookToolCalled) -> Change:
    """A hook calls a tool: no reply waits for it, and the model is not asked because of it."""
    if event.turn_id not in state.errands:
        return state, []
    state = replace(state, errands=tuple(turn for turn in state.errands if turn != event.turn_id))
    calls = _news(state, event.calls)
    return _call(state, event.turn_id, calls, hook=True) if calls else (state, [])


def _news(state: State, calls: tuple[ToolAsked, ...]) -> list[ToolAsked]:
    """The calls that there have not been."""
    return list({asked.id: asked for asked in reversed(calls) if asked.id not in state.called}.values())[::-1]


def _call(state: State, turn_id: str, calls: list[ToolAsked], *, silent: bool = False, hook: bool = False) -> Change:
    called = tuple(CalledTool(asked.id, asked.name, asked.arguments) for asked in calls)
    entry = Remember("assistant", "", state.now_ms, state.now_ms, turn_id, tool_calls=called)
    known = state.called.union(asked.id for asked in calls)
    state = replace(state, history=(*state.history, entry), called=known, quiet_ms=state.now_ms)
    commands: list[Command] = [entry]
    run: list[str] = []
    for asked in calls:
        state, more, runs = _take_up(state, turn_id, asked, silent=silent, hook=hook)
        commands.extend(more)
        run.extend([asked.id] if runs else [])
    if run:
        commands.append(RunTools(turn_id, tuple(run)))
    return state, commands


def _take_up(
    state: State, turn_id: str, asked: ToolAsked, *, silent: bool, hook: bool
) -> tuple[State, list[Command], bool]:
    """One call: refused, joined to one that runs already, held back for its start message, or run (the last)."""
    tool = Tool(
        call_id=asked.id,
        turn_id=turn_id,
        name=asked.name,
        arguments=asked.arguments,
        status="running",
        timeout_ms=asked.timeout_ms,
        is_async=asked.is_async,
        run_ms=state.now_ms,
        delayed=tuple(sorted(asked.delayed, key=lambda staged: staged.after_ms)),
        hook=hook,
        answer=asked.is_async and silent and not asked.start,
    )
    refused = _refusal(state, hook=hook)
    if refused is not None:
        state = replace(state, tools=(*state.tools, replace(tool, answer=False)))
        state, commands = _close(state, tool, refused, failed=True, answer=state.rounds < MOST_ROUNDS)
        return state, commands, False
    twin = None if hook else next((t for t in state.tools if _is_twin(t, tool)), None)
    if twin is not None:
        why = Decide("ignored", f"{tool.name} runs already, with the same arguments", turn_id)
        tool = replace(tool, same_as=twin.call_id, is_async=twin.is_async, delayed=(), answer=twin.is_async)
        return replace(state, tools=(*state.tools, tool)), [why], False
    speaks = bool(asked.start) and (state.closing is None or state.closing.present)
    blocking = asked.blocking and speaks
    if speaks:
        saying = Saying(
            text=asked.start,
            starts=asked.id if blocking else None,
            about=asked.id,
            of_turn=turn_id,
        )
        if blocking or not any(s.text == asked.start and s.of_turn == turn_id for s in state.sayings):
            state = replace(state, sayings=(*state.sayings, saying))
    tool = replace(tool, status="waiting" if blocking else "running")
    return replace(state, tools=(*state.tools, tool)), [], not blocking


def _refusal(state: State, *, hook: bool) -> str | None:
    if state.rounds >= MOST_ROUNDS and not hook:
        return _TOO_OFTEN
    return _TOO_MANY if sum(t.status != "done" for t in state.tools) >= MOST_IN_FLIGHT else None


def _is_twin(tool: Tool, other: Tool) -> bool:
    """Whether two replies want the same; one that calls the same twice means it."""
    return (
        tool.status != "done"
        and tool.same_as is None
        and tool.turn_id != other.turn_id
        and (tool.name, tool.arguments) == (other.name, other.arguments)
    )


def run(state: State, call_id: str) -> Change:
    """The start message of a tool has been heard: it runs. Who waits for one is not given up before."""
    tool = next(t for t in state.tools if t.call_id == call_id)
    return _with(state, replace(tool, status="running", run_ms=state.now_ms)), [RunTools(tool.turn_id, (call_id,))]


def take(state: State, event: ToolReturned) -> Change:
    """A tool has answered. What comes for one that does not run is dropped by its id."""
    tool = next((t for t in state.tools if t.call_id == event.call_id and t.status == "running"), None)
    if tool is None or tool.same_as is not None:
        return state, []
    state = replace(state, quiet_ms=state.now_ms)
    answer = event.say is None and event.ends is None and not tool.is_async
    state, commands = _close(state, tool, event.text, failed=event.failed, answer=answer, metadata=event.metadata)
    if event.tell:
        entry = Remember("system", event.tell, state.now_ms, state.now_ms)
        state = replace(state, history=(*state.history, entry))
        commands.append(entry)
    if event.say:
        state = replace(state, sayings=(*state.sayings, Saying(text=event.say, ends=event.ends)))
    elif event.ends is not None:
        state = replace(state, ending=event.ends)
    return state, commands


def _close(state: State, tool: Tool, text: str, *, failed: bool, answer: bool, metadata: str | None = None) -> Change:
    """A tool call gets its one result, and so do those that are the same."""
    commands: list[Command] = []
    for one in state.tools:
        if one.status == "done" or tool.call_id not in (one.call_id, one.same_as):
            continue
        entry = Remember(
            "tool",
            text,
            one.run_ms,
            state.now_ms,
            one.turn_id,
            tool_call_id=one.call_id,
            failed=failed,
            metadata=metadata,
        )
        state = replace(state, history=with_result(state.history, entry))
        state = _with(
            state, replace(one, status="done", answer=not one.hook and (answer or (one.is_async and one.answer)))
        )
        commands.append(entry)
    sayings = tuple(s for s in state.sayings if not (s.stale and s.about == tool.call_id))
    return replace(state, sayings=sayings), commands


def _with(state: State, tool: Tool) -> State:
    return replace(state, tools=tuple(tool if t.call_id == tool.call_id else t for t in state.tools))


def late_due(state: State) -> int | None:
    """When the next tool is given up for its silence."""
    return min((t.run_ms + t.timeout_ms for t in _running(state)), default=None)


def give_up(state: State) -> Change:
    """A tool has not answered in time."""
    tool = min(_running(state), key=lambda t: t.run_ms + t.timeout_ms)
    text = f"The tool gave no answer within {tool.timeout_ms / 1000:g} seconds."
    state, commands = _close(state, tool, text, failed=True, answer=not tool.is_async)
    return replace(state, quiet_ms=state.now_ms), [StopTool(tool.call_id), *commands]


def delayed_due(state: State) -> int | None:
    """When something is to be said about a tool that has not answered yet."""
    return min((t.run_ms + t.delayed[0].after_ms for t in _running(state) if t.delayed), default=None)


def say_delayed(state: State) -> Change:
    """A tool keeps the caller waiting: say so, once the floor is free."""
    tool = min((t for t in _running(state) if t.delayed), key=lambda t: t.run_ms + t.delayed[0].after_ms)
    staged, *rest = tool.delayed
    state = _with(state, replace(tool, delayed=tuple(rest)))
    if any(s.stale for s in state.sayings):  # one excuse at a time
        return state, []
    saying = Saying(text=staged.text, about=tool.call_id, of_turn=tool.turn_id, stale=True)
    return replace(state, sayings=(*state.sayings, saying)), []


def orphan_due(state: State) -> int | None:
    """Whether a tool waits for a start message that will not be heard any more."""
    return None if _orphan(state) is None else state.now_ms


def drop_orphan(state: State) -> Change:
    """It does not run."""
    tool = _orphan(state)
    if tool is None:  # orphan_due has just found it
        raise AssertionError
    # A reply that has been begun in this very moment sees the result already.
    answer = state.reply is None or state.reply.kind != "model" or state.reply.begun_ms < state.now_ms
    why = Decide("ignored", f"{tool.name} does not run: the message before it was not heard", tool.turn_id)
    state, commands = _close(state, tool, _NOT_BEGUN, failed=True, answer=answer)
    return state, [why, *commands]


def _orphan(state: State) -> Tool | None:
    starts = {s.starts for s in state.sayings}
    starts.add(state.reply.starts if state.reply is not None else None)
    starts.add(state.alarm.starts if state.alarm is not None else None)
    return next((t for t in state.tools if t.status == "waiting" and t.call_id not in starts), None)


def settled_due(state: State) -> int | None:
    """Whether all the tools that a reply waits for are done, and that reply is over."""
    return state.now_ms if _settled(state) else None


def settle(state: State) -> Change:
    """The model owes an answer to what its tools have said, unless that has been said otherwise."""
    settled = _settled(state)
    answer = any(t.answer for t in state.tools if t.turn_id in settled)
    return replace(
        state,
        tools=_told(state.tools, settled),
        owed=state.owed or answer,
        rounds=state.rounds + answer,
    ), []


def _settled(state: State) -> set[str]:
    running = state.reply.turn_id if state.reply is not None else None
    awaited = {t.turn_id for t in state.tools if t.awaited}
    return {t.turn_id for t in state.tools if t.status == "done" or t.answer} - awaited - {running}


def told(state: State) -> State:
    """The model is asked now, with all that is in the history: whatever is done needs no further answer."""
    return replace(state, tools=_told(state.tools, {t.turn_id for t in state.tools}))


def _told(tools: tuple[Tool, ...], turns: set[str]) -> tuple[Tool, ...]:
    return tuple(
        replace(t, answer=False) if t.turn_id in turns else t
        for t in tools
        if t.status != "done" or t.turn_id not in turns
    )


def drop_words(state: State, turn_id: str) -> State:
    """The caller has cut a reply: nothing of it is said any more, also not about its tools."""
    return replace(state, sayings=tuple(s for s in state.sayings if s.of_turn != turn_id))


def close_all(state: State) -> Change:
    """The call is over: every tool that has not answered gets its result nevertheless."""
    commands: list[Command] = []
    for tool in state.tools:
        if tool.status != "done" and tool.same_as is None:
            state, closing = _close(state, tool, _CALL_OVER, failed=True, answer=False)
            commands.extend(closing)
    return replace(state, tools=()), commands


def awaits(state: State) -> bool:
    """Whether the assistant is silent because it waits for a tool."""
    return any(t.awaited for t in state.tools)


def _running(state: State) -> list[Tool]:
    return [t for t in state.tools if t.status == "running" and t.same_as is None]


def with_result(history: tuple[Remember, ...], entry: Remember) -> tuple[Remember, ...]:
    """Put a tool's result where a chat model wants it: after the call, and after the results of its neighbours."""
    found = (i for i, one in enumerate(history) if any(c.id == entry.tool_call_id for c in one.tool_calls))
    at = 1 + next(found, -1)
    if at == 0:  # the assistant that has the call now was not told of it
        return history
    ids = {called.id for called in history[at - 1].tool_calls}
    while at < len(history) and history[at].tool_call_id in ids:
        at += 1
    return (*history[:at], entry, *history[at:])


def with_text(history: tuple[Remember, ...], entry: Remember) -> tuple[Remember, ...]:
    """Put what was heard of a reply before the tools that it called."""
    for index, one in enumerate(history):
        if one.tool_calls and one.turn_id == entry.turn_id:
            return (*history[:index], entry, *history[index:])
    return (*history, entry)
