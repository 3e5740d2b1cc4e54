"""Interruption by the numbers of Vapi's `stopSpeakingPlan`.

An interruption phrase interrupts at once, and an acknowledgement phrase never does. Otherwise `numWords` words
interrupt; where that is 0, `voiceSeconds` of voice or any word, whichever comes first. An assistant that gives
neither number leaves the decision to `bargein.turns.interruption.evidence`.

`voiceSeconds: 0.2`, with `numWords: 0`:

    caller      .....|#############################
    assistant   ================|
                     |<-200 ms->|
                     onset      interrupted

`numWords: 2`, where voice alone does not interrupt:

    caller      .....|#############################
    transcript             "wait"     "wait a"
    assistant   ======================|
                           1 word     interrupted

`backoffSeconds: 1`: no assistant audio for this long after an interruption, even if the caller's turn ends sooner:

    caller      .....|######|......................
    assistant   ========|..................|========
                        |<----- 1 s ------>|
                        interrupted        next reply
"""

from typing import NamedTuple

from bargein.turns.interruption import evidence
from bargein.turns.interruption.evidence import is_backchannel
from bargein.turns.phrases import consists_of, count_words, find_phrase
from bargein.turns.plan import Plan
from bargein.turns.replies.history import recently_spoken
from bargein.turns.replies.reply import Reply
from bargein.turns.state import Caller, State

# Speech has gaps: the closure of a "t" or a "p" is silent for up to about this long. A run of voice goes on over them.
BRIDGED_DIP_MS = 100


class Interruption(NamedTuple):
    """An interruption: the time at which the reply is cut, and the reason."""

    at_ms: int
    why: str


def find_interruption(state: State, plan: Plan) -> Interruption | None:
    """Find when the caller interrupts the reply that sounds, if the voice goes on; None: not in this state."""
    reply, caller = state.reply, state.caller
    if reply is None or reply.audible_ms is None or not reply.interruptible:
        return None
    # Words from before the reply sounded are no reaction to it.
    said = caller.utterance if count_words(caller.utterance) and caller.words_at_ms > reply.audible_ms else ""
    if plan.adaptive_interruption:
        found = evidence.find_interruption(caller, plan, said, state.now_ms, recently_spoken(reply))
        return None if found is None else Interruption(*found)
    if said:
        if phrase := find_phrase(said, plan.interruption_phrases):
            return Interruption(state.now_ms, f'"{phrase}" is an interruption phrase')
        if consists_of(said, plan.acknowledgement_phrases):
            return None
        return _find_by_words(state, plan, said)
    return _find_by_voice(caller, plan)


def _find_by_words(state: State, plan: Plan, said: str) -> Interruption | None:
    words = count_words(said)
    if words < max(1, plan.num_words):
        return None
    return Interruption(state.now_ms, f"{words} words, numWords is {plan.num_words}")


def _find_by_voice(caller: Caller, plan: Plan) -> Interruption | None:
    if plan.num_words > 0 or not caller.voiced or caller.has_interrupted:
        return None
    why = f"{plan.voice_ms} ms of voice, voiceSeconds is {plan.voice_ms / 1000:g}"
    return Interruption(caller.rising_ms + plan.voice_ms, why)


def is_superseded(reply: Reply, caller: Caller, plan: Plan) -> bool:
    """Return True if the caller goes on talking before the reply sounds, so that it answers only a part."""
    return bool(caller.said) and may_supersede(reply, caller.said, plan)


def may_supersede(reply: Reply, said: str, plan: Plan) -> bool:
    """Return True if these words before the reply sounds mean that it is not to be said: an answer, or a goodbye."""
    answers = reply.by_model or reply.ends_for is not None
    return (
        reply.audible_ms is None
        and answers
        and reply.hook is None  # a hook's message is no answer
        and reply.interruptible
        and not is_backchannel(said, plan)
    )
