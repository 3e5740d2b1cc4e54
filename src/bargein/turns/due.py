"""What the other concerns of the engine have due: tools, handing over, questions to a server, hooks of the clock."""

from bargein.turns import handoff
from bargein.turns.endpointing import end_of_turn, smart
from bargein.turns.hooks import triggers
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import State
from bargein.turns.tools import tool_calls


def _handoff_due(state: State, plan: Plan) -> int | None:
    return handoff.due(state, plan)


def _hand_over(state: State, _plan: Plan) -> Change:
    return handoff.take_over(state)


def _late_tool_due(state: State, _plan: Plan) -> int | None:
    return tool_calls.late_due(state)


def _give_up_tool(state: State, _plan: Plan) -> Change:
    return tool_calls.give_up(state)


def _delayed_due(state: State, _plan: Plan) -> int | None:
    return tool_calls.delayed_due(state)


def _say_delayed(state: State, _plan: Plan) -> Change:
    return tool_calls.say_delayed(state)


def _orphan_due(state: State, _plan: Plan) -> int | None:
    return tool_calls.orphan_due(state)


def _drop_orphan(state: State, _plan: Plan) -> Change:
    return tool_calls.drop_orphan(state)


def _settled_due(state: State, _plan: Plan) -> int | None:
    return tool_calls.settled_due(state)


def _settle(state: State, _plan: Plan) -> Change:
    return tool_calls.settle(state)


def _hook_due(state: State, plan: Plan) -> int | None:
    return triggers.timed_due(state, plan)


def _fire_hook(state: State, plan: Plan) -> Change:
    return triggers.fire_timed(state, plan)


LATE_TOOL = Item(_late_tool_due, _give_up_tool, closing=True)
DELAYED = Item(_delayed_due, _say_delayed, closing=True)
HANDOFF = Item(_handoff_due, _hand_over, closing=True)
ORPHAN = Item(_orphan_due, _drop_orphan, closing=True)
SETTLED = Item(_settled_due, _settle, closing=True)
TIMED_HOOK = Item(_hook_due, _fire_hook)
ASKING = Item(smart.asking_due, smart.ask)
JUDGING = Item(end_of_turn.judging_due, end_of_turn.judge)
