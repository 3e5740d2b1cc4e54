"""Vonage's Voice API: calls that come in and go out, their audio over a WebSocket."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio.to_thread

from bargein.carriers.interface import Addresses, Answer, Dial, Incoming, Notice, PhoneLine, Placed, WebhookRequest
from bargein.carriers.vonage import events
from bargein.carriers.vonage.account import account_of
from bargein.carriers.vonage.codec import VonageCodec
from bargein.carriers.vonage.signature import Signatures
from bargein.clock import Clock
from bargein.wire.base import JsonObject

if TYPE_CHECKING:
    from bargein.carriers.vonage.control import Control

_MOST_REGIONS = 10_000


class VonageCarrier:
    """A `bargein.carriers.interface.Carrier`.

    Vonage's library is loaded in a thread, when the server starts or by the first call: it takes half a second.

    Args:
        clock: the time, for the age of signatures.
        base_url: of a server that stands in for Vonage's.
    """

    provider = "vonage"
    can_send_dtmf = True

    def __init__(self, clock: Clock, *, base_url: str | None = None) -> None:
        self._base_url = base_url
        self._signatures = Signatures(clock)
        self._regions: OrderedDict[str, str] = OrderedDict()
        self._control: Control | None = None

    def codec(self) -> VonageCodec:
        """See `Carrier.codec`."""
        return VonageCodec()

    def verify(self, line: PhoneLine, request: WebhookRequest) -> None:
        """See `Carrier.verify`."""
        self._signatures.check_webhook(account_of(line), request)

    def verify_socket(self, line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """See `Carrier.verify_socket`: Vonage signs the upgrade, as the NCCO asks for it."""
        self._signatures.check_socket(account_of(line), request)

    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        """See `Carrier.read`."""
        notices = events.notices_of(request)
        region = events.region_of(request)
        if region is not None:
            self._regions[region[0]] = region[1]
            while len(self._regions) > _MOST_REGIONS:
                self._regions.popitem(last=False)
        return notices

    async def answer(self, line: PhoneLine, carrier_call_id: str, addresses: Addresses) -> Answer:
        """See `Carrier.answer`."""
        return Answer((await self._loaded()).media_ncco(line.number.get("number"), addresses, carrier_call_id))

    async def refuse(self, line: PhoneLine, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        """See `Carrier.refuse`. An NCCO without actions ends a call."""
        if forward_to is None:
            return Answer("[]")
        return Answer((await self._loaded()).forward_ncco(line.number.get("number"), forward_to))

    def settled(self) -> Answer:
        """See `Carrier.settled`."""
        return Answer()

    async def place(self, line: PhoneLine, dial: Dial) -> Placed:
        """See `Carrier.place`."""
        return await (await self._loaded()).place(account_of(line), line.number.get("number"), dial)

    async def hang_up(self, line: PhoneLine, carrier_call_id: str) -> None:
        """See `Carrier.hang_up`."""
        control = await self._loaded()
        await control.hang_up(account_of(line), carrier_call_id, self._regions.get(carrier_call_id))

    async def send_dtmf(self, line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        """See `Carrier.press`."""
        control = await self._loaded()
        await control.send_dtmf(account_of(line), carrier_call_id, keys, self._regions.get(carrier_call_id))

    async def transfer(
        self, line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        """See `Carrier.transfer`."""
        control = await self._loaded()
        ncco = control.transfer_ncco(line.number.get("number"), destination, addresses)
        await control.transfer(account_of(line), carrier_call_id, ncco, self._regions.get(carrier_call_id))

    async def configure_webhooks(self, line: PhoneLine, addresses: Addresses) -> None:
        """See `Carrier.adopt`: the application's webhooks come here, signed, and the number is the application's."""
        await (await self._loaded()).configure_webhooks(account_of(line), line.number.get("number"), addresses)

    async def warm_up(self) -> None:
        """See `bargein.carriers.interface.SlowCarrier.warm_up`."""
        await self._loaded()

    async def close(self) -> None:
        """See `Carrier.close`."""
        if self._control is not None:
            self._control.close()

    async def _loaded(self) -> "Control":
        if self._control is None:
            made = await anyio.to_thread.run_sync(_load, self._base_url, abandon_on_cancel=True)
            self._control = self._control or made
        return self._control


def _load(base_url: str | None) -> "Control":
    from bargein.carriers.vonage.control import Control  # noqa: PLC0415  # half a second, and of an extra

    return Control(base_url)
