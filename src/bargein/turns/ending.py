"""What ends a call of the engine's own accord.

Its items stand in the agenda (`bargein.turns.agenda`), which holds their order.
"""

from bargein.turns.commands import Command, Decide
from bargein.turns.hooks import triggers
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import State
from bargein.turns.tools import tool_calls


def _longest_due(state: State, plan: Plan) -> int | None:
    return state.started_ms + plan.max_duration_ms


def _end_longest(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", f"the call has lasted {plan.max_duration_ms} ms")]
    return lifecycle.end_call(state, "exceeded-max-duration", "", plan, why)


def _ending_due(state: State, _plan: Plan) -> int | None:
    if state.ending is None or state.reply is not None or state.alarm is not None:
        return None
    # What is still to be said has begun before this is looked at; only a muted assistant leaves it unsaid.
    return None if state.caller.holds_floor or state.caller.said else state.now_ms


def _end(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", "a tool ends the call, and nothing is left to be said")]
    return lifecycle.end_call(state, state.ending or "", "", plan, why)


def _quiet_due(state: State, plan: Plan) -> int | None:
    if state.reply is not None or state.sayings or (state.caller.voiced and not state.caller.stuck):
        return None
    if tool_calls.awaits(state):  # which has a time limit of its own
        return None
    return state.quiet_ms + plan.silence_timeout_ms


def _end_quiet(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", f"nobody has said anything for {plan.silence_timeout_ms} ms")]
    return lifecycle.end_call(state, "silence-timed-out", "", plan, why)


def _closed_due(state: State, _plan: Plan) -> int | None:
    return triggers.closed_due(state)


def _end_closed(state: State, plan: Plan) -> Change:
    return lifecycle.end_call(state, "", "", plan, [])


LONGEST = Item(_longest_due, _end_longest)
ENDING = Item(_ending_due, _end)
QUIET = Item(_quiet_due, _end_quiet)
CLOSED = Item(_closed_due, _end_closed, closing=True)
