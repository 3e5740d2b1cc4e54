"""What Vonage's webhooks say: the answer webhook of a call that comes in, and the events of every leg.

A call has several legs, and all their events come to one place: the telephone's, the media socket's, and that of whom
the caller was transferred to. A leg has the id by which we know the call only if it is the telephone's.
"""

import json
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from bargein.carriers.interface import Answered, CallEnded, Incoming, Notice, Ringing, WebhookRequest
from bargein.wire.base import JsonObject

_SIP_HEADER = "SipHeader_"
_OVER = {
    "busy": "customer-busy",
    "unanswered": "customer-did-not-answer",
    "timeout": "customer-did-not-answer",
    "cancelled": "customer-did-not-answer",
    "rejected": "vonage-rejected",
    "failed": "vonage-failed-to-connect-call",
    "completed": "customer-ended-call",
}
"""Vonage's status of a leg that is over -> Vapi's `endedReason`.

`unanswered` is one who cannot be reached or declines; `rejected` is Vonage's own refusal. `cancelled` is a call that
was given up before anybody answered. `completed` was answered and is over: by whom, `disconnected_by` may say.
"""
_MACHINE = {"beep_start": "machine_end_beep", "beep_timeout": "machine_end_silence"}
"""What Vonage says of a machine -> the same in Vapi's `voicemailDetectionTypes`, whose words are Twilio's."""
_BY_PLATFORM = "vonage-completed"


def notices_of(request: WebhookRequest) -> Sequence[Notice]:
    """Read a verified webhook, as `Carrier.read`."""
    said = _parsed(request)
    if said.get("status") is None and said.get("type") is None:
        return _incoming(said)
    return _progress(said)


def region_of(request: WebhookRequest) -> tuple[str, str] | None:
    """The call, and the host by which it is to be steered (`region_url`), where a webhook says both."""
    said = _parsed(request)
    call, url = _text(said, "uuid"), _text(said, "region_url")
    if call is None or url is None:
        return None
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return None
    return (call, host) if host.endswith((".vonage.com", ".nexmo.com")) else None


def transport_of(call: str, conversation: str | None) -> JsonObject:
    """What a call's `transport` has of Vonage (Vapi's `VonageTransport`)."""
    return {"callUUID": call, **({} if conversation is None else {"conversationUUID": conversation})}


def e164(number: str) -> str:
    """A number as Vapi writes it; Vonage writes it without the plus."""
    return f"+{number}" if number.isdecimal() and 7 <= len(number) <= 15 and number[0] != "0" else number


def _incoming(said: JsonObject) -> Sequence[Notice]:
    call, to = _text(said, "uuid"), _text(said, "to")
    if call is None or to is None:
        return []  # an error report: "Syntax error in NCCO" and the like
    caller = e164(_text(said, "from") or "")
    known = caller.startswith(("+", "sip:", "sips:"))  # and not "anonymous", "Restricted", …
    return [
        Incoming(
            carrier_call_id=call,
            to=e164(to),
            caller=caller if known else "",
            caller_name=_text(said, "from_user"),
            sip_headers={
                name.removeprefix(_SIP_HEADER): str(value)
                for name, value in said.items()
                if name.startswith(_SIP_HEADER)
            },
            details=transport_of(call, _text(said, "conversation_uuid")),
        )
    ]


def _progress(said: JsonObject) -> Sequence[Notice]:
    call = _text(said, "uuid") or _text(said, "call_uuid")  # what detects machines says call_uuid
    status = _text(said, "status")
    if call is None or status is None or _is_media(said):
        return []
    ours = said.get("direction") != "inbound"
    if status == "ringing" and ours:
        return [Ringing(call)]
    if status == "answered" and ours:
        return [Answered(call)]
    if status == "human":
        return [Answered(call, "human", status)]
    if status == "machine":
        return [Answered(call, "machine", _MACHINE.get(_text(said, "sub_state") or "", "machine_start"))]
    if status in _OVER:
        return [_over(call, status, said)]
    return []


def _over(call: str, status: str, said: JsonObject) -> CallEnded:
    reason = _OVER[status]
    if status == "completed" and said.get("disconnected_by") == "platform":
        reason = _BY_PLATFORM
    if status == "cancelled" and said.get("direction") == "inbound":
        reason = "customer-ended-call"
    detail = _text(said, "detail") or _text(said, "reason")
    return CallEnded(call, reason, status if detail is None else f"{status}: {detail[:200]}")


def _is_media(said: JsonObject) -> bool:
    """Whether this is the leg of the media socket; that tells of itself."""
    to = _text(said, "to") or ""
    return to.lower().startswith(("ws://", "wss://")) or said.get("endpoint_type") == "websocket"


def _parsed(request: WebhookRequest) -> JsonObject:
    """The body. We have Vonage POST everything, so that what is signed is what is read.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        said: Any = json.loads(request.body)
    except RecursionError:
        raise ValueError("the body is nested too deep") from None
    if not isinstance(said, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004  # as `Carrier.read` promises
    return cast("JsonObject", said)


def _text(said: JsonObject, name: str) -> str | None:
    value: object = said.get(name)
    return value if isinstance(value, str) and value else None
