"""Adaptive endpointing: each pause of the caller is judged, where the assistant does not say when a turn is over.

`Plan.adaptive_endpointing` applies to an assistant whose `startSpeakingPlan` does not say when a turn is over. Once
the words before a pause have come, the sound, its rhythm and the words are judged together (`JudgePause`,
`PauseJudged`): how likely is it that the caller has finished? The likelier, the shorter the pause that is waited for.
A `waitFunction` gets the same judgement as its x.

    caller      #####|............................
    transcript         "at nine"
                     |<-350 ms->|                   97 % likely over
                     |<-------- 1.4 s -------->|    50 % likely over
                     end of voice              end of turn

The pause is at least `Plan.min_pause_ms` and at most `Plan.max_pause_ms`. A judgement that takes longer than 300 ms is
not waited for: then the transcription plan decides.
"""

import math
from dataclasses import replace

from bargein.turns.commands import JudgePause
from bargein.turns.events import PauseJudged
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.state import Change, PauseJudgement, State

JUDGING_MS = 300
"""A judgement that takes longer is not waited for: then the transcription plan decides."""

_CLOSEST = 1e-4  # probabilities are kept this far from 0 and 1, whose logarithms have no value


def pause_ms(probability: float, plan: Plan) -> int:
    """Return how long the caller must be silent, if the turn is over with this probability.

    Of the pauses that only their length distinguishes from the end of the turn, one in e is longer than D
    (`Plan.pause_decay_ms`). So after w the odds that more follows have fallen by exp(-w / D), and it is waited until
    the chance of cutting the caller off is down to `Plan.max_cutoff_risk`, r. This is also the wait of the least
    expected cost, p w + (1 - p) exp(-w / D) c, where a cut-off costs as much as c = D (1 - r) / r of waiting.
    """
    probability = min(max(probability, _CLOSEST), 1 - _CLOSEST)
    risk = min(max(plan.max_cutoff_risk, _CLOSEST), 1 - _CLOSEST)
    odds = (1 - probability) / probability * (1 - risk) / risk
    return min(max(plan.min_pause_ms, round(plan.pause_decay_ms * math.log(odds))), plan.max_pause_ms)


def current_judgement(state: State) -> PauseJudgement | None:
    """Return the judgement of the pause that the caller is in; None: it was not requested."""
    judgement, caller = state.pause_judgement, state.caller
    about = judgement is not None and (judgement.said, judgement.offset_ms) == (caller.said, caller.offset_ms)
    return judgement if about else None


def apply_judgement(state: State, event: PauseJudged) -> State:
    """Keep a judgement, if it is the first one of the last pause that was sent."""
    judgement = state.pause_judgement
    if judgement is None or judgement.number != event.number or judgement.answered:
        return state
    return replace(state, pause_judgement=replace(judgement, answered=True, probability=event.probability))


def _due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    if not plan.judges_pauses or state.reply is not None or not caller.said or caller.holds_turn:
        return None
    return None if current_judgement(state) is not None else state.now_ms


def _judge(state: State, plan: Plan) -> Change:
    number = 1 if state.pause_judgement is None else state.pause_judgement.number + 1
    caller = state.caller
    judgement = PauseJudgement(number=number, said=caller.said, offset_ms=caller.offset_ms, asked_ms=state.now_ms)
    command = JudgePause(
        number,
        caller.said,
        caller.offset_ms,
        caller.answered_ms,
        caller.confidence,
        plan.language,
        state.last_assistant_text,
    )
    return replace(state, pause_judgement=judgement), [command]


JUDGE_PAUSE = Item(
    "judge pause",
    "Due when the caller pauses, the words have come, and the plan uses judgements: the end-of-turn detector is asked"
    " how likely the turn is over.",
    _due,
    _judge,
)
