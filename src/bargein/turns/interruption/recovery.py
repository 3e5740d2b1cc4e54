"""Recovery: the assistant resumes after a false interruption.

An interruption without words, or with a backchannel alone, was a false interruption: the assistant resumes with what
was not heard. Words may come up to 1.2 s after the end of the voice, 450 ms where evidence has cut the reply. A
transcriber that says sooner that there are none is not waited for. Where evidence has cut the reply, the voice is
asked for the rest meanwhile, so that it is ready:

    caller      ..|#####|.......................
    transcript           (no words)            |
    assistant   =====|.........................|========
                     interrupted               resumed
                        |<-- 450 ms or 1.2 s ->|
                        |<160 ms>|--voice-->|

It resumes at the beginning of the clause in which it was cut, if no more than 1.2 s of that clause had been heard, and
otherwise with the word that was cut (`bargein.turns.interruption.join`):

    assistant   "Your table is booked, for tw"             "for two people at nine."
                                             |............|
                                             interrupted   resumed

Where the model had not finished the text, its complete sentences are said, and then the model is asked to go on.
"""

from dataclasses import replace

from bargein.turns import conversation
from bargein.turns.commands import Decide, StartReply
from bargein.turns.interruption.evidence import may_be_false
from bargein.turns.interruption.join import complete_sentences, resume_char
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle, reply_events
from bargein.turns.replies.history import heard_chars
from bargein.turns.replies.reply import FalseInterruption, PreemptiveReply, Reply
from bargein.turns.state import Change, State
from bargein.turns.tools import tool_calls

PREPARE_AFTER_MS = 160
"""So long after the end of a voice its words have mostly come: the voice would be asked for nothing before."""


def open_cut(reply: Reply, backoff_until_ms: int, plan: Plan) -> FalseInterruption:
    """Return what is needed to resume a reply that is being cut."""
    heard = heard_chars(reply)
    begin = resume_char(reply) if plan.smooth_resume else heard
    complete = reply.ended or reply.text_ended or reply.called_tools or reply.kind != "model"
    text = reply.text if complete else complete_sentences(reply.text) if plan.smooth_resume else ""
    return FalseInterruption(
        turn_id=reply.turn_id,
        kind="resumed" if reply.by_model else reply.kind,
        was_question=reply.text.rstrip().endswith("?"),
        rest=text[begin:].strip() if len(text) > heard else "",
        repeated_chars=max(0, heard - begin),
        asks_model=not complete,
        end_call_reason=reply.end_call_reason,
        ends_for=reply.ends_for,
        starts_tool=reply.starts_tool,
        backoff_until_ms=backoff_until_ms,
    )


def _false_interruption_due(state: State, plan: Plan) -> int | None:
    caller, cut = state.caller, state.false_interruption
    if cut is None or caller.holds_turn or state.assistant_muted:
        return None
    return state.now_ms if may_be_false(caller, cut, plan) else None


def _resume(state: State, plan: Plan) -> Change:
    cut = _current_cut(state)
    said = state.caller.said
    cause = f'"{said}" was a backchannel' if said else "the voice brought no words"
    why = Decide("resumed", f"false interruption: {cause}, so the assistant goes on", cut.turn_id)
    # A hook's message about the cut would be about nothing.
    state = replace(
        tool_calls.drop_pending_says(state, cut.turn_id),
        false_interruption=None,
        caller=conversation.close_turn(state.caller),
    )
    if plan.adaptive_interruption:  # nobody interrupted, so the backoff does not apply
        state = replace(state, backoff_until_ms=cut.backoff_until_ms)
    if cut.rest and state.preemptive is not None:
        state, commands = reply_events.keep_prepared(state, state.preemptive, cut, plan)
    elif cut.rest:
        state, commands = lifecycle.resume(state, cut, None)
    elif cut.asks_model:
        state, commands = lifecycle.start(state, "model")
    elif cut.end_call_reason is not None:
        return lifecycle.end_call(state, cut.end_call_reason, "", plan, [why])
    elif cut.starts_tool is not None:
        state, commands = tool_calls.run(state, cut.starts_tool)
    else:
        return state, [why]
    return state, [why, *commands]


def _current_cut(state: State) -> FalseInterruption:
    cut = state.false_interruption
    if cut is None:  # the items are due only where there is one
        raise AssertionError
    return cut


def _prepare_due(state: State, plan: Plan) -> int | None:
    caller, cut = state.caller, state.false_interruption
    if cut is None or not cut.rest or cut.prepared or not (plan.adaptive_interruption and plan.smooth_resume):
        return None
    if caller.voiced or state.preemptive is not None or not may_be_false(caller, cut, plan):
        return None
    return caller.offset_ms + PREPARE_AFTER_MS


def _prepare(state: State, _plan: Plan) -> Change:
    cut = _current_cut(state)
    prepared = PreemptiveReply(turn_id=state.next_turn_id, said=(), history=state.history, resumes=cut.turn_id)
    state = replace(
        state,
        preemptive=prepared,
        false_interruption=replace(cut, prepared=True),
        reply_count=state.reply_count + 1,
    )
    return state, [StartReply(prepared.turn_id, cut.rest, prepared=True)]


FALSE_INTERRUPTION = Item(
    "false interruption",
    "Due when the caller is silent after an interruption and no words have come, or only a backchannel: the assistant"
    " resumes with what was not heard.",
    _false_interruption_due,
    _resume,
)
PREPARE = Item(
    "prepared reply",
    "Due 160 ms after the end of a voice without words by which evidence has cut a reply: the voice is asked for the"
    " rest, which sounds if this turns out to be a false interruption.",
    _prepare_due,
    _prepare,
)
