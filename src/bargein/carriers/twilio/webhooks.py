"""Twilio's webhooks: forms, signed over their whole URL and all fields.

https://www.twilio.com/docs/usage/security
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from twilio.request_validator import RequestValidator

from bargein.carriers.interface import Answered, CallEnded, ForgedError, Incoming, Notice, Ringing, WebhookRequest
from bargein.wire.json import repair_text

if TYPE_CHECKING:
    from bargein.wire.base import JsonObject

SIGNATURE = "x-twilio-signature"
_NO_TOKEN = "no auth token is known for this number: set twilioAuthToken, or TWILIO_AUTH_TOKEN"  # noqa: S105  # the text has no secret

_ENDED = {
    "completed": "customer-ended-call",
    "busy": "customer-busy",
    "no-answer": "customer-did-not-answer",
    "failed": "twilio-failed-to-connect-call",
    "canceled": "customer-did-not-answer",
}
_MISDIALED = frozenset({"404", "484"})
"""SIP responses (RFC 3261) to a number that does not exist."""
_SIP_HEADER = "SipHeader_"


class _Fields(dict[str, list[str]]):
    """A form in the shape that Twilio's validator expects, with several values per field."""

    def getlist(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self[name]


def verify(request: WebhookRequest, auth_token: str | None) -> None:
    """Verify that a request, or a socket's upgrade, comes from Twilio.

    Raises:
        ForgedError: it does not, or there is no token to verify it with.
    """
    if auth_token is None:
        raise ForgedError(_NO_TOKEN)
    signature = request.headers.get(SIGNATURE)
    if not signature:
        raise ForgedError("it is not signed")
    form = _form(request) if request.method == "POST" else _Fields()
    # the SDK has no types here
    validator: Any = RequestValidator(auth_token)
    if not validator.validate(request.url, form, signature):
        raise ForgedError("its signature does not match its URL and fields")


def read(request: WebhookRequest) -> Sequence[Notice]:
    """Read a verified webhook, as `Carrier.read`.

    Raises:
        ValueError: it is not a form about a call.
    """
    fields = {repair_text(name): repair_text(values[-1]) for name, values in _form(request).items()}
    sid, status = fields.get("CallSid", ""), fields.get("CallStatus", "")
    if not sid or len(sid) > 64:
        raise ValueError("there is no CallSid")
    inbound = fields.get("Direction", "inbound") == "inbound"
    if (answered_by := fields.get("AnsweredBy")) is not None and status not in _ENDED:
        return (_answered(sid, answered_by),)
    match status:
        case "queued" | "initiated":
            return ()
        case "ringing" if inbound:
            return (_incoming(sid, fields),)
        case "ringing":
            return (Ringing(sid),)
        case "in-progress":
            return (Answered(sid),)
        case _ if status in _ENDED:
            return (_over(sid, status, fields),)
        case _:
            raise ValueError("there is no CallStatus")


def _incoming(sid: str, fields: dict[str, str]) -> Incoming:
    details: JsonObject = {"accountSid": fields.get("AccountSid"), "callSid": sid}
    details |= {"callToken": fields.get("CallToken"), "forwardedFrom": fields.get("ForwardedFrom")}
    headers = {name.removeprefix(_SIP_HEADER): value for name, value in fields.items() if name.startswith(_SIP_HEADER)}
    return Incoming(
        sid,
        fields.get("To", ""),
        fields.get("From", ""),
        fields.get("CallerName"),
        headers,
        {name: value for name, value in details.items() if value},
    )


def _answered(sid: str, by: str) -> Answered:
    if by == "human":
        return Answered(sid, "human", by)
    return Answered(sid, "machine", by) if by.startswith("machine") or by == "fax" else Answered(sid, None, by)


def _over(sid: str, status: str, fields: dict[str, str]) -> CallEnded:
    sip = fields.get("SipResponseCode", "")
    if status == "failed" and sip in _MISDIALED:
        return CallEnded(sid, "twilio-reported-customer-misdialed", f"failed, SIP {sip}")
    return CallEnded(sid, _ENDED[status], f"{status}, SIP {sip}" if sip else status)


def _form(request: WebhookRequest) -> _Fields:
    """Read the fields of a POST, or of a GET's query.

    Raises:
        ValueError: it is not UTF-8.
    """
    text = request.body.decode() if request.method == "POST" else urlsplit(request.url).query
    found = _Fields()
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=500):
        found.setdefault(name, []).append(value)
    return found
