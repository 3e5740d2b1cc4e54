"""What comes due of the caller's voice alone: it fell silent, its words do not come, it is background.

Its items stand in the agenda (`bargein.turns.agenda`), which holds their order.
"""

from dataclasses import replace

from bargein.turns.commands import Decide, Send, SpeechUpdate
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import State


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
    # Where evidence has cut a reply wrongly it goes on soon; words that come later than that cut it again.
    doubtful = plan.by_evidence and state.alarm is not None and not caller.said
    grace_ms = plan.alarm_grace_ms if doubtful else plan.words_grace_ms
    return max(caller.offset_ms, caller.words_at_ms) + grace_ms


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


SILENCE = Item(_silence_due, _fall_silent, closing=True)
GRACE = Item(_grace_due, _end_grace, closing=True)
STUCK = Item(_stuck_due, _get_stuck, closing=True)
