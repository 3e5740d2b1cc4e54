"""Keeps a failure of what a call writes from the call: the journal, the recording, logs, metrics and messages.

A part that the call cannot do without is not guarded here: its failure ends the call (`CallSession.fail`).
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ParamSpec

import structlog
from typing_extensions import override

from bargein.clock import Clock, Timer
from bargein.ports import JournalSink

_log = structlog.get_logger("bargein.call")

_P = ParamSpec("_P")


class Guard:
    """Runs actions of one call whose failure must not reach it; the first failure of each part is logged.

    Args:
        call_id: the call's id, for the log.
    """

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._failed: set[str] = set()

    def attempt(self, part: str, action: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> bool:
        """Run an action; return False if it raised.

        Args:
            part: the part of the call that acts, for the log.
            action: the action.
            args: its arguments.
            kwargs: its named arguments.
        """
        try:
            action(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the call goes on without it
            self._report(part, error)
            return False
        return True

    async def attempt_later(
        self, part: str, action: Callable[_P, Awaitable[object]], *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        """Run an asynchronous action; a cancellation passes, any other error does not."""
        try:
            await action(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the call goes on without it
            self._report(part, error)

    def _report(self, part: str, error: Exception) -> None:
        if part in self._failed:
            return
        self._failed.add(part)
        with suppress(Exception):  # the log itself may be what fails
            _log.error("a part of a call failed; the call goes on", part=part, call_id=self._call_id, exc_info=error)


class GuardedSink(JournalSink):
    """A journal or log whose failures do not reach the call.

    Args:
        sink: stores the lines.
        part: `journal` or `log`.
        guard: the call's guard.
    """

    def __init__(self, sink: JournalSink, part: str, guard: Guard) -> None:
        self._sink = sink
        self._part = part
        self._guard = guard

    @override
    def write(self, line: str) -> None:
        self._guard.attempt(self._part, self._sink.write, line)

    @override
    async def run(self) -> None:
        await self._guard.attempt_later(self._part, self._sink.run)

    @override
    async def close(self) -> None:
        await self._guard.attempt_later(self._part, self._sink.close)

    @override
    def restart(self) -> None:
        self._guard.attempt(self._part, self._sink.restart)


class GuardedClock(Clock):
    """A clock whose timers report what their actions raise: the event loop would only log it, and the call would hang.

    Args:
        clock: the clock.
        on_error: called with the error of an action.
    """

    def __init__(self, clock: Clock, on_error: Callable[[Exception], None]) -> None:
        self._clock = clock
        self._on_error = on_error

    @override
    def monotonic_ms(self) -> float:
        return self._clock.monotonic_ms()

    @override
    def epoch_ms(self) -> int:
        return self._clock.epoch_ms()

    @override
    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> Timer:
        def guarded() -> None:
            try:
                action()
            except Exception as error:  # noqa: BLE001  # any bug of the action
                self._on_error(error)

        return self._clock.call_at(monotonic_ms, guarded)
