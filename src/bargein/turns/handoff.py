"""One assistant hands the call to another: at a moment when nothing of the old one is to be said any more."""

from dataclasses import replace

from bargein.turns.commands import Command, Decide, Remember, TakeOver
from bargein.turns.events import HandedOff
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import State


def due(state: State, plan: Plan) -> int | None:
    """When another assistant takes over: not amid a speech, nor before it is known whether a cut was a false alarm.

    It also takes over a call that is ending, which then does not end, while there is a caller whom it can serve.
    """
    if state.closing is not None and not (state.closing.present and may_go_on(state, plan)):
        return None
    if state.handoff is None or state.reply is not None or (state.sayings and not state.assistant_muted):
        return None
    return None if state.alarm is not None and state.caller.holds_floor else state.now_ms


def may_go_on(state: State, plan: Plan) -> bool:
    """Whether the call has not reached its longest time (`maxDurationSeconds`)."""
    return state.now_ms < state.started_ms + plan.max_duration_ms


def take_over(state: State) -> Change:
    """It begins as an assistant begins a call, unless the caller has said something that it is to answer."""
    handoff = state.handoff
    if handoff is None:  # due has just seen it
        raise AssertionError
    unanswered = state.closing is not None and state.closing.unanswered
    state = replace(
        state,
        handoff=None,
        closing=None,
        plan=handoff.plan,
        alarm=None,
        ending=None,
        rounds=0,
        history=in_context(state.history, handoff),
        quiet_ms=state.now_ms,
        hooks=(),
    )
    commands: list[Command] = [TakeOver(handoff.successor), Decide("handed over", "another assistant takes over")]
    if unanswered and any(entry.role == "user" for entry in state.history):
        return replace(state, owed=True), commands
    if state.caller.said or state.assistant_muted:
        return state, commands
    state, greeting = greet(state, handoff.plan)
    return state, [*commands, *greeting]


def greet(state: State, plan: Plan) -> Change:
    """How an assistant begins: by its first message, by what its model says, or by waiting."""
    match plan.first_message_mode:
        case "assistant-speaks-first" if plan.first_message:
            return lifecycle.begin(state, "first", plan.first_message, interruptible=plan.first_message_interruptible)
        case "assistant-waits-for-user":
            return state, []
        case _:
            return lifecycle.begin(state, "model", interruptible=plan.first_message_interruptible)


def in_context(history: tuple[Remember, ...], handoff: HandedOff) -> tuple[Remember, ...]:
    """What the new assistant is told of the conversation. A tool's result goes only where its call goes."""
    match handoff.context:
        case "none":
            return ()
        case "lastNMessages":
            kept = history[-handoff.most :] if handoff.most else ()
        case "userAndAssistantMessages":
            kept = tuple(m for m in history if m.role in ("user", "assistant") and m.text)
        case _:  # all
            return history
    calls = {called.id for m in kept for called in m.tool_calls}
    return tuple(m for m in kept if m.tool_call_id is None or m.tool_call_id in calls)
