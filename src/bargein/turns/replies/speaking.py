"""The agenda items for what the assistant says: answers and pending says that begin, sound, end or stall.

`waitSeconds: 0.4` is the least time between the end of the turn, when the model is asked, and the first sound:

    caller      #####|..........................
                        end of turn
                        |<-- 400 ms -->|
    model, voice        |-----|               audio is ready in time
    assistant   .......................|=======

    model, voice        |-------------------|      audio is late
    assistant   ............................|=======

A reply without a sign of life is reported after 4 s and ends the call after 30 s:

    model       |-token-|...........................................
                        |<--- 4 s --->|
                                      hang notice
                        |<----------------- 30 s ----------------->|
                                                          call ends

So does one of which nothing is heard, whatever model and voice send: tokens that do not become speech, silent samples,
audio that comes byte by byte. Its time runs from the last sound of either side, and is `silenceTimeoutSeconds` if that
is shorter; a reply that was requested late in it gets up to `DEAD_AIR_GRACE_MS` more.
"""

from dataclasses import replace

from bargein.turns import conversation
from bargein.turns.commands import Decide, Hang, Send
from bargein.turns.endpointing.rules import find_endpoint
from bargein.turns.hooks import triggers
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle, reply_events
from bargein.turns.replies.reply import Reply
from bargein.turns.state import Change, State
from bargein.turns.tools import tool_calls

DEAD_AIR_GRACE_MS = 10_000
"""The most time that a reply which begins late has beyond the limit of the time in which nobody is heard."""


def _pending_say_due(state: State, plan: Plan) -> int | None:
    if state.reply is not None or not state.pending_says or not state.may_speak:
        return None
    if state.pending_says[0].ends_for is not None and conversation.needs_answer(state.caller, plan):
        return None  # the caller's words call that end off
    # A false interruption is resumed first; whether it was one is known once the caller has finished.
    return None if state.false_interruption is not None and state.caller.holds_turn else state.now_ms


def _start_pending_say(state: State, _plan: Plan) -> Change:
    say, *rest = state.pending_says
    state = replace(state, pending_says=tuple(rest))
    return lifecycle.start(
        state,
        "model" if say.prompt else "say",
        None if say.prompt else say.text,
        interruptible=say.interruptible,
        end_call_reason=say.end_call_reason,
        ends_for=say.ends_for,
        starts_tool=say.starts_tool,
        prompt=say.prompt,
        hook=say.hook,
    )


def _end_of_turn_due(state: State, plan: Plan) -> int | None:
    if state.reply is not None or state.assistant_muted:
        return None
    found = find_endpoint(state, plan)
    return None if found is None else found.at_ms


def _answer(state: State, plan: Plan) -> Change:
    found = find_endpoint(state, plan)
    if found is None:  # _end_of_turn_due has found it
        raise AssertionError
    preemptive = state.preemptive
    state, committed = conversation.commit_turn(state)
    # waitSeconds is the least time between the request to the model and the first sound of the answer.
    not_before_ms = state.now_ms + (plan.adaptive_wait_ms if found.judged else plan.wait_ms)
    why = Decide("answering", found.why)
    if preemptive is not None:
        state, commands = reply_events.keep_preemptive(state, preemptive, not_before_ms, plan)
    else:
        state = replace(state, goes_on=False)
        state, commands = lifecycle.start(state, "model", not_before_ms=not_before_ms, asked=True)
    return state, [*committed, why, *commands]


def _pending_response_due(state: State, _plan: Plan) -> int | None:
    if not state.response_pending or state.reply is not None or not state.may_speak:
        return None
    return None if state.caller.holds_turn or state.caller.said else state.now_ms


def _start_response(state: State, _plan: Plan) -> Change:
    return lifecycle.start(state, "model", asked=True)


def _start_playout_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.audible_ms is not None or reply.audio_ms == 0 or state.caller.holds_turn:
        return None
    return max(reply.not_before_ms, state.now_ms)


def _start_playout(state: State, plan: Plan) -> Change:
    return lifecycle.start_playout(state, lifecycle.current_reply(state), plan)


