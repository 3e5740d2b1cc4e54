"""Telnyx's webhooks: their verification, and the notices in them.

All have the same signature: Ed25519 over `timestamp|body`, in the headers `telnyx-signature-ed25519` (base64) and
`telnyx-timestamp` (seconds since 1970). Call Control's are JSON events, TeXML's are forms.
"""

from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bargein.carriers.interface import Answered, CallEnded, ForgedError, Incoming, Notice, Ringing, WebhookRequest
from bargein.carriers.telnyx.reasons import ended_reason, texml_ended_reason
from bargein.errors import BargeinError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_objects, as_string, read_json, repair_text

SIGNATURE = "telnyx-signature-ed25519"
TIMESTAMP = "telnyx-timestamp"
FRESH_S = 300
"""The tolerated difference between a webhook's time and this server's, as in Telnyx's own libraries."""


class UnreadableError(BargeinError, ValueError):
    """A verified webhook cannot be read."""


def verify(public_key: str | None, request: WebhookRequest, now_s: int) -> None:
    """Verify that a webhook comes from Telnyx, and is recent. A repeated one has no further effect.

    Args:
        public_key: the account's public key, base64 of 32 bytes.
        request: the webhook.
        now_s: seconds since 1970.

    Raises:
        ForgedError: it does not, or there is nothing to verify it with.
    """
    if public_key is None:
        raise ForgedError("there is no publicKey of Telnyx to verify it with")
    stamp = request.headers.get(TIMESTAMP, "")
    if SIGNATURE not in request.headers or not stamp:
        raise ForgedError("it is not signed")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12) or abs(now_s - int(stamp)) > FRESH_S:
        raise ForgedError("it is not fresh")
    signature = _decoded(request.headers[SIGNATURE], 64, "signature")
    try:
        key = Ed25519PublicKey.from_public_bytes(_decoded(public_key, 32, "public key"))
        key.verify(signature, stamp.encode("ascii") + b"|" + request.body)
    except InvalidSignature as error:
        raise ForgedError("the signature is not Telnyx's") from error


def _decoded(text: str, size: int, what: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise ForgedError(f"the {what} is not base64") from error
    if len(data) != size:
        raise ForgedError(f"the {what} does not have {size} bytes")
    return data


def is_texml(request: WebhookRequest) -> bool:
    """Return whether a webhook is of TeXML (a form) and not of Call Control (JSON)."""
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def read_event(body: bytes) -> Notice | None:
    """Read a Call Control event; return None for one without a notice.

    Raises:
        UnreadableError: it is not an event.
    """
    try:
        message = read_json(body)
    except ValueError as error:
        raise UnreadableError("the event is not JSON") from error
    event = _member(message, "data")
    payload = _member(event, "payload")
    kind: object = event.get("event_type")
    if not isinstance(kind, str):
        raise UnreadableError("the event has no event_type")
    match kind:
        case "call.initiated" if payload.get("direction") == "incoming":
            return _incoming(payload)
        case "call.initiated" | "call.ringing":
            return Ringing(_call_id(payload))
        case "call.answered":
            return Answered(_call_id(payload))
        case "call.machine.detection.ended" | "call.machine.premium.detection.ended":
            return _answered_by(_call_id(payload), payload.get("result"))
        case "call.hangup":
            return _over(payload)
        case _:
            return None


def _incoming(payload: JsonObject) -> Incoming:
    details = {"callControlId": "call_control_id", "callLegId": "call_leg_id", "callSessionId": "call_session_id"}
    name = payload.get("caller_id_name")
    return Incoming(
        carrier_call_id=_call_id(payload),
        to=_string(payload, "to"),
        caller=_string(payload, "from"),
        caller_name=name if isinstance(name, str) and name and name != payload.get("from") else None,
        sip_headers=_headers(payload.get("custom_headers")) | _headers(payload.get("sip_headers")),
        details={ours: payload[theirs] for ours, theirs in details.items() if isinstance(payload.get(theirs), str)},
    )


def _answered_by(call_id: str, result: object) -> Answered:
    match result:
        case "machine" | "fax_detected":
            return Answered(call_id, "machine", str(result))
        case "human" | "human_residence" | "human_business":
            return Answered(call_id, "human", str(result))
        case _:
            return Answered(call_id, None, str(result)[:40])


def _over(payload: JsonObject) -> CallEnded:
    cause = str(payload.get("hangup_cause") or "unspecified")
    code = str(payload.get("sip_hangup_cause") or "unspecified")
    source = str(payload.get("hangup_source") or "unknown")
    detail = f"{cause} by {source}" + (f", SIP {code}" if code != "unspecified" else "")
    return CallEnded(_call_id(payload), ended_reason(cause, code), detail[:200])


def read_form(body: bytes) -> tuple[Notice | None, Mapping[str, str]]:
    """Read a TeXML webhook; return its notice and its fields.

    The request for instructions has no `CallbackSource`, and its `CallStatus` is ringing.

    Raises:
        UnreadableError: it is not a form, or names no call.
    """
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=200)
    except UnicodeDecodeError as error:
        raise UnreadableError("the form is not UTF-8") from error
    form = {repair_text(name): repair_text(value) for name, value in fields}
    call_id = form.get("CallSid", "")
    if not call_id:
        raise UnreadableError("the form names no CallSid")
    status = form.get("CallStatus", "")
    reason = texml_ended_reason(status)
    if reason is not None:
        return CallEnded(call_id, reason, f"{status} by {form.get('HangupSource', 'unknown')}"[:200]), form
    if "CallbackSource" in form:
        return None, form
    if not form.get("From") or not form.get("To"):
        raise UnreadableError("the form lacks From or To")
    name = form.get("CallerId") or None
    details = {"callControlId": call_id}
    return Incoming(call_id, form["To"], form["From"], None if name == form["From"] else name, {}, details), form


def _headers(listed: object) -> dict[str, str]:
    """Read SIP headers from Telnyx's `[{"name": …, "value": …}]`."""
    found: dict[str, str] = {}
    for header in as_objects(listed):
        name, value = as_string(header.get("name")), as_string(header.get("value"))
        if name is not None and value is not None:
            found[name] = value
    return found


def _member(value: object, name: str) -> JsonObject:
    member = as_object_or_none(as_object(value).get(name))
    if member is None:
        raise UnreadableError(f"the event has no {name}")
    return member


def _call_id(payload: JsonObject) -> str:
    return _string(payload, "call_control_id")


def _string(payload: JsonObject, name: str) -> str:
    value: object = payload.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableError(f"the event has no {name}")
    return value
