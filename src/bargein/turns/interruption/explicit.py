"""Whether the caller takes the floor.

The order of Vapi's `stopSpeakingPlan`: an interruption phrase stops at once; an acknowledgement never stops; else
`numWords` words, or, where that is 0, `voiceSeconds` of voice or any word. An assistant that gives neither leaves it to
`bargein.turns.interruption.evidence`.
"""

from typing import NamedTuple

from bargein.turns.interruption.evidence import is_backchannel, is_interruption
from bargein.turns.phrases import count_words, find_phrase, is_made_of
from bargein.turns.plan import Plan
from bargein.turns.replies.history import lately_spoken
from bargein.turns.state import Caller, Reply, State

# Speech has gaps: the closure of a "t" or a "p" is silent for up to about this long. A run of voice goes on over them.
BRIDGED_DIP_MS = 100


class Interruption(NamedTuple):
    """When the reply is to be cut, and why."""

    at_ms: int
    why: str


def interruption(state: State, plan: Plan) -> Interruption | None:
    """When the caller interrupts the reply that sounds, if the voice that is heard goes on; None: not."""
    reply, caller = state.reply, state.caller
    if reply is None or reply.audible_ms is None or not reply.interruptible:
        return None
    # What was said before the reply sounded is no reaction to it.
    said = caller.utterance if count_words(caller.utterance) and caller.words_at_ms > reply.audible_ms else ""
    if plan.by_evidence:
        found = is_interruption(caller, plan, said, state.now_ms, lately_spoken(reply))
        return None if found is None else Interruption(*found)
    if said:
        if phrase := find_phrase(said, plan.interruption_phrases):
            return Interruption(state.now_ms, f'"{phrase}" is an interruption phrase')
        if is_made_of(said, plan.acknowledgement_phrases):
            return None
        return _by_words(state, plan, said)
    return _by_voice(caller, plan)


def _by_words(state: State, plan: Plan, said: str) -> Interruption | None:
    words = count_words(said)
    if words < max(1, plan.num_words):
        return None
    return Interruption(state.now_ms, f"{words} words, numWords is {plan.num_words}")


def _by_voice(caller: Caller, plan: Plan) -> Interruption | None:
    if plan.num_words > 0 or not caller.voiced or caller.fired:
        return None
    why = f"{plan.voice_ms} ms of voice, voiceSeconds is {plan.voice_ms / 1000:g}"
    return Interruption(caller.rising_ms + plan.voice_ms, why)


def supersedes(reply: Reply, caller: Caller, plan: Plan) -> bool:
    """Whether the caller goes on talking before the reply has begun to sound, so that it answers too little."""
    return (
        reply.audible_ms is None
        and reply.by_model
        and reply.by is None  # what a hook says answers nothing
        and reply.interruptible
        and bool(caller.said)
        and not is_backchannel(caller.said, plan)
    )
