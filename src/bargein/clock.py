"""The one clock: nothing else in the package reads the time.

Everything that needs time takes a `Clock`, so that a test can move it by hand.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Timer(Protocol):
    """A call that has been put off and can be taken back."""

    def cancel(self) -> None:
        """Take it back; harmless when it has run already."""
        ...


class Clock(Protocol):
    """Where the time comes from."""

    def monotonic_ms(self) -> float:
        """Milliseconds that never go backwards, from an arbitrary zero."""
        ...

    def epoch_ms(self) -> int:
        """Milliseconds since 1970, UTC: what Vapi's `timestamp` holds."""
        ...

    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> Timer:
        """Run `action` on the event loop's thread once `monotonic_ms` has come."""
        ...


class LoopClock:
    """The running event loop's clock."""

    def monotonic_ms(self) -> float:
        """See `Clock.monotonic_ms`."""
        return time.monotonic() * 1000

    def epoch_ms(self) -> int:
        """See `Clock.epoch_ms`."""
        return time.time_ns() // 1_000_000

    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> Timer:
        """See `Clock.call_at`."""
        return asyncio.get_running_loop().call_later(max(0.0, monotonic_ms / 1000 - time.monotonic()), action)


def iso_from_epoch_ms(epoch_ms: int) -> str:
    """`createdAt` and its like: ISO 8601, UTC, milliseconds, with a Z, as Vapi writes them."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{epoch_ms % 1000:03d}Z"
