"""The list of carriers: the only module outside a carrier's folder that names it."""

from collections.abc import Mapping
from typing import Any

from bargein.carriers.sip import CARRIER as SIP
from bargein.carriers.spec import CarrierSpec
from bargein.carriers.telnyx import CARRIER as TELNYX
from bargein.carriers.twilio import CARRIER as TWILIO
from bargein.carriers.vonage import CARRIER as VONAGE
from bargein.wire.base import JsonObject
from bargein.wire.credentials import CredentialTypes
from bargein.wire.json import as_object
from bargein.wire.phone_number import PhoneNumberBase, PhoneNumberTypes

CARRIERS: tuple[CarrierSpec[Any], ...] = (TWILIO, VONAGE, TELNYX, SIP)

BY_PROVIDER: Mapping[str, CarrierSpec[Any]] = {provider: spec for spec in CARRIERS for provider in spec.numbers}
"""The carrier of each `provider` that a phone number can have."""

NUMBER_TYPES: Mapping[str, type[PhoneNumberBase]] = {
    provider: number_type for spec in CARRIERS for provider, number_type in spec.numbers.items()
}
PHONE_NUMBERS = PhoneNumberTypes(NUMBER_TYPES)
CREDENTIALS = CredentialTypes(spec.credential for spec in CARRIERS if spec.credential is not None)

_TRANSPORTS = frozenset(spec.names.transport for spec in CARRIERS)


def is_phone_call(call: JsonObject) -> bool:
    """Return whether a call is held over a carrier; a call that rings over a socket only has a phone call's type."""
    return as_object(call.get("transport")).get("provider") in _TRANSPORTS
