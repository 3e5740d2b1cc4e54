"""When a turn is over where the assistant's plan leaves it to us: each pause of the caller's is judged.

`Plan.by_judgement` is the policy of an assistant whose `startSpeakingPlan` says nothing of when a turn is over. Once
the words before a pause are all there, the sound, its rhythm and the words are judged together (`JudgePause`,
`PauseJudged`): how likely is it that the caller has finished? The likelier, the shorter the pause that is waited for.
A `waitFunction` gets the same judgement as its x.
"""

import math
from dataclasses import replace

from bargein.turns.commands import Command, JudgePause
from bargein.turns.events import PauseJudged
from bargein.turns.plan import Plan
from bargein.turns.state import Judgement, State

LINGER_MS = 1200
"""Of the pauses in the middle of a turn whose end nothing but their length tells, one in e is longer than this."""

JUDGING_MS = 300
"""A judgement that takes longer is not waited for: then the transcription plan decides."""

_CERTAIN = 1e-4


def pause_ms(done: float, plan: Plan) -> int:
    """How long the caller must be silent, if the turn is over with probability `done` by all but its length.

    A pause that lasts tells more and more that nothing will follow. It is waited for until the chance of cutting the
    caller off is down to `Plan.cut_risk`.
    """
    done = min(max(done, _CERTAIN), 1 - _CERTAIN)
    risk = min(max(plan.cut_risk, _CERTAIN), 1 - _CERTAIN)
    odds = (1 - done) / done * (1 - risk) / risk
    return min(max(plan.least_pause_ms, round(LINGER_MS * math.log(odds))), plan.longest_pause_ms)


def open_judgement(state: State) -> Judgement | None:
    """What was asked about the pause that the caller is in; None: nothing yet."""
    judgement, caller = state.judgement, state.caller
    about = judgement is not None and (judgement.said, judgement.offset_ms) == (caller.said, caller.offset_ms)
    return judgement if about else None


def judging_due(state: State, plan: Plan) -> int | None:
    """At once, when the caller pauses and this pause with these words has not been judged."""
    caller = state.caller
    if not plan.judges_pauses or state.reply is not None or not caller.said or caller.holds_floor:
        return None
    return None if open_judgement(state) is not None else state.now_ms


def judge(state: State, _plan: Plan) -> tuple[State, list[Command]]:
    """Have this pause judged."""
    number = 1 if state.judgement is None else state.judgement.number + 1
    caller = state.caller
    judgement = Judgement(number=number, said=caller.said, offset_ms=caller.offset_ms, asked_ms=state.now_ms)
    return replace(state, judgement=judgement), [JudgePause(number, caller.said, caller.offset_ms, caller.answered_ms)]


def take(state: State, event: PauseJudged) -> State:
    """Take a judgement, if it is the first one of the last pause that was asked about."""
    judgement = state.judgement
    if judgement is None or judgement.number != event.number or judgement.answered:
        return state
    return replace(state, judgement=replace(judgement, answered=True, done=event.done))