def _reply_finished_due(state: State, _plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or not reply.ended or not (reply.drained or reply.audio_ms == 0):
        return None
    return state.now_ms


def _finish_reply(state: State, plan: Plan) -> Change:
    return lifecycle.finish(state, lifecycle.current_reply(state), plan)


def _is_held_back(reply: Reply) -> bool:
    """Return True if its audio is ready but must wait for a time or for the caller, so that it is not late."""
    return reply.audible_ms is None and reply.audio_ms > 0


def _hang_notice_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or reply.hang_sent or reply.ended or _is_held_back(reply):
        return None
    return reply.last_activity_ms + plan.hang_ms


def _report_hang(state: State, _plan: Plan) -> Change:
    return replace(state, reply=replace(lifecycle.current_reply(state), hang_sent=True)), [Send(Hang())]


def _model_timeout_hook_due(state: State, plan: Plan) -> int | None:
    return triggers.model_timeout_due(state, plan)


def _trigger_model_timeout(state: State, plan: Plan) -> Change:
    reply, before = lifecycle.current_reply(state), len(state.pending_says)
    state, commands = triggers.trigger_model_timeout(state, plan)
    if len(state.pending_says) == before:
        return state, commands
    # A hook has something to say while the model is silent: the model is asked anew after that.
    state, closing = lifecycle.cut(state, reply, "replaced", plan)
    return conversation.ask_for_response(state), [*commands, *closing]


def _stalled_reply_due(state: State, plan: Plan) -> int | None:
    reply = state.reply
    if reply is None or _is_held_back(reply):
        return None
    stalled_ms = reply.last_activity_ms + plan.stall_ms
    unheard_ms = _unheard_until(state, reply, plan)
    return stalled_ms if unheard_ms is None else min(stalled_ms, unheard_ms)


def _unheard_until(state: State, reply: Reply, plan: Plan) -> int | None:
    """Return when nobody has been heard for too long; None while the caller is heard or a tool is awaited."""
    caller = state.caller
    if (caller.voiced and not caller.background) or tool_calls.is_awaited(state):
        return None
    limit_ms = min(plan.stall_ms, plan.silence_timeout_ms)
    heard_ms = max(state.idle_since_ms, caller.offset_ms)
    # A reply that begins late is given time to sound, but not each one of a chain of silent ones.
    return min(max(heard_ms, reply.requested_ms) + limit_ms, heard_ms + limit_ms + DEAD_AIR_GRACE_MS)


def _end_stalled(state: State, plan: Plan) -> Change:
    reply = lifecycle.current_reply(state)
    # The voice has stalled if it has not finished its segment, otherwise the model.
    silent = reply.played_ms > 0 and not reply.sound_ms
    waits_for_text = not reply.segments or reply.segments[-1].done
    by_model = reply.kind == "model" and not reply.ended and waits_for_text and not silent
    reason = plan.model_failed_reason if by_model else plan.voice_failed_reason
    stalled = state.now_ms >= reply.last_activity_ms + plan.stall_ms
    part = "model" if by_model else "voice"
    detail = (
        f"the {part} made no progress for {plan.stall_ms / 1000:g} s"
        if stalled
        else f"nothing was heard for {(state.now_ms - state.idle_since_ms) / 1000:.1f} s: the {part} is to blame"
    )
    last_words = plan.failure_message if by_model else ""
    return lifecycle.end_call(state, reason, detail, plan, [], last_words=last_words)


REPLY_FINISHED = Item(
    "reply finished",
    "Due when a reply is complete and all its audio has been played: it is closed as spoken and kept in the history.",
    _reply_finished_due,
    _finish_reply,
    closing=True,
)
PENDING_SAY = Item(
    "pending say",
    "Due when no reply runs, no interruption is open and something is to be said word for word (a `say`, a tool's or"
    " hook's message): it is spoken.",
    _pending_say_due,
    _start_pending_say,
    closing=True,
)
END_OF_TURN = Item(
    "end of turn",
    "Due when the caller's turn is over by the endpointing rules: the turn enters the history and the model is asked,"
    " or the preemptive reply is kept.",
    _end_of_turn_due,
    _answer,
)
PENDING_RESPONSE = Item(
    "pending response",
    "Due when a tool result, a message or a hook needs an answer and the caller is silent: the model is asked.",
    _pending_response_due,
    _start_response,
    closing=True,
)
START_PLAYOUT = Item(
    "start of playout",
    "Due when a reply has audio, the caller is silent, and `waitSeconds` and the backoff are over: it sounds.",
    _start_playout_due,
    _start_playout,
    closing=True,
)
HANG_NOTICE = Item(
    "hang notice",
    "Due when a reply has made no progress for four seconds: `hang` reports it.",
    _hang_notice_due,
    _report_hang,
    closing=True,
)
MODEL_TIMEOUT_HOOK = Item(
    "model timeout hook",
    "Due when `hang` was sent for a model that has put out nothing, and a `model.response.timeout` hook waits for that:"
    " the hook triggers; if it says something, the model is asked again after that.",
    _model_timeout_hook_due,
    _trigger_model_timeout,
)
STALLED_REPLY = Item(
    "stalled reply",
    "Due when a reply has made no progress for 30 seconds, or nobody has been heard for so long (or for"
    " `silenceTimeoutSeconds`) while it runs: the call ends with the fault of the model or the voice.",
    _stalled_reply_due,
    _end_stalled,
    closing=True,
)
