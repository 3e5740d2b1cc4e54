"""Vonage's webhooks: the answer webhook of an incoming call, and the events of every leg.

A call has several legs, whose events come to one URL: the telephone's leg, the media socket's, and the leg to a
transfer's destination. Only the telephone's leg has the id that the call is known by.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from bargein.carriers.interface import Answered, CallEnded, Incoming, Notice, Ringing, WebhookRequest
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none, read_json

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
"""Vonage's final status of a leg -> Vapi's `endedReason`.

`unanswered`: the customer cannot be reached or declines; `rejected`: Vonage refuses the call; `cancelled`: the call was
hung up before it was answered; `completed`: it was answered and has ended, and `disconnected_by` may say by whom.
"""
_MACHINE = {"beep_start": "machine_end_beep", "beep_timeout": "machine_end_silence"}
"""Vonage's words for a machine -> Vapi's `voicemailDetectionTypes`."""
_BY_PLATFORM = "vonage-completed"


def notices_of(request: WebhookRequest) -> Sequence[Notice]:
    """Read a verified webhook, as `Carrier.read`."""
    event = _parsed(request)
    if event.get("status") is None and event.get("type") is None:
        return _incoming(event)
    return _progress(event)


def region_of(request: WebhookRequest) -> tuple[str, str] | None:
    """Return the call and the host for its control requests (`region_url`), if a webhook names both."""
    event = _parsed(request)
    call, url = _text(event, "uuid"), _text(event, "region_url")
    if call is None or url is None:
        return None
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return None
    return (call, host) if host.endswith((".vonage.com", ".nexmo.com")) else None


def transport_of(call: str, conversation: str | None) -> JsonObject:
    """Return the fields of a call's `transport` (Vapi's `VonageTransport`)."""
    return {"callUUID": call, **({} if conversation is None else {"conversationUUID": conversation})}


def e164(number: str) -> str:
    """Return a number in E.164; Vonage writes it without the plus."""
    return f"+{number}" if number.isdecimal() and 7 <= len(number) <= 15 and number[0] != "0" else number


def _incoming(event: JsonObject) -> Sequence[Notice]:
    call, to = _text(event, "uuid"), _text(event, "to")
    if call is None or to is None:
        return []  # an error report: "Syntax error in NCCO" and the like
    caller = e164(_text(event, "from") or "")
    known = caller.startswith(("+", "sip:", "sips:"))  # and not "anonymous", "Restricted", …
    return [
        Incoming(
            carrier_call_id=call,
            to=e164(to),
            caller=caller if known else "",
            caller_name=_text(event, "from_user"),
            sip_headers={
                name.removeprefix(_SIP_HEADER): str(value)
                for name, value in event.items()
                if name.startswith(_SIP_HEADER)
            },
            details=transport_of(call, _text(event, "conversation_uuid")),
        )
    ]


def _progress(event: JsonObject) -> Sequence[Notice]:
    call = _text(event, "uuid") or _text(event, "call_uuid")  # the machine detection says call_uuid
    status = _text(event, "status")
    if call is None or status is None or _is_media(event):
        return []
    ours = event.get("direction") != "inbound"
    if status == "ringing" and ours:
        return [Ringing(call)]
    if status == "answered" and ours:
        return [Answered(call)]
    if status == "human":
        return [Answered(call, "human", status)]
    if status == "machine":
        return [Answered(call, "machine", _MACHINE.get(_text(event, "sub_state") or "", "machine_start"))]
    if status in _OVER:
        return [_over(call, status, event)]
    return []


def _over(call: str, status: str, event: JsonObject) -> CallEnded:
    reason = _OVER[status]
    if status == "completed" and event.get("disconnected_by") == "platform":
        reason = _BY_PLATFORM
    if status == "cancelled" and event.get("direction") == "inbound":
        reason = "customer-ended-call"
    detail = _text(event, "detail") or _text(event, "reason")
    return CallEnded(call, reason, status if detail is None else f"{status}: {detail[:200]}")


def _is_media(event: JsonObject) -> bool:
    """Return whether this is the leg of the media socket, which reports itself."""
    to = _text(event, "to") or ""
    return to.lower().startswith(("ws://", "wss://")) or event.get("endpoint_type") == "websocket"


def _parsed(request: WebhookRequest) -> JsonObject:
    """Read the body. All webhooks are configured as POST, so that the signed bytes are the ones that are read.

    Raises:
        ValueError: it is not a JSON object.
    """
    body = as_object_or_none(read_json(request.body))
    if body is None:
        raise ValueError("the body is not a JSON object")
    return body


def _text(event: JsonObject, name: str) -> str | None:
    value: object = event.get(name)
    return value if isinstance(value, str) and value else None
