"""The conversation: where an entry of the history stands, and how the caller's words become one.

Utterances stand in the order in which they began to be said. What the assistant says is known when it is over, so that
it is inserted before what came meanwhile; what the caller says becomes an entry when the turn is over, or as soon as
the assistant says something before that, because it is heard before it.

A caller's words call off an end of the call that a tool has asked for. The tool's result says so from then on, because
the model would otherwise take the call for over.
"""

from dataclasses import replace
from itertools import takewhile

from bargein.turns.commands import Decide, Remember
from bargein.turns.interruption.evidence import is_backchannel
from bargein.turns.phrases import count_words
from bargein.turns.plan import Plan
from bargein.turns.replies.reply import Reply
from bargein.turns.state import Caller, Change, State

CALLED_OFF = "Not done: the call goes on because the caller spoke."
"""Result of a tool that was to end the call, once the caller's words have called the end off."""

TAKEN_OVER = "Not done: another assistant has taken the call."
"""The same once another assistant has the call."""


def with_utterance(history: tuple[Remember, ...], entry: Remember) -> tuple[Remember, ...]:
    """Insert what was said before everything that began later, but not between a tool call and its results."""
    at = _place_of(history, entry.start_ms)
    return (*history[:at], entry, *history[at:])


def with_reply(history: tuple[Remember, ...], entry: Remember) -> tuple[Remember, ...]:
    """Insert the heard text of a reply: before what began later, and before the tools that it called.

    What was said between those calls and the reply's first sound stands before the text, and so do the calls then.
    """
    at = _place_of(history, entry.start_ms)
    calls = next((i for i, one in enumerate(history) if one.tool_calls and one.turn_id == entry.turn_id), at)
    if calls < at and all(_is_of_a_tool(one) for one in history[calls:at]):
        at = calls
    return (*history[:at], entry, *history[at:])


def with_result(history: tuple[Remember, ...], entry: Remember) -> tuple[Remember, ...]:
    """Insert a tool's result where chat models expect it: after the call and the results of the calls beside it."""
    found = (i for i, one in enumerate(history) if any(c.id == entry.tool_call_id for c in one.tool_calls))
    at = 1 + next(found, -1)
    if at == 0:  # after a handoff, the new assistant's history may not have the call
        return history
    ids = {called.id for called in history[at - 1].tool_calls}
    while at < len(history) and history[at].tool_call_id in ids:
        at += 1
    return (*history[:at], entry, *history[at:])


def _place_of(history: tuple[Remember, ...], start_ms: int) -> int:
    later = (i for i, one in enumerate(history) if one.tool_call_id is None and one.start_ms > start_ms)
    return next(later, len(history))


def _is_of_a_tool(entry: Remember) -> bool:
    return bool(entry.tool_calls) or entry.tool_call_id is not None


def commit_turn(state: State) -> Change:
    """Put the words of the caller's open turn into the history and close the turn; they call off a tool's end."""
    caller = state.caller
    entry = Remember("user", caller.said, caller.began_ms, max(caller.offset_ms, caller.began_ms))
    state = replace(state, history=with_utterance(state.history, entry), caller=close_turn(caller), tool_rounds=0)
    state, commands = call_off_end(state)
    return state, [entry, *commands]


def settle_before(state: State, reply: Reply, plan: Plan) -> Change:
    """Settle what the caller has said before a reply begins to sound, so that it stands before it.

    A backchannel while an answer or a goodbye was on its way needs no answer; any other words get one after the reply.
    """
    said = state.caller.said
    if not said:
        return state, []
    if (reply.by_model or reply.ends_for is not None) and is_backchannel(said, plan):
        why = Decide("ignored", f'"{said}" was a backchannel', reply.turn_id)
        return replace(state, caller=close_turn(state.caller)), [why]
    state, commands = commit_turn(state)
    return (ask_for_response(state) if state.closing is None else state), commands


def needs_answer(caller: Caller, plan: Plan) -> bool:
    """Return True if the caller has said something in the open turn that is more than a backchannel."""
    return bool(caller.said) and not is_backchannel(caller.said, plan)


def ask_for_response(state: State) -> State:
    """Note that something in the history needs an answer of the model."""
    return replace(state, response_pending=True, goes_on=False)


def ends_unanswered(state: State, *, asked: bool) -> bool:
    """Return True if the assistant said something last, and what it said is no answer to something before.

    Args:
        state: the state.
        asked: the caller, a tool or a client waits for an answer.
    """
    spoken = list(takewhile(_is_said_by_assistant, reversed(state.history)))
    if not spoken:
        return False
    before = state.history[-len(spoken) - 1] if len(spoken) < len(state.history) else None
    made_to_say = all(one.source == "force-say" for one in spoken) and before is not None and before.role != "system"
    return made_to_say or (asked and not state.goes_on)


def _is_said_by_assistant(entry: Remember) -> bool:
    return entry.role == "assistant" and not entry.tool_calls


def call_off_end(state: State, result: str = CALLED_OFF) -> Change:
    """Call off the end of the call that tools have asked for: that is their result, and no goodbye is said."""
    calls, reply = state.ending_calls, state.reply
    if not calls or (
        reply is not None and reply.ends_for is not None
    ):  # a goodbye that sounds on is followed by the end
        return state, []
    history = tuple(
        replace(one, text=result, failed=True) if one.tool_call_id in calls else one for one in state.history
    )
    says = tuple(one for one in state.pending_says if one.ends_for is None)
    state = replace(state, history=history, pending_says=says, ending_calls=(), end_call_reason=None)
    return state, [Decide("ignored", f"the end of the call: {result}")]


def close_turn(caller: Caller) -> Caller:
    """Close the caller's open turn, which is answered or needs no answer; a voice that still sounds opens the next."""
    return replace(
        caller,
        final_text="",
        utterance="",
        utterance_final=False,
        final_confidence=None,
        utterance_confidence=None,
        turn=None,
        answered_ms=caller.offset_ms,
        preemptive_count=0,
        preemptive_offset_ms=None,
        committed_words=0 if caller.utterance_final else count_words(caller.utterance),
    )
