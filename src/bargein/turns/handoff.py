"""Handoff of the call from one assistant to another, once nothing of the old one is left to be said."""

from dataclasses import replace

from bargein.turns import conversation
from bargein.turns.commands import Command, Decide, Remember, SwitchAssistant
from bargein.turns.events import HandoffRequested
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.state import Change, State


def greet(state: State, plan: Plan) -> Change:
    """Begin as `firstMessageMode` says: with the first message, with what the model says, or by waiting."""
    match plan.first_message_mode:
        case "assistant-speaks-first" if plan.first_message:
            return lifecycle.start(state, "first", plan.first_message, interruptible=plan.first_message_interruptible)
        case "assistant-waits-for-user":
            return state, []
        case _:
            asked = state.response_pending
            return lifecycle.start(state, "model", interruptible=plan.first_message_interruptible, asked=asked)


def history_for(history: tuple[Remember, ...], handoff: HandoffRequested) -> tuple[Remember, ...]:
    """Return the part of the conversation that the new assistant sees (`contextEngineeringPlan`).

    A tool's result is kept only where its call is kept.
    """
    match handoff.context:
        case "none":
            return ()
        case "lastNMessages":
            kept = history[-handoff.max_messages :] if handoff.max_messages else ()
        case "userAndAssistantMessages":
            kept = tuple(m for m in history if m.role in ("user", "assistant") and m.text)
        case _:  # all
            return history
    calls = {called.id for m in kept for called in m.tool_calls}
    return tuple(m for m in kept if m.tool_call_id is None or m.tool_call_id in calls)


def _due(state: State, plan: Plan) -> int | None:
    # A call that is ending is taken over only while there is a caller who can be served.
    closing = state.closing
    if closing is not None and (closing.final or not closing.caller_present or not _has_time_left(state, plan)):
        return None
    if state.handoff is None or state.reply is not None or (state.pending_says and not state.assistant_muted):
        return None
    return None if state.false_interruption is not None and state.caller.holds_turn else state.now_ms


def _has_time_left(state: State, plan: Plan) -> bool:
    """Return True if the call has not reached `maxDurationSeconds`."""
    return state.now_ms < state.started_ms + plan.max_duration_ms


def _hand_over(state: State, _plan: Plan) -> Change:
    """Switch to the new assistant; it greets, unless the caller has said something that it has to answer."""
    handoff = state.handoff
    if handoff is None:  # _due has checked it
        raise AssertionError
    unanswered = state.closing is not None and state.closing.unanswered
    state, called_off = conversation.call_off_end(state, conversation.TAKEN_OVER)
    state = replace(
        state,
        handoff=None,
        closing=None,
        plan=handoff.plan,
        false_interruption=None,
        tool_rounds=0,
        history=history_for(state.history, handoff),
        idle_since_ms=state.idle_since_ms if state.closing is None else state.now_ms,
        hook_counts=(),
    )
    commands: list[Command] = [
        SwitchAssistant(handoff.successor),
        *called_off,
        Decide("handoff", "another assistant takes the call"),
    ]
    if unanswered and any(entry.role == "user" for entry in state.history):
        return conversation.ask_for_response(state), commands
    if state.caller.said or state.assistant_muted:
        return state, commands
    state, greeting = greet(state, handoff.plan)
    return state, [*commands, *greeting]


HANDOFF = Item(
    "handoff",
    "Due when a handoff was requested, nothing is left to be said and no interruption is open: another assistant takes"
    " the call, also one that is ending while the caller is still there.",
    _due,
    _hand_over,
    closing=True,
)
