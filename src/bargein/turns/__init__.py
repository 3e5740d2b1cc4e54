"""The turn-taking engine: when the assistant stops, answers, resumes and ends the call.

`step(state, event, plan) -> (state, commands)` and `wake_at(state, plan)` are pure functions over frozen values: no
clock, no randomness, no I/O, and no import of another package but `bargein.errors` and `bargein.patterns`. Times are
integer milliseconds since the call began and come in with each event. The caller of the engine (`bargein.call`) feeds
events, performs the commands in order, and feeds a `Tick` when `wake_at` has come.

Start reading at `step`, then `agenda`; `docs/engine.md` has the table of the agenda, the state diagram and the laws.
"""

from bargein.turns.plan import Plan
from bargein.turns.state import State
from bargein.turns.step import step, wake_at

__all__ = ["Plan", "State", "step", "wake_at"]
