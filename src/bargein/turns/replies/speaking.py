"""What the assistant says, and when: answers and sayings that begin, sound, end, or show no sign of life.

Its items stand in the agenda (`bargein.turns.agenda`), which holds their order.
"""

from dataclasses import replace

from bargein.turns.commands import Decide, Hang, Remember, Send
from bargein.turns.endpointing import preemptive
from bargein.turns.endpointing.rules import endpoint
from bargein.turns.hooks import triggers
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle, reply_events
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import Reply, State


def _saying_due(state: State, _plan: Plan) -> int | None:
    if state.reply is not None or not state.sayings or not state.may_speak:
        return None
    # What a false alarm has cut goes on first; whether it was one is known once the caller has finished.
    return None if state.alarm is not None and state.caller.holds_floor else state.now_ms


def _start_saying(state: State, _plan: Plan) -> Change:
    saying, *rest = state.sayings
    state = replace(state, sayings=tuple(rest))
    return lifecycle.begin(
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
    caller, draft = state.caller, state.draft
    entry = Remember("user", caller.said, caller.began_ms, max(caller.offset_ms, caller.began_ms))
    # Who is still talked to has not said goodbye: an end of the call that was on its way is off.
    state = replace(
        state, history=(*state.history, entry), caller=lifecycle.forget_words(caller), rounds=0, ending=None
    )
    # waitSeconds is the least time between the request to the model and the first sound of the answer.
    gate_ms = state.now_ms + (plan.judged_wait_ms if found.judged else plan.wait_ms)
    why = Decide("answering", found.why)
    if draft is not None:
        state, commands = reply_events.adopt(state, draft, gate_ms, plan)
    else:
        state, commands = lifecycle.begin(state, "model", gate_ms=gate_ms)
    return state, [entry, why, *commands]


def _owed_due(state: State, _plan: Plan) -> int | None:
    if not state.owed or state.reply is not None or not state.may_speak:
        return None
    return None if state.caller.holds_floor or state.caller.said else state.now_ms


def _pay(state: State, _plan: Plan) -> Change:
    return lifecycle.begin(state, "model")


def _play_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.audible_ms is not None or reply.audio_ms == 0 or state.caller.holds_floor:
        return None
    return max(reply.gate_ms, state.now_ms)


def _play(state: State, _plan: Plan) -> Change:
    return lifecycle.play(state, lifecycle.running(state))


def _finish_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or not reply.ended or not (reply.drained or reply.audio_ms == 0):
        return None
    return state.now_ms


def _finish(state: State, plan: Plan) -> Change:
    return lifecycle.finish(state, lifecycle.running(state), plan)


def _held(reply: Reply) -> bool:
    """Whether it is ready, but held back by a gate or by a caller with the floor: then it is not late."""
    return reply.audible_ms is None and reply.audio_ms > 0


def _hang_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.hang_sent or reply.ended or _held(reply):
        return None
    return reply.alive_ms + plan.hang_ms


def _report_hang(state: State, _plan: Plan) -> Change:
    return replace(state, reply=replace(lifecycle.running(state), hang_sent=True)), [Send(Hang())]


def _late_model_due(state: State, plan: Plan) -> int | None:
    return triggers.late_due(state, plan)


def _bear_late_model(state: State, plan: Plan) -> Change:
    reply, before = lifecycle.running(state), len(state.sayings)
    state, commands = triggers.fire_late(state, plan)
    if len(state.sayings) == before:
        return state, commands
    # Something is to be said while the model says nothing: it is asked anew after that.
    state, cut = lifecycle.cut(state, reply, "replaced", plan)
    return replace(state, owed=True), [*commands, *cut]


def _stall_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    return None if reply is None or _held(reply) else reply.alive_ms + plan.stall_ms


def _end_stalled(state: State, plan: Plan) -> Change:
    reply = lifecycle.running(state)
    # The voice owes what it was given; if it owes nothing, the model does.
    by_model = reply.kind == "model" and not reply.ended and (not reply.segments or reply.segments[-1].done)
    reason = plan.model_failed_reason if by_model else plan.voice_failed_reason
    return lifecycle.end_call(state, reason, f"the reply showed no sign of life for {plan.stall_ms} ms", plan, [])


FINISH = Item(_finish_due, _finish, closing=True)
SAYING = Item(_saying_due, _start_saying, closing=True)
STALE_DRAFT = Item(preemptive.stale_due, preemptive.throw_away, closing=True)
DRAFT = Item(preemptive.due, preemptive.begin)
ENDPOINT = Item(_endpoint_due, _answer)
OWED = Item(_owed_due, _pay, closing=True)
PLAY = Item(_play_due, _play, closing=True)
HANG = Item(_hang_due, _report_hang, closing=True)
LATE_MODEL = Item(_late_model_due, _bear_late_model)
STALLED = Item(_stall_due, _end_stalled, closing=True)
