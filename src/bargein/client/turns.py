"""Which tokens of the model still count.

`model-output` names its model response by `turnId`, and so does the `user-interrupted` that cuts it off. A client that
shows or acts on tokens throws the cut response's tokens away, also those that were under way when it was cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Turn:
    """One response of the model.

    Attributes:
        turn_id: its `turnId`.
        tokens: its tokens so far; none once it was interrupted.
        interrupted: whether the caller cut it off.
        dropped_tokens: how many of its tokens were thrown away, late ones among them.
    """

    turn_id: str
    tokens: list[str] = field(default_factory=list)
    interrupted: bool = False
    dropped_tokens: int = 0

    @property
    def text(self) -> str:
        """Its tokens, joined."""
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
        """Take any client message.

        Returns:
            The turn that it changed; None for other messages, for output that is no text, for tokens that come too
            late, and for an interruption of speech that came from no model (`user-interrupted` without a `turnId`).
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
                # A turn may be cut before its first token is seen; its tokens are dropped all the same.
                turn = self._turns.setdefault(turn_id, Turn(turn_id))
                turn.interrupted = True
                turn.dropped_tokens += len(turn.tokens)
                turn.tokens.clear()
                return turn
            case _:
                return None

    def get(self, turn_id: str) -> Turn | None:
        """The turn with this id, if anything was heard of it."""
        return self._turns.get(turn_id)

    @property
    def all(self) -> list[Turn]:
        """Every turn, oldest first."""
        return list(self._turns.values())
