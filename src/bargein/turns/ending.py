"""The agenda items that end a call.

`silenceTimeoutSeconds: 30`, counted from the end of the last activity of either side:

    caller     ###|................................................
    assistant  ......|=====|.......................................|
                           |<---------- silence timeout ---------->|
                                                             call ends

The time does not run while the assistant waits for a tool: a tool has a time limit of its own.
"""

from bargein.turns.commands import Command, Decide
from bargein.turns.hooks import triggers
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.state import Change, State
from bargein.turns.tools import tool_calls


def _max_duration_due(state: State, plan: Plan) -> int | None:
    return state.started_ms + plan.max_duration_ms


def _end_at_max_duration(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", f"the call has lasted {plan.max_duration_ms} ms")]
    return lifecycle.end_call(state, "exceeded-max-duration", "", plan, why)


def _end_by_tool_due(state: State, _plan: Plan) -> int | None:
    if state.end_call_reason is None or state.reply is not None or state.false_interruption is not None:
        return None
    # Pending says come earlier in the agenda, so here none is left, except those of a muted assistant.
    return None if state.caller.holds_turn or state.caller.said else state.now_ms


def _end_by_tool(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", "a tool ends the call, and nothing is left to be said")]
    return lifecycle.end_call(state, state.end_call_reason or "", "", plan, why)


def _silence_timeout_due(state: State, plan: Plan) -> int | None:
    if state.reply is not None or state.pending_says or (state.caller.voiced and not state.caller.background):
        return None
    if tool_calls.is_awaited(state):  # a tool has a time limit of its own
        return None
    return state.idle_since_ms + plan.silence_timeout_ms


def _end_by_silence(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", f"nobody has said anything for {plan.silence_timeout_ms} ms")]
    return lifecycle.end_call(state, "silence-timed-out", "", plan, why)


def _end_after_hooks_due(state: State, _plan: Plan) -> int | None:
    return triggers.closing_due(state)


def _end_after_hooks(state: State, plan: Plan) -> Change:
    return lifecycle.end_call(state, "", "", plan, [])


MAX_DURATION = Item(
    "maximum duration",
    "Due `maxDurationSeconds` after the call began: the call ends.",
    _max_duration_due,
    _end_at_max_duration,
)
END_BY_TOOL = Item(
    "end by tool",
    "Due when a tool has asked for the end of the call and nothing is left to be said: the call ends.",
    _end_by_tool_due,
    _end_by_tool,
)
SILENCE_TIMEOUT = Item(
    "silence timeout",
    "Due when nobody has spoken and no tool has been awaited for `silenceTimeoutSeconds`: the call ends.",
    _silence_timeout_due,
    _end_by_silence,
)
END_AFTER_HOOKS = Item(
    "end after hooks",
    "Due when all `call.ending` hooks are done, and at their time limit in any case: the call really ends.",
    _end_after_hooks_due,
    _end_after_hooks,
    closing=True,
)
