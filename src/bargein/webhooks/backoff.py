"""Retries of failed requests (Vapi's `backoffPlan`)."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from bargein.ports import ServerError
from bargein.wire.plans import BackoffPlan

T = TypeVar("T")

_MAX_DELAY_S = 300.0


class StatusError(ServerError):
    """A server answered with a status other than 2xx.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, reason="status")
        self.status = status


def delay_s(plan: BackoffPlan, retry: int) -> float:
    """Return the wait before a retry (the first is 0): constant, or doubled each time."""
    base_s = float(plan.base_delay_seconds)
    return min(base_s * (2**retry if plan.type == "exponential" else 1), _MAX_DELAY_S)


def should_retry(plan: BackoffPlan | None, retry: int, error: ServerError) -> bool:
    """Return whether a failed request is sent again.

    Every failure is retried (no answer, any status but 2xx) except an excluded status and a failure that a retry cannot
    change: an address that must not be reached, an answer that is not JSON.

    Args:
        plan: the plan; None never retries.
        retry: the number of retries so far.
        error: the last failure.
    """
    if plan is None or retry >= int(plan.max_retries) or error.reason in ("refused", "invalid"):
        return False
    excluded = {str(status) for status in plan.excluded_status_codes or ()}
    return not (isinstance(error, StatusError) and str(error.status) in excluded)


async def with_retries(plan: BackoffPlan | None, attempt: Callable[[], Awaitable[T]]) -> T:
    """Run `attempt`, and repeat it on failure as the plan says.

    Raises:
        ServerError: the last failure.
    """
    retry = 0
    while True:
        try:
            return await attempt()
        except ServerError as error:
            if not should_retry(plan, retry, error):
                raise
            await anyio.sleep(delay_s(plan, retry) if plan is not None else 0)
            retry += 1
