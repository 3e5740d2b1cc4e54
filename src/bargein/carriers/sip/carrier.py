"""Numbers that are reached by SIP: those behind one's own trunk, and SIP URIs of this server."""

from collections.abc import Sequence

from bargein.carriers.interface import (
    Addresses,
    Answer,
    CarrierHost,
    Codec,
    Dial,
    ForgedError,
    Incoming,
    Notice,
    PhoneLine,
    Placed,
    WebhookRequest,
)
from bargein.carriers.sip.codec import SipCodec
from bargein.carriers.sip.gateway import SipGateway
from bargein.wire.base import JsonObject


class SipCarrier:
    """A `bargein.carriers.interface.NativeCarrier`, of two providers' numbers: `byo-phone-number` and `vapi`.

    Args:
        exchange: has the calls.
    """

    provider = "sip"
    can_send_dtmf = True

    def __init__(self, gateway: SipGateway) -> None:
        self._gateway = gateway
        gateway.serve(self)

    @property
    def problem(self) -> str | None:
        """See `NativeCarrier.problem`."""
        return self._gateway.agent.problem

    async def run(self, house: CarrierHost) -> None:
        """See `NativeCarrier.run`."""
        await self._gateway.run(house)

    def codec(self) -> Codec:
        """See `Carrier.codec`."""
        return SipCodec()

    def verify(self, line: PhoneLine, request: WebhookRequest) -> None:
        """See `Carrier.verify`: SIP has no webhooks."""
        raise ForgedError("a SIP call has no webhooks")

    def verify_socket(self, line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """See `Carrier.verify_socket`: SIP has no media sockets."""
        raise ForgedError("a SIP call has no media socket")

    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        """See `Carrier.read`."""
        raise ValueError("a SIP call has no webhooks")

    async def answer(self, line: PhoneLine, carrier_call_id: str, addresses: Addresses) -> Answer:
        """See `Carrier.answer`: the exchange answers by itself."""
        raise NotImplementedError

    async def refuse(self, line: PhoneLine, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        """See `Carrier.refuse`."""
        await self._gateway.turn(incoming, line, forward_to)
        return Answer()

    def settled(self) -> Answer:
        """See `Carrier.settled`."""
        return Answer()

    async def place(self, line: PhoneLine, dial: Dial) -> Placed:
        """See `Carrier.place`."""
        return await self._gateway.place(line, dial)

    async def hang_up(self, line: PhoneLine, carrier_call_id: str) -> None:
        """See `Carrier.hang_up`."""
        await self._gateway.hang_up(carrier_call_id)

    async def send_dtmf(self, line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        """See `Carrier.press`."""
        await self._gateway.send_dtmf(carrier_call_id, keys)

    async def transfer(
        self, line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        """See `Carrier.transfer`: by REFER; returns once the far end tells that it was answered there."""
        await self._gateway.transfer(carrier_call_id, line, destination)

    async def configure_webhooks(self, line: PhoneLine, addresses: Addresses) -> None:
        """See `Carrier.adopt`: nothing has to be told to a trunk."""

    async def close(self) -> None:
        """See `Carrier.close`: `run` lets go of everything."""
