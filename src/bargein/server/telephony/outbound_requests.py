"""`POST /call` with a phone number: what is asked for is seen to be possible before the call is made."""

import phonenumbers

from bargein.ports import CarrierError
from bargein.server.telephony.call_router import PhoneCallRouter
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.call import CallUrls, CreateCall, OtherTransport
from bargein.wire.customer import Customer
from bargein.wire.errors import WireError, bad_request
from bargein.wire.telephony import inline_number, new_outbound_call, on_the_phone


def wants_a_phone(asked: CreateCall) -> bool:
    """Whether a call is asked for that goes out by a phone number."""
    return asked.phone_number_id is not None or asked.phone_number is not None


async def ordered(
    store: Store, call_router: PhoneCallRouter, asked: CreateCall, body: JsonObject, urls: CallUrls
) -> JsonObject:
    """The call that is asked for, but for what the store adds.

    Raises:
        WireError: 400: there is no such number, nobody to call, or a number that is none; 501: the carrier's extra
            is not installed.
    """
    number = await _number(store, asked, body)
    provider = str(number.get("provider"))
    if isinstance(asked.transport, OtherTransport):
        fitting: JsonObject = on_the_phone(provider, sip=False, details={})["transport"]
        if asked.transport.provider != fitting["provider"]:
            raise bad_request(f"transport.provider must be {fitting['provider']} for a number of provider {provider}")
    try:
        call_router.carriers.find(provider)
    except CarrierError as error:
        raise WireError(501, str(error)) from None
    if asked.customer_id is not None:
        raise WireError(501, "customerId is not supported by this server.")
    _check_customer(asked.customer)
    return new_outbound_call(body, provider, urls)


async def _number(store: Store, asked: CreateCall, body: JsonObject) -> JsonObject:
    if asked.phone_number_id is not None and asked.phone_number is not None:
        raise bad_request("phoneNumberId and phoneNumber must not be given together")
    if asked.phone_number_id is None:
        return inline_number(body) or {}
    found = await store.phone_numbers.get(asked.phone_number_id)
    if found is None:
        raise WireError(400, f"There is no phone number with the id {asked.phone_number_id[:80]}.")
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
    """Whether a number is one of E.164, of a country that there is and as long as it has them."""
    try:
        read = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    written = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)
    return written == number and bool(phonenumbers.is_possible_number(read))
