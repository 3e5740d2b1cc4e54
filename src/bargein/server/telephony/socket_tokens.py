"""Tokens that each open one call's media socket once."""

import hmac
import secrets

from bargein.clock import Clock

TOKEN_BYTES = 24


class SocketTokens:
    """The tokens that were issued and not used yet; kept in memory, because the call runs in this process.

    Args:
        clock: the one clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}

    def issue(self, call_id: str, seconds: float) -> str:
        """Return a new token for a call, valid for `seconds`; an earlier one of the call is no longer valid."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._tokens[call_id] = (token, self._clock.monotonic_ms() + seconds * 1000)
        return token

    def is_valid(self, call_id: str, token: str) -> bool:
        """Return whether a token opens a call's socket now."""
        known, until_ms = self._tokens.get(call_id, ("", 0.0))
        same = hmac.compare_digest(known.encode(), token.encode())
        return same and bool(known) and self._clock.monotonic_ms() < until_ms

    def redeem(self, call_id: str, token: str) -> bool:
        """Use a token up; return False if it is not valid."""
        if not self.is_valid(call_id, token):
            return False
        del self._tokens[call_id]
        return True

    def forget(self, call_id: str) -> None:
        """Drop the token of a call."""
        self._tokens.pop(call_id, None)
