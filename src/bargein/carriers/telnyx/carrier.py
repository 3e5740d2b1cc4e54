"""The carrier: calls over Telnyx's Call Control, and incoming calls over TeXML."""

import hmac
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar
from uuid import NAMESPACE_URL, uuid5

from typing_extensions import override

from bargein.carriers.interface import (
    Addresses,
    Answer,
    CallEnded,
    Carrier,
    Dial,
    ForgedError,
    Incoming,
    Notice,
    PhoneLine,
    Placed,
    SlowCarrier,
    WebhookRequest,
)
from bargein.carriers.telnyx import requests, texml
from bargein.carriers.telnyx.client import BASE_URL, Clients, NotThereError
from bargein.carriers.telnyx.codec import TelnyxCodec
from bargein.carriers.telnyx.payload import ByteOrder
from bargein.carriers.telnyx.provisioning import configure_webhooks, find_number
from bargein.carriers.telnyx.webhooks import is_texml, read_event, read_form, verify
from bargein.clock import Clock
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject

if TYPE_CHECKING:
    from telnyx import AsyncTelnyx

SOCKET_TOKEN = "x-telnyx-streaming-auth-token"  # noqa: S105  # a header's name

_Key = TypeVar("_Key")

_MOST_REMEMBERED = 10_000


