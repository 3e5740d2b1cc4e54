"""When a request that failed is made again: Vapi's `backoffPlan`."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from bargein.ports import ServerError
from bargein.wire.plans import BackoffPlan

T = TypeVar("T")

_LONGEST_S = 300.0


class StatusError(ServerError):
    """A server answered with another status than 2xx.

    Attributes:
        status: it.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, reason="status")
        self.status = status


def delay_s(plan: BackoffPlan, retry: int) -> float:
    """How long to wait before a retry (the first is 0): always the same, or twice as long each time."""
    base_s = float(plan.base_delay_seconds)
    return min(base_s * (2**retry if plan.type == "exponential" else 1), _LONGEST_S)


def again(plan: BackoffPlan | None, retry: int, error: ServerError) -> bool:
    """Whether a request that failed is made again.

    Any failure counts (no answer, any status but 2xx), but for an excluded status and for what another try cannot
    change: an address that may not be reached, an answer that is no JSON.

    Args:
        plan: None: nothing is ever tried again.
        retry: how many retries there have been.
        error: how the last one ended.
    """
    if plan is None or retry >= int(plan.max_retries) or error.reason in ("refused", "invalid"):
        return False
    excluded = {str(status) for status in plan.excluded_status_codes or ()}
    return not (isinstance(error, StatusError) and str(error.status) in excluded)


async def retried(plan: BackoffPlan | None, attempt: Callable[[], Awaitable[T]]) -> T:
    """Try, and try again as the plan has it.

    Raises:
        ServerError: the last failure.
    """
    retry = 0
    while True:
        try:
            return await attempt()
        except ServerError as error:
            if not again(plan, retry, error):
                raise
            await anyio.sleep(delay_s(plan, retry) if plan is not None else 0)
            retry += 1
