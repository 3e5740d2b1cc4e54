"""Numbers that are reached by SIP: those behind one's own trunk, and SIP URIs of this server."""

from collections.abc import Sequence

from bargein.carriers.seam import (
    Addresses,
    Answer,
    Codec,
    Dial,
    ForgedError,
    House,
    Incoming,
    Line,
    Notice,
    Placed,
    WebhookRequest,
)
from bargein.carriers.sip.codec import SipCodec
from bargein.carriers.sip.exchange import Exchange
from bargein.wire.base import JsonObject


class SipCarrier:
    """A `bargein.carriers.seam.NativeCarrier`, of two providers' numbers: `byo-phone-number` and `vapi`.

    Args:
        exchange: has the calls.
    """

    provider = "sip"
    can_press = True

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        exchange.serve(self)

    @property
    def problem(self) -> str | None:
        """See `NativeCarrier.problem`."""
        return self._exchange.agent.problem

    async def run(self, house: House) -> None:
        """See `NativeCarrier.run`."""
        await self._exchange.run(house)

    def codec(self) -> Codec:
        """See `Carrier.codec`."""
        return SipCodec()

    def verify(self, line: Line, request: WebhookRequest) -> None:
        """See `Carrier.verify`: SIP has no webhooks."""
        raise ForgedError("a SIP call has no webhooks")

    def verify_socket(self, line: Line, request: WebhookRequest, token: str) -> None:
        """See `Carrier.verify_socket`: SIP has no media sockets."""
        raise ForgedError("a SIP call has no media socket")

    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        """See `Carrier.read`."""
        raise ValueError("a SIP call has no webhooks")

    async def answer(self, line: Line, carrier_call_id: str, addresses: Addresses) -> Answer:
        """See `Carrier.answer`: the exchange answers by itself."""
        raise NotImplementedError

    async def refuse(self, line: Line, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        """See `Carrier.refuse`."""
        await self._exchange.turn(incoming, line, forward_to)
        return Answer()

    def settled(self) -> Answer:
        """See `Carrier.settled`."""
        return Answer()

    async def place(self, line: Line, dial: Dial) -> Placed:
        """See `Carrier.place`."""
        return await self._exchange.place(line, dial)

    async def hang_up(self, line: Line, carrier_call_id: str) -> None:
        """See `Carrier.hang_up`."""
        await self._exchange.hang_up(carrier_call_id)

    async def press(self, line: Line, carrier_call_id: str, keys: str) -> None:
        """See `Carrier.press`."""
        await self._exchange.press(carrier_call_id, keys)

    async def transfer(self, line: Line, carrier_call_id: str, destination: JsonObject, addresses: Addresses) -> None:
        """See `Carrier.transfer`: by REFER; returns once the far end tells that it was answered there."""
        await self._exchange.transfer(carrier_call_id, line, destination)

    async def adopt(self, line: Line, addresses: Addresses) -> None:
        """See `Carrier.adopt`: nothing has to be told to a trunk."""

    async def close(self) -> None:
        """See `Carrier.close`: `run` lets go of everything."""
