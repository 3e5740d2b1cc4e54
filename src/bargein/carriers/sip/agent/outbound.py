"""Placing a call without losing the stack's first events of it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from baresip.call import Call
from baresip.runtime import Runtime
from baresip.ua import UserAgent

if TYPE_CHECKING:
    from baresip.events import StackEvent


async def dial(
    runtime: Runtime, agent: UserAgent, uri: str, headers: Mapping[str, str] | None = None
) -> tuple[Call, Callable[[], None]]:
    """Send an INVITE.

    The stack may report an answer before the library has made the call's object; events without an object are lost, and
    the call would ring for ever. So early events are kept, and replayed once all listeners are attached.

    Returns:
        The call, and a function that replays the early events; to be called when all listeners are attached.

    Raises:
        BaresipError: the stack refused the call.
        ValueError: the address or a header cannot be sent.
    """
    early: list[StackEvent] = []
    runtime.subscribe(early.append)
    try:
        call = await agent.dial(uri, headers=dict(headers) if headers else None)
    finally:
        runtime.unsubscribe(early.append)

    def catch_up() -> None:
        for event in early:
            call._on_stack_event(event)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # there is no public method

    return call, catch_up
