"""The clock. Only this module reads the time.

Everything else that needs the time gets a `Clock` as an argument, so that a test can control it.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from typing_extensions import override


class Timer(Protocol):
    """A scheduled call that can be cancelled."""

    def cancel(self) -> None:
        """Cancel the call; does nothing if it has run already."""
        ...


class Clock(Protocol):
    """Gives the time and schedules calls."""

    def monotonic_ms(self) -> float:
        """Return milliseconds that never decrease, from an arbitrary zero."""
        ...

    def epoch_ms(self) -> int:
        """Return milliseconds since 1970, UTC, as in Vapi's `timestamp`."""
        ...

    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> Timer:
        """Run `action` on the event loop's thread at `monotonic_ms`."""
        ...


class LoopClock(Clock):
    """The system's clock, with the running event loop's timers."""

    @override
    def monotonic_ms(self) -> float:
        return time.monotonic() * 1000

    @override
    def epoch_ms(self) -> int:
        return time.time_ns() // 1_000_000

    @override
    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, monotonic_ms / 1000 - time.monotonic()), action)


class SteadyClock:
    """Counts on from one time since 1970 by the monotonic clock, so that due times do not follow a clock that is set.

    Args:
        clock: the clock.
        epoch_ms: the time since 1970 now; that of the clock if not given.
    """

    def __init__(self, clock: Clock, epoch_ms: int | None = None) -> None:
        self._clock = clock
        self._zero_ms = (clock.epoch_ms() if epoch_ms is None else epoch_ms) - clock.monotonic_ms()

    def now_ms(self) -> int:
        """Return the milliseconds since 1970 by this clock."""
        return round(self._zero_ms + self._clock.monotonic_ms())


def iso_from_epoch_ms(epoch_ms: int) -> str:
    """Return a time as Vapi writes `createdAt` and other times: ISO 8601, UTC, with milliseconds and a Z."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{epoch_ms % 1000:03d}Z"
