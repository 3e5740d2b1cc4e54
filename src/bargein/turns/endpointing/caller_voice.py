"""The agenda items that depend on the caller's voice alone.

After the end of a voice its words are waited for; without any the caller no longer holds the turn. A voice that
brings no new words for five seconds is background noise:

    caller      ..|#####|..................
                        |<---- 1.2 s ----->|
                        |<-300 ms->|       transcript timeout
                                   speech-update: stopped

    caller      ..|####################################
                  |<------------ 5 s ----------->|
                                                 background voice
"""

from dataclasses import replace

from bargein.turns.commands import Decide, Send, SpeechUpdate
from bargein.turns.interruption.evidence import may_be_false
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.state import Change, State


def _caller_stopped_due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    return None if caller.speaking_turn is None or caller.voiced else caller.offset_ms + plan.speech_stopped_ms


def _report_caller_stopped(state: State, _plan: Plan) -> Change:
    turn = state.caller.speaking_turn
    if turn is None:  # _caller_stopped_due has checked it
        raise AssertionError
    caller = replace(state.caller, speaking_turn=None)
    return replace(state, caller=caller), [Send(SpeechUpdate("user", "stopped", turn))]


def _transcript_timeout_due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    if not caller.awaiting_transcript or caller.voiced:
        return None
    # A reply that evidence has cut wrongly is resumed soon; words that come after that interrupt it again.
    cut = state.false_interruption
    resumes_soon = plan.adaptive_interruption and cut is not None and may_be_false(caller, cut, plan)
    timeout_ms = plan.false_interruption_timeout_ms if resumes_soon else plan.transcript_timeout_ms
    return max(caller.offset_ms, caller.words_at_ms) + timeout_ms


def _stop_awaiting_transcript(state: State, _plan: Plan) -> Change:
    return replace(state, caller=replace(state.caller, awaiting_transcript=False)), []


def _background_voice_due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    if not caller.voiced or caller.background:
        return None
    return max(caller.onset_ms, caller.words_at_ms) + plan.background_voice_ms


def _ignore_background_voice(state: State, plan: Plan) -> Change:
    why = Decide("ignored", f"{plan.background_voice_ms} ms of voice brought no new words: it is background")
    caller = replace(state.caller, background=True, has_interrupted=True, awaiting_transcript=False)
    return replace(state, caller=caller), [why]


CALLER_STOPPED = Item(
    "caller stopped",
    "Due when the caller has been silent for 300 ms: `speech-update` reports that the user has stopped.",
    _caller_stopped_due,
    _report_caller_stopped,
    closing=True,
)
TRANSCRIPT_TIMEOUT = Item(
    "transcript timeout",
    "Due when the words of a voice have not come 1.2 s after its end, or 450 ms after it where evidence has just cut a"
    " reply: they are not waited for any longer.",
    _transcript_timeout_due,
    _stop_awaiting_transcript,
    closing=True,
)
BACKGROUND_VOICE = Item(
    "background voice",
    "Due when a voice has brought no new words for five seconds: it no longer counts as the caller speaking.",
    _background_voice_due,
    _ignore_background_voice,
    closing=True,
)
