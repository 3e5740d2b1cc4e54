"""What a telephone call adds to a call's record, and the reasons with which one ends that came to nothing."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import CallUrls

NEVER_CONNECTED = "call.in-progress.error-providerfault-transport-never-connected"
"""The `endedReason` of a call that was answered, and whose audio never came."""

DID_NOT_ANSWER = "customer-did-not-answer"

HOOK_SAID = "call.ringing.hook-executed-say"
HOOK_TRANSFERRED = "call.ringing.hook-executed-transfer"

SPOKEN_REASON = "spokenEndedReason"
"""A field of `inboundPhoneCallDebuggingArtifacts`: the `endedReason` once `assistantRequestError` has been said."""

_INLINE = "call-"


class CarrierNames(NamedTuple):
    """The values that stand for a carrier in a call's record.

    Attributes:
        transport: the `provider` of the call's `transport`.
        provider: the call's `phoneCallProvider`.
        failed_to_connect: the `endedReason` of a call that the carrier would not place.
    """

    transport: str
    provider: str
    failed_to_connect: str


def on_the_phone(names: CarrierNames, *, sip: bool, details: Mapping[str, Any]) -> JsonObject:
    """The fields of a call's record that say how it is held.

    Args:
        names: of the carrier.
        sip: whether the customer is at a SIP address and not at a number.
        details: of the carrier, for `transport`.
    """
    return {
        "phoneCallProvider": names.provider,
        "phoneCallTransport": "sip" if sip else "pstn",
        "transport": {"conversationType": "voice", "provider": names.transport, **details},
    }


def new_outbound_call(body: JsonObject, names: CarrierNames, urls: CallUrls) -> JsonObject:
    """The call that `POST /call` makes to a customer, but for what the store adds.

    Args:
        body: as it came.
        names: of the carrier that it goes out by.
        urls: where it is listened in on and steered; its audio has no address of its own.
    """
    kept = without_nulls(body)
    given: JsonObject = kept.pop("transport", None) or {}
    customer: JsonObject = kept.get("customer") or {}
    return {
        **kept,
        **on_the_phone(names, sip=customer.get("number") is None, details=given),
        "type": "outboundPhoneCall",
        "status": "queued",
        "cost": 0,
        "monitor": urls.monitor(),
    }


def new_incoming_call(
    number_id: str, names: CarrierNames, customer: JsonObject, details: JsonObject, urls: CallUrls
) -> JsonObject:
    """A call that comes in over a carrier, but for what the store adds; nobody has it yet."""
    return {
        **on_the_phone(names, sip="sipUri" in customer, details=details),
        "type": "inboundPhoneCall",
        "status": "ringing",
        "cost": 0,
        "phoneNumberId": number_id,
        "customer": customer,
        "monitor": urls.monitor(),
    }


def customer_of(caller: str, name: str | None) -> JsonObject:
    """Who calls, as Vapi's `customer`: by number or by SIP address."""
    at_sip = caller.lower().startswith(("sip:", "sips:"))
    customer: JsonObject = {"sipUri" if at_sip else "number": caller} if caller else {}
    return customer | ({"name": name[:40]} if name else {})


def header_values(headers: Mapping[str, str]) -> JsonObject:
    """The template variables that SIP headers fill: `X-First_Name` fills `first_name`, in any case."""
    named = {name.lower(): value for name, value in headers.items()}
    return {name[2:]: value for name, value in named.items() if name.startswith("x-") and len(name) > 2}


def with_values(call: JsonObject, values: JsonObject) -> JsonObject:
    """What a call's `assistantOverrides` become with these variables beneath its own; nothing where there are none."""
    if not values:
        return {}
    overrides: JsonObject = call.get("assistantOverrides") or {}
    own: JsonObject = overrides.get("variableValues") or {}
    return {"assistantOverrides": {**overrides, "variableValues": {**values, **own}}}


def inline_number(call: JsonObject) -> JsonObject | None:
    """A call's own `phoneNumber` (Vapi's `ImportTwilioPhoneNumberDTO`) as a phone number; None where it has none."""
    given: object = call.get("phoneNumber")
    if not isinstance(given, dict):
        return None
    number = dict(cast("JsonObject", given))
    digits = number.pop("twilioPhoneNumber", None)
    return {"provider": "twilio", **({} if digits is None else {"number": digits}), **number}


def inline_number_id(call_id: str) -> str:
    """What stands for a call's own number in a carrier's addresses, where others have a stored number's id."""
    return f"{_INLINE}{call_id}"


def call_of_inline(number_id: str) -> str | None:
    """The id of the call whose own number is meant; None: it is a stored number's id."""
    return number_id.removeprefix(_INLINE) if number_id.startswith(_INLINE) else None


def spoken_reason(call: JsonObject) -> str | None:
    """With which `endedReason` a call ends once the caller has been told something; None: as one that is refused."""
    found: object = call.get("inboundPhoneCallDebuggingArtifacts")
    reason: object = cast("JsonObject", found).get(SPOKEN_REASON) if isinstance(found, dict) else None
    return reason if isinstance(reason, str) else None
