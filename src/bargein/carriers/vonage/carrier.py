"""The carrier: calls over Vonage's Voice API, with their audio over a WebSocket."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio.to_thread
from typing_extensions import override

from bargein.carriers.interface import (
    Addresses,
    Answer,
    Carrier,
    Dial,
    Incoming,
    Notice,
    PhoneLine,
    Placed,
    SlowCarrier,
    WebhookRequest,
)
from bargein.carriers.vonage import events
from bargein.carriers.vonage.account import account_of
from bargein.carriers.vonage.codec import VonageCodec
from bargein.carriers.vonage.signature import Signatures
from bargein.clock import Clock
from bargein.wire.base import JsonObject

if TYPE_CHECKING:
    from bargein.carriers.vonage.control import Control

_MOST_REGIONS = 10_000


class VonageCarrier(Carrier, SlowCarrier):
    """The carrier of numbers at Vonage.

    Vonage's library takes half a second to load, so a thread loads it, at the server's start or for the first call.

    Args:
        clock: the one clock, for the age of signatures.
        base_url: the address of a server that stands in for Vonage's.
    """

    provider = "vonage"
    can_send_dtmf = True

    def __init__(self, clock: Clock, *, base_url: str | None = None) -> None:
        self._base_url = base_url
        self._signatures = Signatures(clock)
        self._regions: OrderedDict[str, str] = OrderedDict()
        self._control: Control | None = None

    @override
    def codec(self) -> VonageCodec:
        return VonageCodec()

    @override
    def verify(self, phone_line: PhoneLine, request: WebhookRequest) -> None:
        self._signatures.check_webhook(account_of(phone_line), request)

    @override
    def verify_socket(self, phone_line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """Verify the signature of the upgrade, which the NCCO asks for."""
        self._signatures.check_socket(account_of(phone_line), request)

    @override
    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        notices = events.notices_of(request)
        region = events.region_of(request)
        if region is not None:
            self._regions[region[0]] = region[1]
            while len(self._regions) > _MOST_REGIONS:
                self._regions.popitem(last=False)
        return notices

    @override
    async def answer(self, phone_line: PhoneLine, carrier_call_id: str, addresses: Addresses) -> Answer:
        return Answer((await self._loaded()).media_ncco(phone_line.number.get("number"), addresses, carrier_call_id))

    @override
    async def refuse(self, phone_line: PhoneLine, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        """Reject a call by an NCCO without actions, which ends it, or forward it."""
        if forward_to is None:
            return Answer("[]")
        return Answer((await self._loaded()).forward_ncco(phone_line.number.get("number"), forward_to))

    @override
    def acknowledge(self) -> Answer:
        return Answer()

    @override
    async def place(self, phone_line: PhoneLine, dial: Dial) -> Placed:
        return await (await self._loaded()).place(account_of(phone_line), phone_line.number.get("number"), dial)

    @override
    async def hang_up(self, phone_line: PhoneLine, carrier_call_id: str) -> None:
        control = await self._loaded()
        await control.hang_up(account_of(phone_line), carrier_call_id, self._regions.get(carrier_call_id))

    @override
    async def send_dtmf(self, phone_line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        control = await self._loaded()
        await control.send_dtmf(account_of(phone_line), carrier_call_id, keys, self._regions.get(carrier_call_id))

    @override
    async def send_sms(self, phone_line: PhoneLine, to: str, text: str) -> None:
        control = await self._loaded()
        await control.send_sms(account_of(phone_line), phone_line.number.get("number"), to, text)

    @override
    async def transfer(
        self, phone_line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        control = await self._loaded()
        ncco = control.transfer_ncco(phone_line.number.get("number"), destination, addresses)
        await control.transfer(account_of(phone_line), carrier_call_id, ncco, self._regions.get(carrier_call_id))

    @override
    async def configure_webhooks(self, phone_line: PhoneLine, addresses: Addresses) -> None:
        """Point the application's webhooks at this server, signed, and the number at the application."""
        await (await self._loaded()).configure_webhooks(
            account_of(phone_line), phone_line.number.get("number"), addresses
        )

    @override
    async def warm_up(self) -> None:
        await self._loaded()

    @override
    async def close(self) -> None:
        if self._control is not None:
            self._control.close()

    async def _loaded(self) -> "Control":
        if self._control is None:
            made = await anyio.to_thread.run_sync(_load, self._base_url, abandon_on_cancel=True)
            self._control = self._control or made
        return self._control


def _load(base_url: str | None) -> "Control":
    from bargein.carriers.vonage.control import Control  # noqa: PLC0415  # takes half a second, and needs the extra

    return Control(base_url)
