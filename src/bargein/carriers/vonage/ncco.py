"""Vonage's Call Control Objects (NCCO), as its library has them.

This module needs the extra `vonage` of the package.
"""

import json
import re
from collections.abc import Mapping, Sequence

from vonage_voice.models import CreateCallRequest, NccoAction
from vonage_voice.models import connect_endpoints as endpoints
from vonage_voice.models.common import Phone, Sip, WebsocketAuthorization
from vonage_voice.models.ncco import Connect
from vonage_voice.models.requests import ToPhone

from bargein.carriers.interface import Addresses, Dial
from bargein.carriers.vonage.codec import CALL_HEADER, CONTENT_TYPE
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object

_LONGEST_RING_S = 120
_NUMBER = re.compile(r"[1-9]\d{6,14}")
_BEFORE_EXTENSION = "pp"
"""One second, so that the answering side is ready for keys."""
_STANDARD_HEADERS = frozenset({"user-to-user"})
_PAUSES = {"w": "p", "W": "pp", ",": "p"}


def digits_of(number: object) -> str:
    """Return a number as digits only, in Vonage's format.

    Raises:
        CarrierError: Vonage cannot call it.
    """
    digits = re.sub(r"[^\d]", "", number) if isinstance(number, str) else ""
    if not _NUMBER.fullmatch(digits):
        raise CarrierError("Vonage accepts telephone numbers of 7 to 15 digits, with the country code.")
    return digits


def keys_of(keys: str) -> str:
    """Return keys of `bargein.ports.Leg.send_dtmf` in Vonage's format: `p` is half a second; A to D do not exist.

    Raises:
        CarrierError: Vonage cannot send one of them.
    """
    pressed = "".join(_PAUSES.get(key, key) for key in keys)
    if not re.fullmatch(r"[0-9#*p]+", pressed):
        raise CarrierError("Vonage can send 0 to 9, * and # only.")
    return pressed


def to_media(number: object, addresses: Addresses, carrier_call_id: str | None) -> Connect:
    """Connect a call's audio to this server.

    Args:
        number: the number of the call.
        addresses: the URLs of the call.
        carrier_call_id: returned in the socket's first message; None while it is not known.
    """
    if addresses.media is None:
        raise CarrierError("the call has no address for its audio.")
    ours = re.sub(r"[^\d]", "", str(number))
    shown: JsonObject = {"from_": ours} if _NUMBER.fullmatch(ours) else {"randomFromNumber": True}
    endpoint = endpoints.WebsocketEndpoint(
        uri=addresses.media,
        contentType=CONTENT_TYPE,
        headers=None if carrier_call_id is None else {CALL_HEADER: carrier_call_id},
        authorization=WebsocketAuthorization(type="vonage"),
    )
    return Connect.model_validate({"endpoint": [endpoint], **shown})


def to_destination(number: object, destination: JsonObject, status: str | None) -> Connect:
    """Connect a call to Vapi's `TransferDestinationNumber` or `TransferDestinationSip`.

    Args:
        number: the number of the call, shown as caller unless the destination has a `callerId`.
        destination: the destination.
        status: the URL for progress events; None: the application's own.

    Raises:
        CarrierError: it cannot be called.
    """
    shown: object = destination.get("callerId")
    events: JsonObject = {} if status is None else {"eventUrl": [status], "eventMethod": "POST"}
    return Connect.model_validate(
        {
            "endpoint": [_sip(destination) if destination.get("type") == "sip" else _phone(destination)],
            "from_": digits_of(shown if isinstance(shown, str) and shown else number),
            **events,
        }
    )


def request_of(number: object, dial: Dial) -> CreateCallRequest:
    """Return the request that places a call.

    It has the NCCO, so that no webhook is needed when the customer answers.

    Raises:
        CarrierError: Vonage cannot call the customer.
    """
    detection: JsonObject = {}
    if dial.detect_machine:
        at_once = "machine_start" in as_list(dial.machine_plan.get("voicemailDetectionTypes"))
        mode = "detect" if at_once else "detect_beep"
        detection["advanced_machine_detection"] = {"behavior": "continue", "mode": mode}
    return CreateCallRequest.model_validate(
        {
            "to": [_customer(dial)],
            "from_": Phone(number=digits_of(number)),
            "ncco": [to_media(number, dial.addresses, None)],
            "event_url": [dial.addresses.status],
            "event_method": "POST",
            "ringing_timer": min(max(dial.ring_s, 1), _LONGEST_RING_S),
            **detection,
        }
    )


def written(actions: Sequence[NccoAction]) -> str:
    """Return an NCCO as JSON."""
    return json.dumps([action.model_dump(by_alias=True, exclude_none=True, mode="json") for action in actions])


def _customer(dial: Dial) -> ToPhone | Sip:
    uri: object = dial.customer.get("sipUri")
    if isinstance(uri, str) and uri:
        extra, standard = _headers(dial.sip_headers)
        return Sip(uri=uri, headers=extra, standard_headers=standard)
    to = {"number": digits_of(dial.customer.get("number")), "dtmf_answer": _extension(dial.customer)}
    return ToPhone.model_validate(to)


def _phone(destination: JsonObject) -> endpoints.PhoneEndpoint:
    return endpoints.PhoneEndpoint(number=digits_of(destination.get("number")), dtmfAnswer=_extension(destination))


def _sip(destination: JsonObject) -> endpoints.SipEndpoint:
    uri: object = destination.get("sipUri")
    if not isinstance(uri, str) or not uri:
        raise CarrierError("the destination has no sipUri.")
    named = as_object(destination.get("sipHeaders"))
    extra, standard = _headers({name: str(value) for name, value in named.items()})
    return endpoints.SipEndpoint(uri=uri, headers=extra, standardHeaders=standard)


def _extension(who: JsonObject) -> str | None:
    extension: object = who.get("extension")
    return _BEFORE_EXTENSION + keys_of(extension) if isinstance(extension, str) and extension else None


def _headers(given: Mapping[str, str]) -> tuple[dict[str, str] | None, dict[str, str] | None]:
    """Split headers into those that Vonage prefixes with `X-`, and those that it sends as they are."""
    extra: dict[str, str] = {}
    standard: dict[str, str] = {}
    for name, value in given.items():
        if name.lower() in _STANDARD_HEADERS:
            standard[name] = value
        else:
            extra[name[2:] if name.lower().startswith("x-") else name] = value
    return extra or None, standard or None
