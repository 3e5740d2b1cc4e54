"""The carrier of numbers behind the owner's SIP trunk, and of SIP URIs of this server."""

from collections.abc import Sequence

from typing_extensions import override

from bargein.carriers.interface import (
    Addresses,
    Answer,
    CarrierHost,
    Codec,
    Dial,
    ForgedError,
    Incoming,
    NativeCarrier,
    Notice,
    PhoneLine,
    Placed,
    WebhookRequest,
)
from bargein.carriers.sip.codec import SipCodec
from bargein.carriers.sip.gateway import SipGateway
from bargein.wire.base import JsonObject


class SipCarrier(NativeCarrier):
    """A `bargein.carriers.interface.NativeCarrier`, of two providers' numbers: `byo-phone-number` and `vapi`.

    Args:
        gateway: has the calls and the agent.
    """

    provider = "sip"
    can_send_dtmf = True

    def __init__(self, gateway: SipGateway) -> None:
        self._gateway = gateway
        gateway.serve(self)

    @property
    @override
    def problem(self) -> str | None:
        return self._gateway.agent.problem

    @override
    async def run(self, host: CarrierHost) -> None:
        await self._gateway.run(host)

    @override
    def codec(self) -> Codec:
        return SipCodec()

    @override
    def verify(self, phone_line: PhoneLine, request: WebhookRequest) -> None:
        """Refuse: SIP has no webhooks."""
        raise ForgedError("a SIP call has no webhooks")

    @override
    def verify_socket(self, phone_line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """Refuse: SIP has no media sockets."""
        raise ForgedError("a SIP call has no media socket")

    @override
    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        raise ValueError("a SIP call has no webhooks")

    @override
    async def answer(self, phone_line: PhoneLine, carrier_call_id: str, addresses: Addresses) -> Answer:
        """Refuse: the gateway answers calls by itself."""
        raise NotImplementedError

    @override
    async def refuse(self, phone_line: PhoneLine, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        await self._gateway.refuse(incoming, phone_line, forward_to)
        return Answer()

    @override
    def acknowledge(self) -> Answer:
        return Answer()

    @override
    async def place(self, phone_line: PhoneLine, dial: Dial) -> Placed:
        return await self._gateway.place(phone_line, dial)

    @override
    async def hang_up(self, phone_line: PhoneLine, carrier_call_id: str) -> None:
        await self._gateway.hang_up(carrier_call_id)

    @override
    async def send_dtmf(self, phone_line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        await self._gateway.send_dtmf(carrier_call_id, keys)

    @override
    async def transfer(
        self, phone_line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        """Transfer by REFER; returns once the far end reports (NOTIFY) that the new call was answered."""
        await self._gateway.transfer(carrier_call_id, phone_line, destination)

    @override
    async def configure_webhooks(self, phone_line: PhoneLine, addresses: Addresses) -> None:
        """Do nothing: a trunk has no webhooks."""

    @override
    async def close(self) -> None:
        """Do nothing: the end of `run` closes everything."""
