"""Who has the floor: what comes due while the caller talks into a reply.

Its items stand in the agenda (`bargein.turns.agenda`), which holds their order.
"""

from dataclasses import replace

from bargein.turns.commands import Command, Decide, Duck, Unduck
from bargein.turns.interruption.evidence import ducks, eases, is_backchannel
from bargein.turns.interruption.explicit import interruption, supersedes
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import FalseInterruption, Reply, State
from bargein.turns.tools import tool_calls


def _interruption_due(state: State, plan: Plan) -> int | None:
    found = interruption(state, plan)
    return None if found is None else found.at_ms


def _interrupt(state: State, plan: Plan) -> Change:
    reply, found = lifecycle.running(state), interruption(state, plan)
    if found is None:  # _interruption_due has just found it
        raise AssertionError
    why: list[Command] = [Decide("stopped", found.why, reply.turn_id)]
    alarm = _alarm(reply, state.floor_ms)
    state, commands = lifecycle.cut(state, reply, "interrupted", plan)
    # The cut comes first: what is explained to people can wait until nothing sounds any more.
    return replace(
        state,
        alarm=alarm,
        floor_ms=state.now_ms + plan.backoff_ms,
        caller=replace(state.caller, fired=True),
    ), [*commands, *why]


def _alarm(reply: Reply, floor_ms: int) -> FalseInterruption:
    heard = lifecycle.heard_chars(reply)
    complete = reply.ended or reply.called or reply.kind != "model"
    return FalseInterruption(
        turn_id=reply.turn_id,
        kind="resumed" if reply.by_model else reply.kind,
        asks=reply.text.rstrip().endswith("?"),
        rest=reply.text[heard:].strip() if complete else None,
        ends=reply.ends,
        starts=reply.starts,
        floor_ms=floor_ms,
    )


def _duck_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.audible_ms is None or reply.ducked:
        return None
    return state.now_ms if ducks(reply, state.caller, plan) else None


def _duck(state: State, _plan: Plan) -> Change:
    reply = replace(lifecycle.running(state), ducked=True)
    return replace(state, reply=reply), [Duck(reply.turn_id)]


def _ease_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    return None if reply is None or not reply.ducked else eases(state.caller, plan, state.now_ms)


def _ease(state: State, _plan: Plan) -> Change:
    reply, caller = replace(lifecycle.running(state), ducked=False), state.caller
    judged = caller.judged
    sure = (
        ""
        if judged is None
        else f", {100 * judged.floor:.0f} % sure to take the floor, {judged.echo:.0%} of it our own"
    )
    lasted_ms = (state.now_ms if caller.voiced else caller.offset_ms) - caller.onset_ms
    why = f"{lasted_ms} ms of voice{sure}: the assistant goes on"
    state = replace(state, reply=reply, caller=replace(caller, eased=True))
    return state, [Unduck(reply.turn_id), Decide("eased", why, reply.turn_id)]


def _superseding_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    return state.now_ms if reply is not None and supersedes(reply, state.caller, plan) else None


def _supersede(state: State, plan: Plan) -> Change:
    reply = lifecycle.running(state)
    why = Decide("superseded", f'the caller went on: "{state.caller.said}"', reply.turn_id)
    alarm = _alarm(reply, state.floor_ms)
    state, commands = lifecycle.cut(state, reply, "superseded", plan)
    # If the transcriber takes those words back, the caller still waits for this answer.
    return replace(state, alarm=alarm), [*commands, why]


def _lapse_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.by != "customer.speech.timeout" or reply.audible_ms is not None:
        return None
    return state.now_ms if state.caller.said else None


def _lapse(state: State, plan: Plan) -> Change:
    return lifecycle.cut(state, lifecycle.running(state), "superseded", plan)


def _recovery_due(state: State, plan: Plan) -> int | None:
    caller, alarm = state.caller, state.alarm
    if alarm is None or caller.holds_floor or state.assistant_muted:
        return None
    if caller.said and (alarm.asks or not is_backchannel(caller.said, plan)):
        return None
    return state.now_ms


def _recover(state: State, plan: Plan) -> Change:
    alarm = state.alarm
    if alarm is None:  # _recovery_due has just seen it
        raise AssertionError
    said = state.caller.said
    what = f'"{said}" was only listening aloud' if said else "the voice brought no words"
    why = Decide("resumed", f"{what}: a false alarm, so the assistant goes on", alarm.turn_id)
    # What the cut made a hook say would be about nothing.
    state = replace(
        tool_calls.drop_words(state, alarm.turn_id), alarm=None, caller=lifecycle.forget_words(state.caller)
    )
    if plan.by_evidence:  # nobody interrupted, so there is nothing to back off from
        state = replace(state, floor_ms=alarm.floor_ms)
    if alarm.rest is None:
        state, commands = lifecycle.begin(state, "model")
    elif alarm.rest:
        state, commands = lifecycle.begin(state, alarm.kind, alarm.rest, ends=alarm.ends, starts=alarm.starts)
    elif alarm.ends is not None:
        return lifecycle.end_call(state, alarm.ends, "", plan, [why])
    elif alarm.starts is not None:
        state, commands = tool_calls.run(state, alarm.starts)
    else:
        return state, [why]
    return state, [why, *commands]


INTERRUPTION = Item(_interruption_due, _interrupt)
DUCK = Item(_duck_due, _duck)
EASE = Item(_ease_due, _ease)
LAPSE = Item(_lapse_due, _lapse)
SUPERSEDING = Item(_superseding_due, _supersede)
RECOVERY = Item(_recovery_due, _recover)
