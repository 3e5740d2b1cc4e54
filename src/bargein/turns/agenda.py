"""What is due, and when: everything the engine does of its own accord.

Each item says when it is due (None: not at all) and what then happens. An item that has happened is due no more, or
later; that is what keeps the timer from spinning.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from bargein.turns import asking, handoff, hooks, replies, tools
from bargein.turns.commands import Command, Decide, Duck, Hang, Remember, Send, SpeechUpdate, Unduck
from bargein.turns.endpointing import endpoint
from bargein.turns.evidence import ducks, eases, listens_aloud
from bargein.turns.interruption import interruption, supersedes
from bargein.turns.plan import Plan
from bargein.turns.replies import Change
from bargein.turns.state import Alarm, Reply, State


class Item(NamedTuple):
    """Something that comes due.

    Attributes:
        due_ms: when, if nothing else happens; None: not as things stand.
        act: what then happens.
        closing: also while a call is ending, and its hooks do what they do.
    """

    due_ms: Callable[[State, Plan], int | None]
    act: Callable[[State, Plan], Change]
    closing: bool = False


def _reply_of(state: State) -> Reply:
    reply = state.reply
    if reply is None:  # an item that acts on the reply is due only while there is one
        raise AssertionError
    return reply


def _longest_due(state: State, plan: Plan) -> int | None:
    return state.started_ms + plan.max_duration_ms


def _end_longest(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", f"the call has lasted {plan.max_duration_ms} ms")]
    return replies.end_call(state, "exceeded-max-duration", "", plan, why)


def _interruption_due(state: State, plan: Plan) -> int | None:
    found = interruption(state, plan)
    return None if found is None else found.at_ms


def _interrupt(state: State, plan: Plan) -> Change:
    reply, found = _reply_of(state), interruption(state, plan)
    if found is None:  # _interruption_due has just found it
        raise AssertionError
    why: list[Command] = [Decide("stopped", found.why, reply.turn_id)]
    alarm = _alarm(reply)
    state, commands = replies.cut(state, reply, "interrupted", plan)
    # The cut comes first: what is explained to people can wait until nothing sounds any more.
    return replace(
        state,
        alarm=alarm,
        floor_ms=state.now_ms + plan.backoff_ms,
        caller=replace(state.caller, fired=True),
    ), [*commands, *why]


def _alarm(reply: Reply) -> Alarm:
    heard = replies.heard_chars(reply)
    complete = reply.ended or reply.called or reply.kind != "model"
    return Alarm(
        turn_id=reply.turn_id,
        kind="resumed" if reply.by_model else reply.kind,
        asks=reply.text.rstrip().endswith("?"),
        rest=reply.text[heard:].strip() if complete else None,
        ends=reply.ends,
        starts=reply.starts,
    )


def _duck_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.audible_ms is None or reply.ducked:
        return None
    return state.now_ms if ducks(reply, state.caller, plan) else None


def _duck(state: State, _plan: Plan) -> Change:
    reply = replace(_reply_of(state), ducked=True)
    return replace(state, reply=reply), [Duck(reply.turn_id)]


def _ease_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    return None if reply is None or not reply.ducked else eases(state.caller, plan, state.now_ms)


def _ease(state: State, _plan: Plan) -> Change:
    reply, caller = replace(_reply_of(state), ducked=False), state.caller
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
    reply = _reply_of(state)
    why = Decide("superseded", f'the caller went on: "{state.caller.said}"', reply.turn_id)
    alarm = _alarm(reply)
    state, commands = replies.cut(state, reply, "superseded", plan)
    # If the transcriber takes those words back, the caller still waits for this answer.
    return replace(state, alarm=alarm), [*commands, why]


def _silence_due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    return None if caller.speaking_turn is None or caller.voiced else caller.offset_ms + plan.silence_hang_ms


def _fall_silent(state: State, _plan: Plan) -> Change:
    turn = state.caller.speaking_turn
    if turn is None:  # _silence_due has just seen it
        raise AssertionError
    caller = replace(state.caller, speaking_turn=None)
    return replace(state, caller=caller, quiet_ms=state.now_ms), [Send(SpeechUpdate("user", "stopped", turn))]


def _grace_due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    if not caller.awaiting or caller.voiced:
        return None
    return max(caller.offset_ms, caller.words_at_ms) + plan.words_grace_ms


def _end_grace(state: State, _plan: Plan) -> Change:
    return replace(state, caller=replace(state.caller, awaiting=False)), []


def _stuck_due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    if not caller.voiced or caller.stuck:
        return None
    return max(caller.onset_ms, caller.words_at_ms) + plan.stuck_voice_ms


def _get_stuck(state: State, plan: Plan) -> Change:
    why = Decide("ignored", f"{plan.stuck_voice_ms} ms of voice brought no new words: it is background")
    caller = replace(state.caller, stuck=True, fired=True, awaiting=False)
    return replace(state, caller=caller), [why]


def _recovery_due(state: State, plan: Plan) -> int | None:
    caller, alarm = state.caller, state.alarm
    if alarm is None or caller.holds_floor or state.assistant_muted:
        return None
    if caller.said and (alarm.asks or not listens_aloud(caller.said, plan)):
        return None
    return state.now_ms


def _recover(state: State, plan: Plan) -> Change:
    alarm = state.alarm
    if alarm is None:  # _recovery_due has just seen it
        raise AssertionError
    said = state.caller.said
    what = f'"{said}" was only listening aloud' if said else "the voice brought no words"
    why = Decide("recovered", f"{what}: a false alarm, so the assistant goes on", alarm.turn_id)
    # What the cut made a hook say would be about nothing.
    state = replace(tools.drop_words(state, alarm.turn_id), alarm=None, caller=replies.forget_words(state.caller))
    if alarm.rest is None:
        state, commands = replies.begin(state, "model")
    elif alarm.rest:
        state, commands = replies.begin(state, alarm.kind, alarm.rest, ends=alarm.ends, starts=alarm.starts)
    elif alarm.ends is not None:
        return replies.end_call(state, alarm.ends, "", plan, [why])
    elif alarm.starts is not None:
        state, commands = tools.run(state, alarm.starts)
    else:
        return state, [why]
    return state, [why, *commands]


def _play_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.audible_ms is not None or reply.audio_ms == 0 or state.caller.holds_floor:
        return None
    return max(reply.gate_ms, state.now_ms)


def _play(state: State, _plan: Plan) -> Change:
    return replies.play(state, _reply_of(state))


def _finish_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or not reply.ended or not (reply.drained or reply.audio_ms == 0):
        return None
    return state.now_ms


def _finish(state: State, plan: Plan) -> Change:
    return replies.finish(state, _reply_of(state), plan)


def _saying_due(state: State, _plan: Plan) -> int | None:
    if state.reply is not None or not state.sayings or not state.may_speak:
        return None
    # What a false alarm has cut goes on first; whether it was one is known once the caller has finished.
    return None if state.alarm is not None and state.caller.holds_floor else state.now_ms


def _start_saying(state: State, _plan: Plan) -> Change:
    saying, *rest = state.sayings
    state = replace(state, sayings=tuple(rest))
    return replies.begin(
        state,
        "model" if saying.prompt else "say",
        None if saying.prompt else saying.text,
        interruptible=saying.interruptible,
        ends=saying.ends,
        starts=saying.starts,
        prompt=saying.prompt,
        by=saying.by,
    )


def _endpoint_due(state: State, plan: Plan) -> int | None:
    if state.reply is not None or state.assistant_muted:
        return None
    found = endpoint(state, plan)
    return None if found is None else found.at_ms


def _answer(state: State, plan: Plan) -> Change:
    found = endpoint(state, plan)
    if found is None:  # _endpoint_due has just found it
        raise AssertionError
    caller = state.caller
    entry = Remember("user", caller.said, caller.began_ms, max(caller.offset_ms, caller.began_ms))
    # Who is still talked to has not said goodbye: an end of the call that was on its way is off.
    state = replace(state, history=(*state.history, entry), caller=replies.forget_words(caller), rounds=0, ending=None)
    # waitSeconds is the least time between the request to the model and the first sound of the answer.
    state, commands = replies.begin(state, "model", gate_ms=state.now_ms + plan.wait_ms)
    return state, [entry, Decide("answering", found.why), *commands]


def _owed_due(state: State, _plan: Plan) -> int | None:
    if not state.owed or state.reply is not None or not state.may_speak:
        return None
    return None if state.caller.holds_floor or state.caller.said else state.now_ms


def _pay(state: State, _plan: Plan) -> Change:
    return replies.begin(state, "model")


def _held(reply: Reply) -> bool:
    """Whether it is ready, but held back by a gate or by a caller with the floor: then it is not late."""
    return reply.audible_ms is None and reply.audio_ms > 0


def _hang_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.hang_sent or reply.ended or _held(reply):
        return None
    return reply.alive_ms + plan.hang_ms


def _report_hang(state: State, _plan: Plan) -> Change:
    return replace(state, reply=replace(_reply_of(state), hang_sent=True)), [Send(Hang())]


def _stall_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    return None if reply is None or _held(reply) else reply.alive_ms + plan.stall_ms


def _end_stalled(state: State, plan: Plan) -> Change:
    reply = _reply_of(state)
    # The voice owes what it was given; if it owes nothing, the model does.
    by_model = reply.kind == "model" and not reply.ended and (not reply.segments or reply.segments[-1].done)
    reason = plan.model_failed_reason if by_model else plan.voice_failed_reason
    return replies.end_call(state, reason, f"the reply showed no sign of life for {plan.stall_ms} ms", plan, [])


def _handoff_due(state: State, _plan: Plan) -> int | None:
    return handoff.due(state)


def _hand_over(state: State, _plan: Plan) -> Change:
    return handoff.take_over(state)


def _late_tool_due(state: State, _plan: Plan) -> int | None:
    return tools.late_due(state)


def _give_up_tool(state: State, _plan: Plan) -> Change:
    return tools.give_up(state)


def _delayed_due(state: State, _plan: Plan) -> int | None:
    return tools.delayed_due(state)


def _say_delayed(state: State, _plan: Plan) -> Change:
    return tools.say_delayed(state)


def _orphan_due(state: State, _plan: Plan) -> int | None:
    return tools.orphan_due(state)


def _drop_orphan(state: State, _plan: Plan) -> Change:
    return tools.drop_orphan(state)


def _settled_due(state: State, _plan: Plan) -> int | None:
    return tools.settled_due(state)


def _settle(state: State, _plan: Plan) -> Change:
    return tools.settle(state)


def _ending_due(state: State, _plan: Plan) -> int | None:
    if state.ending is None or state.reply is not None or state.alarm is not None:
        return None
    # What is still to be said has begun before this is looked at; only a muted assistant leaves it unsaid.
    return None if state.caller.holds_floor or state.caller.said else state.now_ms


def _end(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", "a tool ends the call, and nothing is left to be said")]
    return replies.end_call(state, state.ending or "", "", plan, why)


def _quiet_due(state: State, plan: Plan) -> int | None:
    if state.reply is not None or state.sayings or (state.caller.voiced and not state.caller.stuck):
        return None
    if tools.awaits(state):  # which has a time limit of its own
        return None
    return state.quiet_ms + plan.silence_timeout_ms


def _end_quiet(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", f"nobody has said anything for {plan.silence_timeout_ms} ms")]
    return replies.end_call(state, "silence-timed-out", "", plan, why)


def _lapse_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.by != "customer.speech.timeout" or reply.audible_ms is not None:
        return None
    return state.now_ms if state.caller.said else None


def _lapse(state: State, plan: Plan) -> Change:
    return replies.cut(state, _reply_of(state), "superseded", plan)


def _hook_due(state: State, plan: Plan) -> int | None:
    return hooks.timed_due(state, plan)


def _fire_hook(state: State, plan: Plan) -> Change:
    return hooks.fire_timed(state, plan)


def _late_model_due(state: State, plan: Plan) -> int | None:
    return hooks.late_due(state, plan)


def _bear_late_model(state: State, plan: Plan) -> Change:
    reply, before = _reply_of(state), len(state.sayings)
    state, commands = hooks.fire_late(state, plan)
    if len(state.sayings) == before:
        return state, commands
    # Something is to be said while the model says nothing: it is asked anew after that.
    state, cut = replies.cut(state, reply, "replaced", plan)
    return replace(state, owed=True), [*commands, *cut]


def _closed_due(state: State, _plan: Plan) -> int | None:
    return hooks.closed_due(state)


def _end_closed(state: State, plan: Plan) -> Change:
    return replies.end_call(state, "", "", plan, [])


AGENDA = (
    Item(_longest_due, _end_longest),
    Item(_interruption_due, _interrupt),
    Item(_duck_due, _duck),
    Item(_ease_due, _ease),
    Item(_lapse_due, _lapse),
    Item(_superseding_due, _supersede),
    Item(_silence_due, _fall_silent, closing=True),
    Item(_grace_due, _end_grace, closing=True),
    Item(_stuck_due, _get_stuck, closing=True),
    Item(_finish_due, _finish, closing=True),
    Item(_recovery_due, _recover),
    Item(_late_tool_due, _give_up_tool, closing=True),
    Item(_delayed_due, _say_delayed, closing=True),
    Item(_saying_due, _start_saying, closing=True),
    Item(_handoff_due, _hand_over),
    Item(asking.asking_due, asking.ask),
    Item(_endpoint_due, _answer),
    Item(_ending_due, _end),
    Item(_orphan_due, _drop_orphan, closing=True),
    Item(_settled_due, _settle, closing=True),
    Item(_owed_due, _pay, closing=True),
    Item(_play_due, _play, closing=True),
    Item(_hang_due, _report_hang, closing=True),
    Item(_late_model_due, _bear_late_model),
    Item(_stall_due, _end_stalled, closing=True),
    Item(_hook_due, _fire_hook),
    Item(_quiet_due, _end_quiet),
    Item(_closed_due, _end_closed, closing=True),
)
"""In the order in which things happen that are due at the same time: the caller goes first."""
