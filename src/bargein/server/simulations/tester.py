"""The tester of a simulation: its script, or a model that finds its next words from the conversation so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bargein.ports import ChatMessage, Role
from bargein.server.agents.assemble import ReadyTester
from bargein.server.analysis.asking import ask
from bargein.server.simulations.steps import NOTATION, Step, habits_of, read_steps, script_of, with_habits
from bargein.wire.base import JsonObject

MOST_TURNS = 40
"""The most turns of a simulated caller; then it hangs up."""

_MOST_CHARS = 2_000
"""The most characters of a simulated caller's turn."""

_ROLE = (
    "You are a caller who talks with an assistant, to test it. Stay in this role: you are not the assistant. "
    "Speak as people do, one or two short sentences at a time.\n\nYour task:\n"
)
_NOTHING = "(silence)"
_SIDES: Mapping[str, Role] = {"assistant": "user", "user": "assistant"}
"""The roles of a conversation from the tester's side."""


@dataclass(slots=True)
class Tester:
    """The decisions of one tester.

    Args:
        ready: its instructions, model and voice.
        instructions: the scenario's.
        metadata: the `metadata` of the personality's assistant.
    """

    ready: ReadyTester
    instructions: str
    metadata: object = None
    _script: list[Step] | None = field(init=False)
    _turns: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._script = script_of(self.instructions)

    async def next_steps(self, conversation: Sequence[JsonObject]) -> list[Step]:
        """Return the steps of the next turn; empty: the tester has nothing more to say.

        Args:
            conversation: what was said so far, as messages of the roles `user` (the tester) and `assistant`.

        Raises:
            ProviderError: the tester's model failed.
        """
        self._turns += 1
        if self._turns > MOST_TURNS:
            return []
        if self._script is not None:
            steps, self._script = self._script, []
        else:
            steps = read_steps(await ask(self.ready.model, self._request(conversation), cut_at=_MOST_CHARS))
        return with_habits(steps, habits_of(self.metadata))

    def _request(self, conversation: Sequence[JsonObject]) -> tuple[ChatMessage, ...]:
        """Return the conversation from the tester's side: the assistant is its user."""
        asked = [*self.ready.instructions, ChatMessage("system", f"{_ROLE}{self.instructions}\n\n{NOTATION}")]
        for one in conversation:
            words = str(one.get("content") or "")
            if words and (role := _SIDES.get(str(one.get("role")))) is not None:
                asked.append(ChatMessage(role, words))
        if asked[-1].role != "user":
            asked.append(ChatMessage("user", _NOTHING))
        return tuple(asked)
