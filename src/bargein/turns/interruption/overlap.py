"""The agenda items for a caller who talks over a reply. What follows a false interruption is in `recovery`."""

from dataclasses import replace

from bargein.turns.commands import Command, Decide, Duck, Unduck
from bargein.turns.hooks import triggers
from bargein.turns.interruption import recovery
from bargein.turns.interruption.evidence import end_duck_at, should_duck
from bargein.turns.interruption.explicit import find_interruption, is_superseded
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.state import Change, State


def _interruption_due(state: State, plan: Plan) -> int | None:
    found = find_interruption(state, plan)
    return None if found is None else found.at_ms


def _interrupt(state: State, plan: Plan) -> Change:
    reply, found = lifecycle.current_reply(state), find_interruption(state, plan)
    if found is None:  # _interruption_due has found it
        raise AssertionError
    why: list[Command] = [Decide("stopped", found.why, reply.turn_id)]
    cut = recovery.open_cut(reply, state.backoff_until_ms, plan)
    state, commands = lifecycle.cut(state, reply, "interrupted", plan)
    # The cut comes first: the explanation can wait until nothing sounds any more.
    return replace(
        state,
        false_interruption=cut,
        backoff_until_ms=state.now_ms + plan.backoff_ms,
        caller=replace(state.caller, has_interrupted=True),
    ), [*commands, *why]


def _duck_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.audible_ms is None or reply.ducked:
        return None
    return state.now_ms if should_duck(reply, state.caller, plan) else None


def _duck(state: State, _plan: Plan) -> Change:
    reply = replace(lifecycle.current_reply(state), ducked=True)
    return replace(state, reply=reply), [Duck(reply.turn_id)]


def _end_duck_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    return None if reply is None or not reply.ducked else end_duck_at(state.caller, plan, state.now_ms)


def _end_duck(state: State, _plan: Plan) -> Change:
    reply, caller = replace(lifecycle.current_reply(state), ducked=False), state.caller
    judged = caller.judged
    score = (
        ""
        if judged is None
        else f", an interruption with {100 * judged.probability:.0f} %, an echo with {judged.echo:.0%}"
    )
    lasted_ms = (state.now_ms if caller.voiced else caller.offset_ms) - caller.onset_ms
    why = f"{lasted_ms} ms of voice{score}: the assistant goes on"
    state = replace(state, reply=reply, caller=replace(caller, unducked=True))
    return state, [Unduck(reply.turn_id), Decide("unducked", why, reply.turn_id)]


def _superseded_reply_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    return state.now_ms if reply is not None and is_superseded(reply, state.caller, plan) else None


def _drop_superseded_reply(state: State, plan: Plan) -> Change:
    reply = lifecycle.current_reply(state)
    why = Decide("superseded", f'the caller went on: "{state.caller.said}"', reply.turn_id)
    cut = recovery.open_cut(reply, state.backoff_until_ms, plan)
    state, commands = lifecycle.cut(state, reply, "superseded", plan)
    # If the transcriber withdraws those words, the caller still waits for this answer.
    return replace(state, false_interruption=cut), [*commands, why]


def _unneeded_idle_message_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    return state.now_ms if reply is not None and triggers.is_unneeded(reply) and state.caller.said else None


def _drop_idle_message(state: State, plan: Plan) -> Change:
    return lifecycle.cut(state, lifecycle.current_reply(state), "superseded", plan)


INTERRUPTION = Item(
    "interruption",
    "Due when the caller's voice or words meet the assistant's interruption rules while a reply sounds: playback stops,"
    " the reply is closed as interrupted, and the backoff begins.",
    _interruption_due,
    _interrupt,
)
DUCK = Item(
    "duck",
    "Due when a voice begins over a reply under adaptive interruption: the reply sounds at a lower level.",
    _duck_due,
    _duck,
)
END_DUCK = Item(
    "end duck",
    "Due when the voice over a ducked reply has stopped, or turned out to be no interruption: the reply sounds at its"
    " full level again.",
    _end_duck_due,
    _end_duck,
)
UNNEEDED_IDLE_MESSAGE = Item(
    "unneeded idle message",
    "Due when the caller speaks before a message about the caller's silence sounds: the message is dropped.",
    _unneeded_idle_message_due,
    _drop_idle_message,
)
SUPERSEDED_REPLY = Item(
    "superseded reply",
    "Due when the caller goes on speaking before the model's answer sounds: the answer is dropped, and the model is"
    " asked again with the whole turn.",
    _superseded_reply_due,
    _drop_superseded_reply,
)
