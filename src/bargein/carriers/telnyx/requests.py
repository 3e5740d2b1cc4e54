"""What requests to Telnyx's API hold."""

from collections.abc import Mapping
from typing import Any, cast

from bargein.carriers.interface import Addresses, Answer, Dial, PhoneLine
from bargein.carriers.telnyx import texml
from bargein.carriers.telnyx.payload import RATE_HZ
from bargein.wire.base import JsonObject

Params = dict[str, Any]


def number(phone_line: PhoneLine) -> str:
    """The line's own number."""
    return str(phone_line.number.get("number", ""))


def streaming(addresses: Addresses) -> Params:
    """What has a call's audio come here, both ways."""
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
    """What belongs to `streaming`, and stands in the documents of `dial` alone."""
    token = {} if addresses.media_token is None else {"stream_auth_token": addresses.media_token}
    return {"stream_bidirectional_sampling_rate": RATE_HZ, **token}


def answering(addresses: Addresses) -> Params:
    """What answers a call. It takes the rate and the token as well, though the SDK does not know of them there."""
    return {**streaming(addresses), **told_at(addresses), "extra_body": _streaming_too(addresses)}


def placing(phone_line: PhoneLine, dial: Dial, connection_id: str) -> Params:
    """What has a customer rung."""
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
    """Where the call's further events go."""
    return {"webhook_url": addresses.status, "webhook_url_method": "POST"}


def _sip_headers(headers: Mapping[str, str]) -> Params:
    """Telnyx takes `User-to-User` in a list of its own."""
    own: list[JsonObject] = []
    user_to_user: list[JsonObject] = []
    for name, value in headers.items():
        if name.lower() == "user-to-user":
            user_to_user.append({"name": "User-to-User", "value": value})
        else:
            own.append({"name": name, "value": value})
    return ({"custom_headers": own} if own else {}) | ({"sip_headers": user_to_user} if user_to_user else {})


def _extension(destination: JsonObject) -> Params:
    """Pressed once somebody answers (`extension` of a customer or a destination)."""
    extension: object = destination.get("extension")
    return {"send_digits_on_answer": extension} if isinstance(extension, str) else {}


def destination(phone_line: PhoneLine, destination: JsonObject) -> Params:
    """A destination of Vapi's as Telnyx's `transfer` takes it. Left out, the caller id would be whoever was called."""
    headers: object = destination.get("sipHeaders")
    plan: object = destination.get("transferPlan")
    ring_s: object = cast("JsonObject", plan).get("dialTimeout") if isinstance(plan, dict) else None
    return {
        "to": texml.number_or_uri(destination),
        "from_": str(destination.get("callerId") or number(phone_line)),
        **_extension(destination),
        **_sip_headers(cast("Mapping[str, str]", headers) if isinstance(headers, dict) else {}),
        **({"timeout_secs": int(ring_s)} if isinstance(ring_s, int | float) else {}),
    }


def instructions(phone_line: PhoneLine, destination: JsonObject) -> Answer:
    """A destination of Vapi's as TeXML has it."""
    extension: object = destination.get("extension")
    return texml.dial(
        texml.number_or_uri(destination),
        str(destination.get("callerId") or number(phone_line)),
        extension if isinstance(extension, str) else None,
    )
