"""The turn-taking engine: pure, without a clock, without I/O.

`step(state, event, plan) -> (state, commands)` and `wake_at(state, plan)` are all there is. Times are integer
milliseconds since the call began and come in with each event; the shell (`bargein.call`) feeds events, performs the
commands in order, and feeds a `Tick` when `wake_at` has come.
"""

from bargein.turns.plan import Plan
from bargein.turns.state import State
from bargein.turns.step import step, wake_at

__all__ = ["Plan", "State", "step", "wake_at"]
