"""What clients ask of a live call: to say something, to mute a side, to pass the caller on, to end."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from bargein.call.ears import Ears
from bargein.call.errands import Errands
from bargein.call.host import Host
from bargein.call.passing import FORWARDED, HandoffError, Passing
from bargein.ports import CarrierError
from bargein.turns.events import AddMessage, HangUp, Mute, Say, SayFirstMessage
from bargein.wire import inbound
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError

_log = structlog.get_logger("bargein.call")

_MUTES: dict[str, tuple[Any, bool]] = {
    "mute-assistant": ("assistant", True),
    "unmute-assistant": ("assistant", False),
    "mute-customer": ("customer", True),
    "unmute-customer": ("customer", False),
}


class Steering:
    """Carries out the messages of a call's clients.

    Args:
        host: the call.
        ears: can be closed to the caller.
        passing: passes the caller on.
        errands: begins what takes its time.
        answer: takes a text frame that is no message of the call: what went wrong.
    """

    def __init__(
        self, host: Host, ears: Ears, passing: Passing, errands: Errands, answer: Callable[[str], None]
    ) -> None:
        self._host = host
        self._ears = ears
        self._passing = passing
        self._errands = errands
        self._answer = answer

    def control(self, message: inbound.InboundMessage, *, by_caller: bool) -> None:
        """Carry out a message; `by_caller` tells the caller's own client from others that steer the call.

        Raises:
            WireError: this call cannot do that.
        """
        host = self._host
        at_ms = int(host.now_ms())
        match message:
            case inbound.AddMessage():
                text = message.message.content or ""
                role = "assistant" if message.message.role == "function" else message.message.role
                host.post(AddMessage(at_ms, role, text, respond=message.trigger_response_enabled))
            case inbound.Say():
                interruptible = message.interruptions_enabled is not False
                interrupts, ends = message.interrupt_assistant_enabled, message.end_call_after_spoken
                host.post(Say(at_ms, host.render(message.content, {}), interruptible, interrupts, ends))
            case inbound.Control(control="say-first-message"):
                host.post(SayFirstMessage(at_ms))
            case inbound.Control():
                side, on = _MUTES[message.control]
                self._ears.muted = on if side == "customer" else self._ears.muted
                host.post(Mute(at_ms, side, on))
            case inbound.Transfer() | inbound.Handoff():
                self._pass_on(message)
            case inbound.EndCall():
                host.post(HangUp(at_ms, "customer-ended-call" if by_caller else "manually-canceled"))

    def _pass_on(self, message: inbound.Transfer | inbound.Handoff) -> None:
        to_phone = isinstance(message, inbound.Transfer) and message.destination.get("type") != "assistant"
        if to_phone and not self._passing.can_transfer:
            raise WireError(501, "this call cannot be transferred to a telephone: its transport has none")
        if message.content:
            self._host.post(Say(int(self._host.now_ms()), self._host.render(message.content, {})))
        self._errands.begin(partial(self._passed_on, message.destination, to_phone=to_phone))

    async def _passed_on(self, destination: JsonObject, *, to_phone: bool) -> None:
        host = self._host
        try:
            if not to_phone:
                await self._passing.hand_over(destination)
                return
            while host.state.reply is not None or host.state.sayings:
                await host.moved()
            await self._passing.transfer(destination)
            host.post(HangUp(int(host.now_ms()), FORWARDED))
        except (HandoffError, CarrierError) as error:
            _log.warning("a caller could not be passed on", call_id=host.setting.call_id, reason=str(error))
            self._answer(json.dumps(WireError(400, str(error)).body()))