class TelnyxCarrier(Carrier, SlowCarrier):
    """The carrier of numbers at Telnyx.

    A number's credential has `apiKey`, for requests, and `publicKey` (base64), which verifies webhooks.

    Args:
        clock: the one clock.
        base_url: the address of Telnyx's API.
        byte_order: the byte order of the audio; see `payload`.
    """

    provider = "telnyx"
    can_send_dtmf = True

    def __init__(self, clock: Clock, base_url: str = BASE_URL, byte_order: ByteOrder = "little") -> None:
        self._clients = Clients(base_url)
        self._clock = clock
        self._byte_order: ByteOrder = byte_order
        self._texml_calls: OrderedDict[str, str] = OrderedDict()  # -> the account's id
        self._connections: OrderedDict[tuple[str, str], str] = OrderedDict()

    @override
    def codec(self) -> TelnyxCodec:
        return TelnyxCodec(self._byte_order)

    @override
    def verify(self, phone_line: PhoneLine, request: WebhookRequest) -> None:
        key: object = None if phone_line.credential is None else phone_line.credential.get("publicKey")
        verify(key if isinstance(key, str) else None, request, self._clock.epoch_ms() // 1000)

    @override
    def verify_socket(self, phone_line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """Verify the token that Telnyx repeats in a header, where it was given one.

        The token in the path is what opens the socket. TeXML's `<Stream>` has no field for the header's token, and the
        documentation of `answer` names none.
        """
        given = request.headers.get(SOCKET_TOKEN)
        if given is not None and not hmac.compare_digest(given.encode(), token.encode()):
            raise ForgedError(f"its {SOCKET_TOKEN} is wrong")

    @override
    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        if not is_texml(request):
            notice = read_event(request.body)
            return () if notice is None else (notice,)
        notice, form = read_form(request.body)
        match notice:
            case Incoming():
                _remember(self._texml_calls, notice.carrier_call_id, form.get("AccountSid", ""))
            case CallEnded():
                self._texml_calls.pop(notice.carrier_call_id, None)
            case _:
                return ()
        return (notice,)

    @override
    async def answer(self, phone_line: PhoneLine, carrier_call_id: str, addresses: Addresses) -> Answer:
        if addresses.media is None:
            raise CarrierError("there is no address for the call's audio.")
        if carrier_call_id in self._texml_calls:
            return texml.stream(addresses.media)
        async with self._clients.use(phone_line) as client:
            await client.calls.actions.answer(
                carrier_call_id,
                **requests.answering(addresses),
                command_id=str(uuid5(NAMESPACE_URL, carrier_call_id)),  # a repeated command is recognised
            )
        return self.acknowledge()

    @override
    async def refuse(self, phone_line: PhoneLine, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        call_id = incoming.carrier_call_id
        if call_id in self._texml_calls:
            return texml.reject() if forward_to is None else requests.instructions(phone_line, forward_to)
        async with self._clients.use(phone_line) as client:
            if forward_to is None:
                await client.calls.actions.reject(call_id, cause="CALL_REJECTED")
            else:
                await client.calls.actions.transfer(call_id, **requests.destination(phone_line, forward_to))
        return self.acknowledge()

    @override
    def acknowledge(self) -> Answer:
        return Answer("{}")

    @override
    async def place(self, phone_line: PhoneLine, dial: Dial) -> Placed:
        """Place a call. The request is never repeated, because that might place a second call."""
        if dial.addresses.media is None:
            raise CarrierError("there is no address for the call's audio.")
        async with self._clients.use(phone_line, retries=0) as client:
            connection_id = await self._connection(client, phone_line, requests.number(phone_line))
            placed = await client.calls.dial(**requests.placing(phone_line, dial, connection_id))
        if placed.data is None:
            raise CarrierError("Telnyx accepted the call and returned no id.")
        details = {
            "callControlId": placed.data.call_control_id,
            "callLegId": placed.data.call_leg_id,
            "callSessionId": placed.data.call_session_id,
        }
        return Placed(placed.data.call_control_id, details)

    @override
    async def hang_up(self, phone_line: PhoneLine, carrier_call_id: str) -> None:
        try:
            async with self._clients.use(phone_line) as client:
                account = self._texml_calls.get(carrier_call_id)
                if account is None:
                    await client.calls.actions.hangup(carrier_call_id)
                else:
                    await client.texml.accounts.calls.update(carrier_call_id, account_sid=account, status="completed")
        except NotThereError:
            pass  # it is over already

    @override
    async def send_dtmf(self, phone_line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        if carrier_call_id in self._texml_calls:
            raise CarrierError("keys cannot be sent into a call that came by TeXML.")
        async with self._clients.use(phone_line) as client:
            await client.calls.actions.send_dtmf(carrier_call_id, digits=keys)

    @override
    async def send_sms(self, phone_line: PhoneLine, to: str, text: str) -> None:
        """Send a text message. The request is never repeated, because that might send it twice."""
        async with self._clients.use(phone_line, retries=0) as client:
            await client.messages.send(from_=requests.number(phone_line), to=to, text=text, type="SMS")

    @override
    async def transfer(
        self, phone_line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        async with self._clients.use(phone_line) as client:
            account = self._texml_calls.get(carrier_call_id)
            if account is not None:
                instructions = requests.instructions(phone_line, destination).body
                await client.texml.accounts.calls.update(carrier_call_id, account_sid=account, texml=instructions)
                return
            await client.calls.actions.transfer(
                carrier_call_id,
                **requests.destination(phone_line, destination),
                **requests.told_at(addresses),
            )
        with suppress(CarrierError):  # or else Telnyx would open the media socket again
            async with self._clients.use(phone_line) as client:
                await client.calls.actions.stop_streaming(carrier_call_id)

    @override
    async def configure_webhooks(self, phone_line: PhoneLine, addresses: Addresses) -> None:
        number = requests.number(phone_line)
        async with self._clients.use(phone_line) as client:
            await configure_webhooks(client, number, addresses)
        for key in [key for key in self._connections if key[1] == number]:
            del self._connections[key]

    @override
    async def warm_up(self) -> None:
        await self._clients.load()

    @override
    async def close(self) -> None:
        await self._clients.close()

    async def _connection(self, client: "AsyncTelnyx", phone_line: PhoneLine, number: str) -> str:
        """Return the application of the number, through which its calls are placed."""
        key = (str(phone_line.number.get("id", "")), number)
        known = self._connections.get(key)
        if known is None:
            known = (await find_number(client, number)).connection_id
            if not known:
                raise CarrierError("the number has no Call Control application at Telnyx to place calls by.")
            _remember(self._connections, key, known)
        return known


def _remember(memory: OrderedDict[_Key, str], key: _Key, value: str) -> None:
    memory[key] = value
    if len(memory) > _MOST_REMEMBERED:
        memory.popitem(last=False)
