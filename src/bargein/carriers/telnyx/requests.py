"""The bodies of requests to Telnyx's API."""

from collections.abc import Mapping
from typing import Any

from bargein.carriers.interface import Addresses, Answer, Dial, PhoneLine
from bargein.carriers.telnyx import texml
from bargein.carriers.telnyx.payload import RATE_HZ
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object

Params = dict[str, Any]


def number(phone_line: PhoneLine) -> str:
    """Return the number itself."""
    return str(phone_line.number.get("number", ""))


def streaming(addresses: Addresses) -> Params:
    """Return the fields that connect a call's audio to this server, in both directions."""
    return {
        "stream_url": addresses.media,
        "stream_track": "inbound_track",
        "stream_codec": "L16",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "L16",
        "stream_bidirectional_target_legs": "self",
        "send_silence_when_idle": True,
    }


def _streaming_too(addresses: Addresses) -> Params:
    """Return the fields of `streaming` that only the documentation of `dial` names."""
    token = {} if addresses.media_token is None else {"stream_auth_token": addresses.media_token}
    return {"stream_bidirectional_sampling_rate": RATE_HZ, **token}


def answering(addresses: Addresses) -> Params:
    """Return the body that answers a call. It may have the rate and the token, which the SDK does not declare there."""
    return {**streaming(addresses), **told_at(addresses), "extra_body": _streaming_too(addresses)}


def placing(phone_line: PhoneLine, dial: Dial, connection_id: str) -> Params:
    """Return the body that places a call."""
    return {
        "connection_id": connection_id,
        "to": texml.number_or_uri(dial.customer),
        "from_": str(dial.customer.get("callerId") or number(phone_line)),
        **streaming(dial.addresses),
        **_streaming_too(dial.addresses),
        **_sip_headers(dial.sip_headers),
        **_extension(dial.customer),
        **({"answering_machine_detection": "detect"} if dial.detect_machine else {}),
        "timeout_secs": dial.ring_s,
        **told_at(dial.addresses),
        "command_id": dial.call_id,
    }


def told_at(addresses: Addresses) -> Params:
    """Return the fields with the URL of the call's further events."""
    return {"webhook_url": addresses.status, "webhook_url_method": "POST"}


def _sip_headers(headers: Mapping[str, str]) -> Params:
    """Return the fields with SIP headers; `User-to-User` has a list of its own."""
    own: list[JsonObject] = []
    user_to_user: list[JsonObject] = []
    for name, value in headers.items():
        if name.lower() == "user-to-user":
            user_to_user.append({"name": "User-to-User", "value": value})
        else:
            own.append({"name": name, "value": value})
    return ({"custom_headers": own} if own else {}) | ({"sip_headers": user_to_user} if user_to_user else {})


def _extension(destination: JsonObject) -> Params:
    """Return the field with the keys to send after the answer (`extension` of a customer or a destination)."""
    extension: object = destination.get("extension")
    return {"send_digits_on_answer": extension} if isinstance(extension, str) else {}


def destination(phone_line: PhoneLine, destination: JsonObject) -> Params:
    """Return the body of `transfer`. Without an explicit caller id, Telnyx would show the called number."""
    ring_s: object = as_object(destination.get("transferPlan")).get("dialTimeout")
    return {
        "to": texml.number_or_uri(destination),
        "from_": str(destination.get("callerId") or number(phone_line)),
        **_extension(destination),
        **_sip_headers(as_object(destination.get("sipHeaders"))),
        **({"timeout_secs": int(ring_s)} if isinstance(ring_s, int | float) else {}),
    }


def instructions(phone_line: PhoneLine, destination: JsonObject) -> Answer:
    """Return the TeXML that forwards a call to a destination."""
    extension: object = destination.get("extension")
    return texml.dial(
        texml.number_or_uri(destination),
        str(destination.get("callerId") or number(phone_line)),
        extension if isinstance(extension, str) else None,
    )
