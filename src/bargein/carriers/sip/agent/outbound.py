"""Placing a call without losing what the stack tells of it at once."""

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

    A far end that answers at once is told of before the library has made the call's object, and what no object listens
    to is lost: the call would ring for ever. So it is kept, and told once the caller of this listens.

    Returns:
        The call, and what tells it what has happened since; to be called when all who listen to it do.

    Raises:
        BaresipError: the stack refused it.
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
            call._on_stack_event(event)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it has no other way in

    return call, catch_up
