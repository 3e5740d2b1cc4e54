"""Preemptive replies: the model is asked before it is certain that the caller has finished.

In a pause that is likely the end of a turn the model is asked at once, and the events of that reply are kept. No client
is told of it, nothing of it sounds, no tool of it runs, and the history does not have it, until the turn is over: then
it becomes the answer, as if all its events had come at that moment. If anything else happens first, it is discarded.

    caller      #####|..........................
    transcript         "at nine"
                       |--- model, voice --->|
                       preemptive reply
                     |<------ pause ------>|
                                           end of turn: kept
"""

from dataclasses import replace

from bargein.turns.commands import CloseReply, StartReply
from bargein.turns.endpointing.rules import find_endpoint
from bargein.turns.events import ReplyFailed, ReplyToken, SpeechQueued
from bargein.turns.interruption.evidence import may_be_false
from bargein.turns.item import Item
from bargein.turns.phrases import normalise
from bargein.turns.plan import Plan
from bargein.turns.replies.reply import GeneratedEvent, PreemptiveReply
from bargein.turns.state import Change, State

MAX_IN_TURN = 2
"""A turn has no more preemptive replies than this, and at most one for each pause."""

MIN_PROBABILITY = 0.5
"""A turn that is over with a lower probability gets no preemptive reply."""

MIN_GAIN_MS = 60
"""Nor does a turn that is over sooner than this anyway."""

MOST_EVENTS = 500
"""More than a model and a voice send in the pause."""


def record_event(state: State, preemptive: PreemptiveReply, event: GeneratedEvent) -> State:
    """Keep an event of the preemptive reply until the turn is over.

    All are applied at once then, so beyond `MOST_EVENTS` of them pieces of text are joined, and of the reports about
    the same audio the last one is kept.
    """
    events = preemptive.events
    if len(events) >= MOST_EVENTS:
        last = events[-1]
        if isinstance(last, ReplyToken) and isinstance(event, ReplyToken):
            events, event = events[:-1], replace(event, text=last.text + event.text)
        elif isinstance(last, SpeechQueued) and isinstance(event, SpeechQueued) and last.segment == event.segment:
            events = events[:-1]
    return replace(state, preemptive=replace(preemptive, events=(*events, event)))


def discard(state: State, _plan: Plan | None = None) -> Change:
    """Close the preemptive reply without a trace, if there is one."""
    preemptive = state.preemptive
    if preemptive is None:
        return state, []
    return replace(state, preemptive=None), [CloseReply(preemptive.turn_id, "discarded")]


def is_wanted(state: State, preemptive: PreemptiveReply, plan: Plan) -> bool:
    """Return True if the reply answers what has been said by now, or may have to be resumed, and has not failed."""
    failed = any(isinstance(event, ReplyFailed) for event in preemptive.events)
    if preemptive.resumes is not None:
        cut = state.false_interruption
        return (
            cut is not None
            and cut.turn_id == preemptive.resumes
            and may_be_false(state.caller, cut, plan)
            and not failed
        )
    same = preemptive.said == normalise(state.caller.said) and preemptive.history == state.history
    return _only_caller_may_speak(state) and same and not failed


def _only_caller_may_speak(state: State) -> bool:
    """Return True if nothing but the caller's next word comes before the answer."""
    if state.reply is not None or state.tools or state.pending_says or state.response_pending:
        return False
    return state.handoff is None and state.closing is None and not state.assistant_muted and not state.caller.voiced


def _due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    if not plan.preemptive or state.preemptive is not None or not _only_caller_may_speak(state):
        return None
    if state.history and state.history[-1].start_ms > caller.began_ms:
        return None  # the words will not be the last in the history, as they would be for the model now
    if caller.preemptive_count >= MAX_IN_TURN or caller.preemptive_offset_ms == caller.offset_ms:
        return None
    found = find_endpoint(state, plan)
    if found is None or found.probability < MIN_PROBABILITY or found.at_ms < state.now_ms + MIN_GAIN_MS:
        return None
    return state.now_ms


def _start(state: State, _plan: Plan) -> Change:
    caller = state.caller
    preemptive = PreemptiveReply(turn_id=state.next_turn_id, said=normalise(caller.said), history=state.history)
    caller = replace(caller, preemptive_count=caller.preemptive_count + 1, preemptive_offset_ms=caller.offset_ms)
    state = replace(state, preemptive=preemptive, caller=caller, reply_count=state.reply_count + 1)
    return state, [StartReply(preemptive.turn_id, None, said=caller.said)]


def _stale_due(state: State, plan: Plan) -> int | None:
    return None if state.preemptive is None or is_wanted(state, state.preemptive, plan) else state.now_ms


START = Item(
    "preemptive reply",
    "Due in a pause that is likely the end of the turn but has not lasted long enough: the model is asked, and its"
    " answer is kept until the turn is over.",
    _due,
    _start,
)
STALE = Item(
    "stale preemptive reply",
    "Due when a preemptive reply no longer answers what has been said, when a prepared one will not be resumed, or when"
    " either has failed: it is discarded.",
    _stale_due,
    discard,
    closing=True,
)
