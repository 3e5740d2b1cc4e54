"""An answer that is begun before it is certain that the caller has finished: a draft.

In a pause that is likely the end of a turn the model is asked at once, and what it puts out is kept. Nobody is told of
it, nothing of it sounds, no tool of it runs, and the conversation knows nothing of it, until the turn is over: then it
becomes the answer, as if it had all come at that moment. If anything else happens first, it is thrown away.
"""

from dataclasses import replace

from bargein.turns.commands import CloseReply, Command, StartReply
from bargein.turns.endpointing.rules import endpoint
from bargein.turns.events import ReplyEnded, ReplyFailed, ReplyToken, SpeechQueued, SpeechRequested, ToolsCalled
from bargein.turns.phrases import normalise
from bargein.turns.plan import Plan
from bargein.turns.state import PreemptiveReply, State

MOST_IN_TURN = 2
"""So many drafts in one turn of the caller's, at most, and one for each pause."""

LIKELY = 0.5
"""A turn that is less likely over gets no draft."""

LEAST_GAIN_MS = 60
"""Nor does one that is over so soon anyway."""

OfReply = ReplyToken | ToolsCalled | SpeechRequested | SpeechQueued | ReplyEnded | ReplyFailed


def due(state: State, plan: Plan) -> int | None:
    """At once, when the caller has likely finished but it is too early to be certain."""
    caller = state.caller
    if not plan.drafts or state.draft is not None or not _free(state):
        return None
    if caller.drafts >= MOST_IN_TURN or caller.drafted_ms == caller.offset_ms:
        return None
    found = endpoint(state, plan)
    if found is None or found.likely < LIKELY or found.at_ms < state.now_ms + LEAST_GAIN_MS:
        return None
    return state.now_ms


def begin(state: State, _plan: Plan) -> tuple[State, list[Command]]:
    """Ask the model what it would answer."""
    caller = state.caller
    draft = PreemptiveReply(turn_id=state.turn_id, said=normalise(caller.said), history=state.history)
    caller = replace(caller, drafts=caller.drafts + 1, drafted_ms=caller.offset_ms)
    state = replace(state, draft=draft, caller=caller, replies=state.replies + 1)
    return state, [StartReply(draft.turn_id, None, said=caller.said)]


def keep(state: State, draft: PreemptiveReply, event: OfReply) -> State:
    """Something came of it: nobody is told yet."""
    return replace(state, draft=replace(draft, events=(*draft.events, event)))


def stale_due(state: State, _plan: Plan) -> int | None:
    """At once, when it answers no longer what has been said."""
    return None if state.draft is None or fits(state, state.draft) else state.now_ms


def throw_away(state: State, _plan: Plan | None = None) -> tuple[State, list[Command]]:
    """It never was."""
    draft = state.draft
    if draft is None:
        return state, []
    return replace(state, draft=None), [CloseReply(draft.turn_id, "discarded")]


def fits(state: State, draft: PreemptiveReply) -> bool:
    """Whether it still answers what has been said."""
    broken = any(isinstance(event, ReplyFailed) for event in draft.events)
    same = draft.said == normalise(state.caller.said) and draft.history == state.history
    return _free(state) and same and not broken


def _free(state: State) -> bool:
    """Whether nothing but the caller's next word stands between now and the answer."""
    waits = state.tools or state.sayings or state.owed or state.handoff is not None or state.closing is not None
    return state.reply is None and not waits and not state.assistant_muted and not state.caller.voiced
