"""The fields of a telephone call's record, and the `endedReason`s of calls that were not connected."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import CallUrls
from bargein.wire.json import as_object, as_object_or_none, as_string

NEVER_CONNECTED = "call.in-progress.error-providerfault-transport-never-connected"
"""The `endedReason` of a call that was answered, but whose audio did not connect."""

DID_NOT_ANSWER = "customer-did-not-answer"

HOOK_SAID = "call.ringing.hook-executed-say"
HOOK_TRANSFERRED = "call.ringing.hook-executed-transfer"

SPOKEN_REASON = "spokenEndedReason"
"""A field of `inboundPhoneCallDebuggingArtifacts`: the `endedReason` after `assistantRequestError` was said."""

_INLINE = "call-"


class CarrierNames(NamedTuple):
    """The names of a carrier in a call's record.

    Attributes:
        transport: the `provider` of the call's `transport`.
        provider: the call's `phoneCallProvider`.
        failed_to_connect: the `endedReason` of a call that the carrier did not place.
    """

    transport: str
    provider: str
    failed_to_connect: str


def phone_call_fields(names: CarrierNames, *, sip: bool, details: Mapping[str, Any]) -> JsonObject:
    """Return the carrier's fields of a call's record.

    Args:
        names: the carrier's names.
        sip: True if the customer has a SIP address instead of a number.
        details: the carrier's fields of `transport`.
    """
    return {
        "phoneCallProvider": names.provider,
        "phoneCallTransport": "sip" if sip else "pstn",
        "transport": {"conversationType": "voice", "provider": names.transport, **details},
    }


def new_outbound_call(body: JsonObject, names: CarrierNames, urls: CallUrls) -> JsonObject:
    """Return the record of a call that `POST /call` makes to a customer, without the store's fields.

    Args:
        body: the request's body.
        names: the names of the carrier that places the call.
        urls: the URLs for listening in and control; the audio has no URL of its own.
    """
    kept = without_nulls(body)
    transport = as_object(kept.pop("transport", None))
    customer = as_object(kept.get("customer"))
    return {
        **kept,
        **phone_call_fields(names, sip=customer.get("number") is None, details=transport),
        "type": "outboundPhoneCall",
        "status": "queued",
        "cost": 0,
        "monitor": urls.monitor(),
    }


def new_incoming_call(
    number_id: str, names: CarrierNames, customer: JsonObject, details: JsonObject, urls: CallUrls
) -> JsonObject:
    """Return the record of a call that comes in over a carrier, without an assistant and the store's fields."""
    return {
        **phone_call_fields(names, sip="sipUri" in customer, details=details),
        "type": "inboundPhoneCall",
        "status": "ringing",
        "cost": 0,
        "phoneNumberId": number_id,
        "customer": customer,
        "monitor": urls.monitor(),
    }


def customer_of(caller: str, name: str | None) -> JsonObject:
    """Return the caller as Vapi's `customer`, by number or by SIP address."""
    at_sip = caller.lower().startswith(("sip:", "sips:"))
    customer: JsonObject = {"sipUri" if at_sip else "number": caller} if caller else {}
    return customer | ({"name": name[:40]} if name else {})


def header_variables(headers: Mapping[str, str]) -> JsonObject:
    """Return the template variables of SIP headers: `X-First_Name`, in any case, sets `first_name`."""
    named = {name.lower(): value for name, value in headers.items()}
    return {name[2:]: value for name, value in named.items() if name.startswith("x-") and len(name) > 2}


def overrides_with_variables(call: JsonObject, values: JsonObject) -> JsonObject:
    """Return a call's `assistantOverrides` with these variables, which its own override; empty if there are none."""
    if not values:
        return {}
    overrides = as_object(call.get("assistantOverrides"))
    own = as_object(overrides.get("variableValues"))
    return {"assistantOverrides": {**overrides, "variableValues": {**values, **own}}}


def inline_number(call: JsonObject) -> JsonObject | None:
    """Return a call's own `phoneNumber` (Vapi's `ImportTwilioPhoneNumberDTO`) as a phone number, if it has one."""
    own = as_object_or_none(call.get("phoneNumber"))
    if own is None:
        return None
    number = dict(own)
    digits = number.pop("twilioPhoneNumber", None)
    return {"provider": "twilio", **({} if digits is None else {"number": digits}), **number}


def inline_number_id(call_id: str) -> str:
    """Return the id of a call's own number in a carrier's URLs, in place of a stored number's id."""
    return f"{_INLINE}{call_id}"


def call_id_of_inline_number(number_id: str) -> str | None:
    """Return the id of the call that has this number as its own; None if it is a stored number's id."""
    return number_id.removeprefix(_INLINE) if number_id.startswith(_INLINE) else None


def spoken_reason(call: JsonObject) -> str | None:
    """Return the `endedReason` of a call that ends after a text was said; None for that of a rejected call."""
    return as_string(as_object(call.get("inboundPhoneCallDebuggingArtifacts")).get(SPOKEN_REASON))
