"""Requests for outbound telephone calls: number, carrier and customer are checked before the call is created."""

from collections.abc import Callable

import phonenumbers
from typing_extensions import override

from bargein.carriers.registry import BY_PROVIDER
from bargein.ports import CarrierError
from bargein.server.calls.creation import PhoneRequests
from bargein.server.telephony.carriers import Carriers
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.call import CallUrls, CreateCall, OtherTransport
from bargein.wire.customer import Customer
from bargein.wire.errors import WireError, bad_request, unknown_id
from bargein.wire.telephony import inline_number, new_outbound_call


class OutboundRequests(PhoneRequests):
    """Checks requests for outbound calls and has the calls placed.

    Args:
        store: where phone numbers are.
        carriers: the telephone carriers.
        dial: places a queued call; returns at once.
    """

    def __init__(self, store: Store, carriers: Carriers, dial: Callable[[str], None]) -> None:
        self._store = store
        self._carriers = carriers
        self._dial = dial

    @override
    async def new_call(self, parsed: CreateCall, body: JsonObject, urls: CallUrls) -> JsonObject:
        number = await self._number(parsed, body)
        provider = str(number.get("provider"))
        spec = BY_PROVIDER.get(provider)
        if spec is None:
            raise WireError(501, f"there is no carrier for provider {provider[:40]}.")
        if isinstance(parsed.transport, OtherTransport) and parsed.transport.provider != spec.names.transport:
            raise bad_request(f"transport.provider must be {spec.names.transport} for a number of provider {provider}")
        try:
            self._carriers.find(provider)
        except CarrierError as error:
            raise WireError(501, str(error)) from None
        if parsed.customer_id is not None:
            raise WireError(501, "customerId is not supported by this server.")
        _check_customer(parsed.customer)
        return new_outbound_call(body, spec.names, urls)

    @override
    def dial(self, call_id: str) -> None:
        self._dial(call_id)

    async def _number(self, parsed: CreateCall, body: JsonObject) -> JsonObject:
        if parsed.phone_number_id is not None and parsed.phone_number is not None:
            raise bad_request("phoneNumberId and phoneNumber must not be given together")
        if parsed.phone_number_id is None:
            return inline_number(body) or {}
        found = await self._store.phone_numbers.get(parsed.phone_number_id)
        if found is None:
            raise unknown_id("phone number", parsed.phone_number_id, 400)
        return found


def _check_customer(customer: Customer | None) -> None:
    if customer is None:
        raise bad_request("customer should not be null or undefined")
    if customer.number is None and customer.sip_uri is None:
        raise bad_request("customer must have a number or a sipUri")
    if customer.sip_uri is not None and not customer.sip_uri.lower().startswith(("sip:", "sips:")):
        raise bad_request("customer.sipUri must begin with sip: or sips:")
    if customer.number is not None and customer.number_e164_check_enabled is not False and not is_e164(customer.number):
        raise bad_request(
            "customer.number must be a phone number in E.164 format: a plus, the country code, the number; "
            "numberE164CheckEnabled false allows others"
        )


def is_e164(number: str) -> bool:
    """Return whether a number is in E.164, with an assigned country code and a length that the country allows."""
    try:
        read = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    written = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)
    return written == number and bool(phonenumbers.is_possible_number(read))
