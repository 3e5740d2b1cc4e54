"""Tokens that open one call's media socket once."""

import hmac
import secrets

from bargein.clock import Clock

TOKEN_BYTES = 24


class SocketTokens:
    """The tokens that were given out and not used yet; kept in memory, for the call lives in this process.

    Args:
        clock: the one clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._given: dict[str, tuple[str, float]] = {}

    def issue(self, call_id: str, seconds: float) -> str:
        """A new token for a call, good for so long; one that it had before is good no more."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._given[call_id] = (token, self._clock.monotonic_ms() + seconds * 1000)
        return token

    def good(self, call_id: str, token: str) -> bool:
        """Whether a token opens a call's socket now."""
        known, until_ms = self._given.get(call_id, ("", 0.0))
        same = hmac.compare_digest(known.encode(), token.encode())
        return same and bool(known) and self._clock.monotonic_ms() < until_ms

    def take(self, call_id: str, token: str) -> bool:
        """Use a token up; False if it is not good."""
        if not self.good(call_id, token):
            return False
        del self._given[call_id]
        return True

    def forget(self, call_id: str) -> None:
        """The call needs none any more."""
        self._given.pop(call_id, None)
