"""The model's tokens by turn, without those of interrupted turns.

`model-output` has the `turnId` of its model response, and so has the `user-interrupted` that cuts it. A client that
shows or uses tokens drops those of the cut response, also tokens that were in transit when it was cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Turn:
    """One response of the model.

    Attributes:
        turn_id: the `turnId`.
        tokens: the tokens so far; empty after an interruption.
        interrupted: True if the caller interrupted it.
        dropped_tokens: number of dropped tokens, including late ones.
    """

    turn_id: str
    tokens: list[str] = field(default_factory=list)
    interrupted: bool = False
    dropped_tokens: int = 0

    @property
    def text(self) -> str:
        """The tokens, joined."""
        return "".join(self.tokens)


class Turns:
    """Groups a call's tokens by turn and drops those of interrupted turns.

    for each message of the call:
        turn = turns.push(message)
        if turn is not None:
            show(turn.turn_id, turn.text, struck_out=turn.interrupted)
    """

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    def push(self, message: Mapping[str, Any]) -> Turn | None:
        """Apply a client message of any type.

        Returns:
            The turn that it changed; None for other messages, for output that is not text, for tokens of an interrupted
            turn, and for an interruption of speech without a model turn (`user-interrupted` without a `turnId`).
        """
        turn_id = message.get("turnId")
        if not isinstance(turn_id, str):
            return None
        match message.get("type"), message.get("output"):
            case "model-output", str(token):
                turn = self._turns.setdefault(turn_id, Turn(turn_id))
                if turn.interrupted:
                    turn.dropped_tokens += 1
                    return None
                turn.tokens.append(token)
                return turn
            case "user-interrupted", _:
                # A turn may be interrupted before its first token arrives; its tokens are dropped too.
                turn = self._turns.setdefault(turn_id, Turn(turn_id))
                turn.interrupted = True
                turn.dropped_tokens += len(turn.tokens)
                turn.tokens.clear()
                return turn
            case _:
                return None

    def get(self, turn_id: str) -> Turn | None:
        """Return the turn with this id, or None if no message had it."""
        return self._turns.get(turn_id)

    @property
    def all(self) -> list[Turn]:
        """All turns, oldest first."""
        return list(self._turns.values())
