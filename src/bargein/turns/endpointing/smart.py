"""Smart endpointing by somebody's own model: its server is asked, when the caller pauses, how long to wait.

A question is about one pause: these words, this end of the voice. When the caller goes on it is void, and an answer to
it that comes later is known by the question's number and dropped. Until the answer is there the turn stays open, for
`Plan.ask_ms` at most; without an answer the transcription plan decides.
"""

from dataclasses import replace

from bargein.turns.commands import AskEndpointing, Command
from bargein.turns.events import EndpointingAnswered
from bargein.turns.plan import Plan
from bargein.turns.state import Question, State


def open_question(state: State) -> Question | None:
    """What was asked about the pause that the caller is in; None: nothing yet."""
    question, caller = state.question, state.caller
    about = question is not None and (question.said, question.offset_ms) == (caller.said, caller.offset_ms)
    return question if about else None


def asking_due(state: State, plan: Plan) -> int | None:
    """At once, when the caller has paused and nobody has been asked about it."""
    caller = state.caller
    if plan.ask_ms is None or not caller.said or caller.holds_floor or open_question(state) is not None:
        return None
    return state.now_ms


def ask(state: State, _plan: Plan) -> tuple[State, list[Command]]:
    """Ask about this pause."""
    number = 1 if state.question is None else state.question.number + 1
    caller = state.caller
    question = Question(number=number, said=caller.said, offset_ms=caller.offset_ms, asked_ms=state.now_ms)
    return replace(state, question=question), [AskEndpointing(number, caller.said)]


def take(state: State, event: EndpointingAnswered) -> State:
    """Take an answer, if it is the first one to the last question."""
    question = state.question
    if question is None or question.number != event.number or question.answered:
        return state
    return replace(state, question=replace(question, answered=True, pause_ms=event.pause_ms))
