"""The server's part in calls of which nothing that is said is kept (`bargein.call.record.privacy`)."""

from typing_extensions import override

from bargein.ports import PrivateCalls
from bargein.server.ops.logs import TEXTLESS_CALLS
from bargein.wire.base import JsonObject

_MOST = 2_000
"""Ended calls whose owners' servers do not take their messages; of more than that the oldest are forgotten."""


class PrivateCallMemory(PrivateCalls):
    """The ends of private calls of this server, until their owners' servers have them; a restart forgets them."""

    def __init__(self) -> None:
        self._outcomes: dict[str, JsonObject] = {}

    @override
    def begin(self, call_id: str) -> None:
        TEXTLESS_CALLS.add(call_id)

    @override
    def withhold(self, call_id: str, outcome: JsonObject) -> None:
        while len(self._outcomes) >= _MOST:
            del self._outcomes[next(iter(self._outcomes))]
        self._outcomes[call_id] = outcome

    def outcome(self, call_id: str) -> JsonObject:
        """Return the fields of a call's end; none if they are not known here."""
        return self._outcomes.get(call_id, {})

    def forget(self, call_id: str) -> None:
        """Forget a call: its owner's server has everything, or there is none."""
        self._outcomes.pop(call_id, None)

    def close(self, call_id: str) -> None:
        """Note that a call writes no more lines to the log."""
        TEXTLESS_CALLS.discard(call_id)
