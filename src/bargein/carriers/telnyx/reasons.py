"""Telnyx's reasons for the end of a call -> Vapi's `endedReason`."""

ENDED = "customer-ended-call"
BUSY = "customer-busy"
UNANSWERED = "customer-did-not-answer"
FAILED = "call.in-progress.error-sip-outbound-call-failed-to-connect"
TOO_LONG = "exceeded-max-duration"

_BY_CAUSE = {
    "normal_clearing": ENDED,
    "originator_cancel": ENDED,
    "user_busy": BUSY,
    "no_answer": UNANSWERED,
    "timeout": UNANSWERED,
    "time_limit": TOO_LONG,
}
"""Telnyx's `hangup_cause`s for which the SIP code does not matter (unlike call_rejected, not_found, unspecified)."""

_BY_SIP_CODE = {
    "403": "call.in-progress.error-providerfault-outbound-sip-403-forbidden",
    "407": "call.in-progress.error-providerfault-outbound-sip-407-proxy-authentication-required",
    "408": "call.in-progress.error-providerfault-outbound-sip-408-request-timeout",
    "480": "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable",
    "486": BUSY,
    "487": ENDED,
    "503": "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
    "600": BUSY,
    "603": BUSY,
}
"""RFC 3261, section 21. Vapi has no reason for a declined call (603); its calls over Twilio end as busy then."""

_BY_STATUS = {
    "completed": ENDED,
    "canceled": ENDED,
    "busy": BUSY,
    "no-answer": UNANSWERED,
    "failed": FAILED,
}
"""TeXML's final values of `CallStatus`."""


def ended_reason(hangup_cause: str, sip_code: str) -> str:
    """Return the reason of a `call.hangup` event."""
    found = _BY_CAUSE.get(hangup_cause) or _BY_SIP_CODE.get(sip_code)
    if found is None:
        return BUSY if hangup_cause == "call_rejected" else FAILED
    return found


def texml_ended_reason(status: str) -> str | None:
    """Return the reason of TeXML's `CallStatus`; None while the call goes on."""
    return _BY_STATUS.get(status)
