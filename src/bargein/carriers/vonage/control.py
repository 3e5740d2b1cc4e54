"""Requests to Vonage's REST API: placing and controlling calls, and importing numbers.

This module needs the extra `vonage` of the package.
"""

from collections.abc import Sequence
from typing import Any, cast

from pydantic import ValidationError
from vonage import Vonage
from vonage_messages.models import Sms
from vonage_numbers.requests import ListOwnedNumbersFilter, UpdateNumberParams
from vonage_utils import VonageError
from vonage_voice.models import NccoAction

from bargein.carriers.interface import Addresses, Dial, Placed
from bargein.carriers.vonage import ncco
from bargein.carriers.vonage.account import Account
from bargein.carriers.vonage.events import transport_of
from bargein.carriers.vonage.rest import API_HOST, RefusedError, Rest
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject

_GONE = frozenset({400, 404})
"""Vonage's response to a hang-up of a call that is over; the request itself is always well formed."""
_STARTS_WITH = 0
_PATIENCE = {"connect_timeout": 1000, "socket_timeout": 10_000}
"""Milliseconds, the maximum that Vonage allows: the owner's server may take 7.5 s to name an assistant."""
_UNREADABLE = (ValidationError, VonageError)


class Control:
    """Requests to Vonage.

    Args:
        base_url: the address of a server that stands in for Vonage's.
    """

    def __init__(self, base_url: str | None = None) -> None:
        self._rest = Rest(base_url)

    def media_ncco(self, number: object, addresses: Addresses, carrier_call_id: str) -> str:
        """Return the NCCO that connects a call's audio to this server."""
        return ncco.written([ncco.to_media(number, addresses, carrier_call_id)])

    def forward_ncco(self, number: object, destination: JsonObject) -> str:
        """Return the NCCO that forwards an incoming call.

        Raises:
            CarrierError: the destination cannot be called.
        """
        return ncco.written(self._forward(number, destination, None))

    def transfer_ncco(self, number: object, destination: JsonObject, addresses: Addresses) -> Sequence[NccoAction]:
        """Return the NCCO that transfers a running call.

        Raises:
            CarrierError: the destination cannot be called.
        """
        return self._forward(number, destination, addresses.status)

    async def place(self, account: Account, number: object, dial: Dial) -> Placed:
        """Place a call to the customer, from `number`."""
        _ = account.application
        try:
            request = ncco.request_of(number, dial)
        except _UNREADABLE:
            raise CarrierError("the customer cannot be called by Vonage.") from None
        made = await self._rest.run(account, lambda vonage: vonage.voice.create_call(request))
        return Placed(made.uuid, transport_of(made.uuid, made.conversation_uuid))

    async def hang_up(self, account: Account, call: str, region: str | None) -> None:
        """End a call; a call that has ended already is no error."""
        _ = account.application
        try:
            await self._rest.run(account, lambda vonage: vonage.voice.hangup(call), host=region or API_HOST, again=True)
        except RefusedError as error:
            if error.status not in _GONE:
                raise

    async def send_dtmf(self, account: Account, call: str, keys: str, region: str | None) -> None:
        """Send keys into a call."""
        _ = account.application
        pressed = ncco.keys_of(keys)
        await self._rest.run(
            account, lambda vonage: vonage.voice.play_dtmf_into_call(call, pressed), host=region or API_HOST
        )

    async def send_sms(self, account: Account, number: object, to: str, text: str) -> None:
        """Send a text message over the Messages API, which the application must be allowed to use."""
        _ = account.application
        message = Sms.model_validate({"to": ncco.digits_of(to), "from_": ncco.digits_of(number), "text": text})
        await self._rest.run(account, lambda vonage: vonage.messages.send(message))

    async def transfer(self, account: Account, call: str, actions: Sequence[NccoAction], region: str | None) -> None:
        """Replace a call's NCCO."""
        _ = account.application
        await self._rest.run(
            account,
            lambda vonage: vonage.voice.transfer_call_ncco(call, list(actions)),
            host=region or API_HOST,
            again=True,
        )

    async def configure_webhooks(self, account: Account, number: object, addresses: Addresses) -> None:
        """Point the application's webhooks at `addresses`, and the number at the application."""
        _ = account.owner
        application_id, _ = account.application
        digits = ncco.digits_of(number)
        country = await self._rest.run(account, lambda vonage: _country_of(vonage, digits), again=True)
        await self._rest.run(account, lambda vonage: _point_application(vonage, application_id, addresses), again=True)
        wanted = UpdateNumberParams.model_validate({"country": country, "msisdn": digits, "app_id": application_id})
        await self._rest.run(account, lambda vonage: vonage.numbers.update_number(wanted), again=True)

    def close(self) -> None:
        """Let go of connections."""
        self._rest.close()

    def _forward(self, number: object, destination: JsonObject, status: str | None) -> Sequence[NccoAction]:
        try:
            return [ncco.to_destination(number, destination, status)]
        except _UNREADABLE:
            raise CarrierError("the destination is none that Vonage can call.") from None


def _country_of(vonage: Vonage, digits: str) -> str:
    """Return the country of the account's number, which Vonage requires with each number.

    Raises:
        CarrierError: the account has no such number, or it is forwarded past any application.
    """
    asked = ListOwnedNumbersFilter.model_validate({"pattern": digits, "search_pattern": _STARTS_WITH})
    found, _, _ = vonage.numbers.list_owned_numbers(asked)
    for owned in found:
        if owned.msisdn == digits and owned.country is not None:
            if owned.voice_callback_type in ("sip", "tel"):
                raise CarrierError(
                    f"the number is forwarded ({owned.voice_callback_type}) in Vonage's dashboard, which goes before "
                    "its application: take that away there."
                )
            return owned.country
    raise CarrierError("the account has no such number.")


def _point_application(vonage: Vonage, application_id: str, addresses: Addresses) -> None:
    """Change an application's voice webhooks and nothing else of it.

    Vonage replaces an application as a whole, and the library's type of it leaves out what it does not know, so that
    the JSON is changed as it came.
    """
    http, path = vonage.http_client, f"/v2/applications/{application_id}"
    found = cast("JsonObject", http.get(http.api_host, path, auth_type="basic") or {})
    before = {name: value for name, value in found.items() if name not in ("id", "_links")}
    capabilities: dict[str, Any] = dict(before.get("capabilities") or {})
    voice: dict[str, Any] = dict(capabilities.get("voice") or {})
    webhooks: dict[str, Any] = dict(voice.get("webhooks") or {})
    webhooks["answer_url"] = {"address": addresses.voice, "http_method": "POST", **_PATIENCE}
    webhooks["event_url"] = {"address": addresses.status, "http_method": "POST"}
    voice |= {"webhooks": webhooks, "signed_callbacks": True}
    http.put(http.api_host, path, {**before, "capabilities": {**capabilities, "voice": voice}}, auth_type="basic")
