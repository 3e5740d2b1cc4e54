"""A far end that answers at once: what the stack tells before the call's object is there is not lost."""

from collections.abc import Callable
from typing import Any

import pytest
from baresip import CallState
from baresip.call import Call
from baresip.events import Event, StackEvent

from bargein.carriers.sip.agent.outbound import dial

pytestmark = pytest.mark.anyio


class Stack:
    """The stack's events, and an agent whose far end has answered by the time that its order is acknowledged."""

    def __init__(self, *at_once: StackEvent) -> None:
        self.listeners: list[Callable[[StackEvent], None]] = []
        self.at_once = at_once

    def subscribe(self, listener: Callable[[StackEvent], None]) -> None:
        self.listeners.append(listener)

    def unsubscribe(self, listener: Callable[[StackEvent], None]) -> None:
        self.listeners.remove(listener)

    def tell(self, event: StackEvent) -> None:
        for listener in list(self.listeners):
            listener(event)

    async def dial(self, uri: str, headers: dict[str, str] | None = None) -> Call:
        assert headers == {"X-Colour": "red"}
        for event in self.at_once:
            self.tell(event)
        return Call(self, handle=7, ua_handle=1, state=CallState.OUTGOING, peer=uri)  # type: ignore[arg-type]


async def dialled(stack: Any) -> tuple[Call, list[Event]]:
    call, catch_up = await dial(stack, stack, "sip:b@127.0.0.1", {"X-Colour": "red"})
    heard: list[Event] = []
    call.on(lambda event: heard.append(event.event))
    catch_up()
    return call, heard


async def test_an_answer_before_the_calls_object_exists_is_not_lost() -> None:
    stack = Stack(
        StackEvent(event=Event.CALL_RINGING, handle=0, call=7),
        StackEvent(event=Event.CALL_CLOSED, handle=0, call=8, text="another's"),
        StackEvent(event=Event.CALL_ESTABLISHED, handle=0, call=7),
    )
    call, heard = await dialled(stack)
    await call.wait_established(0.1)
    assert heard == [Event.CALL_RINGING, Event.CALL_ESTABLISHED]
    stack.tell(StackEvent(event=Event.CALL_CLOSED, handle=0, call=7, text="bye"))
    assert heard[2:] == [Event.CALL_CLOSED]  # once, and by the call itself
    assert stack.listeners == []


async def test_an_immediate_refusal_ends_the_call_and_the_listening() -> None:
    stack = Stack(StackEvent(event=Event.CALL_CLOSED, handle=0, call=7, text="403 Forbidden"))
    call, heard = await dialled(stack)
    assert (call.state, heard) == (CallState.CLOSED, [Event.CALL_CLOSED])
    assert stack.listeners == []
