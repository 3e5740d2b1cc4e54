"""Telnyx's webhooks: only its own are believed, each once and while it is fresh; and what they say."""

import time
from typing import Any

import pytest
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

from bargein.carriers.interface import Answered, CallEnded, ForgedError, Incoming, PhoneLine, Ringing, WebhookRequest
from bargein.carriers.telnyx import reasons
from bargein.carriers.telnyx.carrier import TelnyxCarrier
from bargein.clock import Clock, LoopClock
from bargein.wire import contract
from tests.carriers.telnyx.wire import CALL, CUSTOMER, FORM, OURS, Signer, event, form, incoming

NOW_S = 1_800_000_000
BODY = incoming()


class Clockwork(LoopClock):
    """Stands still until it is moved."""

    def __init__(self, now_s: int = NOW_S) -> None:
        self.now_s = now_s

    def epoch_ms(self) -> int:
        return self.now_s * 1000


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def clock() -> Clockwork:
    return Clockwork()


@pytest.fixture
def carrier(clock: Clock) -> TelnyxCarrier:
    return TelnyxCarrier(clock)


def line(signer: Signer) -> PhoneLine:
    return PhoneLine({"number": OURS}, {"apiKey": "key", "publicKey": signer.public_key})


def test_a_signed_webhook_is_accepted(carrier: TelnyxCarrier, signer: Signer, clock: Clockwork) -> None:
    request = signer.request(BODY, at_s=NOW_S)
    carrier.verify(line(signer), request)
    clock.now_s += 301
    with pytest.raises(ForgedError, match="fresh"):  # somebody kept it, and sends it again
        carrier.verify(line(signer), request)


@pytest.mark.parametrize(("late_s", "good"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_a_webhook_is_accepted_while_it_is_recent(
    carrier: TelnyxCarrier, signer: Signer, *, late_s: int, good: bool
) -> None:
    request = signer.request(BODY, at_s=NOW_S - late_s)
    if good:
        carrier.verify(line(signer), request)
    else:
        with pytest.raises(ForgedError, match="fresh"):
            carrier.verify(line(signer), request)


def changed(request: WebhookRequest, body: bytes | None = None, **headers: str | None) -> WebhookRequest:
    kept = {**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    whole = {name: value for name, value in kept.items() if value is not None}
    return WebhookRequest(request.method, request.url, whole, request.body if body is None else body)


def forgeries(signer: Signer) -> list[WebhookRequest]:
    good = signer.request(BODY, at_s=NOW_S)
    return [
        changed(good, body=BODY + b" "),
        changed(good, telnyx_timestamp=str(NOW_S + 1)),
        changed(good, telnyx_signature_ed25519=None),
        changed(good, telnyx_timestamp=None),
        changed(good, telnyx_signature_ed25519="", telnyx_timestamp=""),
        changed(good, telnyx_signature_ed25519="AAAA"),
        changed(good, telnyx_signature_ed25519="?" * 88),
        changed(good, telnyx_timestamp="soon"),
        changed(good, telnyx_timestamp="9" * 40),
        changed(good, telnyx_timestamp="\u0661\u0668"),
        Signer().request(BODY, at_s=NOW_S),
    ]


@pytest.mark.parametrize("which", range(11))
def test_a_forgery_is_refused_and_leaves_no_trace(carrier: TelnyxCarrier, signer: Signer, which: int) -> None:
    with pytest.raises(ForgedError):
        carrier.verify(line(signer), forgeries(signer)[which])
    carrier.verify(line(signer), signer.request(BODY, at_s=NOW_S))


@pytest.mark.parametrize("credential", [None, {"apiKey": "key"}, {"publicKey": "AAAA"}, {"publicKey": "?"}])
def test_without_a_key_nothing_is_accepted(
    carrier: TelnyxCarrier, signer: Signer, credential: dict[str, Any] | None
) -> None:
    with pytest.raises(ForgedError):
        carrier.verify(PhoneLine({"number": OURS}, credential), signer.request(BODY, at_s=NOW_S))


def test_telnyxs_own_verification_agrees(signer: Signer) -> None:
    now_s = int(time.time())
    good = signer.request(BODY, at_s=now_s)
    for request in [good, changed(good, body=b"{}"), Signer().request(BODY, at_s=now_s)]:
        try:
            verify_webhook_signature(request.body, request.headers, signer.public_key)
            theirs = True
        except WebhookVerificationError:
            theirs = False
        try:
            TelnyxCarrier(Clockwork(now_s)).verify(line(signer), request)
            ours = True
        except ForgedError:
            ours = False
        assert ours == theirs == (request is good)


def read(carrier: TelnyxCarrier, body: bytes, kind: str = "application/json") -> Any:
    return list(carrier.read(WebhookRequest("POST", "https://us.example/webhook", {"content-type": kind}, body)))


def test_an_incoming_call(carrier: TelnyxCarrier) -> None:
    headers = {"custom_headers": [{"name": "X-Mine", "value": "1"}, 7], "sip_headers": [{"name": "Diversion"}]}
    assert read(carrier, incoming(caller_id_name="Ada", **headers)) == [
        Incoming(
            CALL,
            to=OURS,
            caller=CUSTOMER,
            caller_name="Ada",
            sip_headers={"X-Mine": "1"},
            details={"callControlId": CALL, "callLegId": "leg", "callSessionId": "session"},
        )
    ]


@pytest.mark.parametrize(
    ("body", "notice"),
    [
        (event("call.initiated", direction="outgoing"), Ringing(CALL)),
        (event("call.ringing"), Ringing(CALL)),
        (event("call.answered"), Answered(CALL)),
        (event("call.machine.detection.ended", result="machine"), Answered(CALL, "machine", "machine")),
        (event("call.machine.detection.ended", result="human"), Answered(CALL, "human", "human")),
        (event("call.machine.detection.ended", result="not_sure"), Answered(CALL, None, "not_sure")),
        (
            event("call.machine.premium.detection.ended", result="human_business"),
            Answered(CALL, "human", "human_business"),
        ),
    ],
)
def test_the_notices_of_a_call(carrier: TelnyxCarrier, body: bytes, notice: Any) -> None:
    assert read(carrier, body) == [notice]


@pytest.mark.parametrize(
    ("cause", "sip", "reason"),
    [
        ("normal_clearing", "200", "customer-ended-call"),
        ("originator_cancel", "487", "customer-ended-call"),
        ("user_busy", "486", "customer-busy"),
        ("no_answer", "480", "customer-did-not-answer"),
        ("timeout", "unspecified", "customer-did-not-answer"),
        ("time_limit", "200", "exceeded-max-duration"),
        ("call_rejected", "603", "customer-busy"),
        ("call_rejected", "unspecified", "customer-busy"),
        ("call_rejected", "403", "call.in-progress.error-providerfault-outbound-sip-403-forbidden"),
        ("unspecified", "503", "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable"),
        ("unspecified", "480", "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable"),
        ("not_found", "404", "call.in-progress.error-sip-outbound-call-failed-to-connect"),
        ("a_new_one", "999", "call.in-progress.error-sip-outbound-call-failed-to-connect"),
    ],
)
def test_the_reasons_of_ended_calls(carrier: TelnyxCarrier, cause: str, sip: str, reason: str) -> None:
    body = event("call.hangup", hangup_cause=cause, hangup_source="callee", sip_hangup_cause=sip)
    [over] = read(carrier, body)
    assert isinstance(over, CallEnded)
    assert (over.carrier_call_id, over.reason) == (CALL, reason)
    assert over.detail.startswith(f"{cause} by callee")


def test_every_reason_is_one_of_vapis() -> None:
    known = set(contract.definitions()["EndedReason"]["enum"])
    tables = (reasons._BY_CAUSE, reasons._BY_SIP_CODE, reasons._BY_STATUS)
    assert {reason for table in tables for reason in table.values()} <= known


def test_other_webhooks_have_no_notices(carrier: TelnyxCarrier) -> None:
    for kind in ("streaming.started", "streaming.stopped", "call.bridged", "call.dtmf.received", "call.cost"):
        assert read(carrier, event(kind)) == []


@pytest.mark.parametrize(
    ("fields", "notices"),
    [
        ({"CallStatus": "ringing"}, [Incoming(CALL, to=OURS, caller=CUSTOMER, details={"callControlId": CALL})]),
        ({"CallStatus": "ringing", "CallbackSource": "call-progress-events"}, []),
        ({"CallStatus": "in-progress", "CallbackSource": "call-progress-events"}, []),
        (
            {"CallStatus": "completed", "HangupSource": "caller"},
            [CallEnded(CALL, "customer-ended-call", "completed by caller")],
        ),
        ({"CallStatus": "busy"}, [CallEnded(CALL, "customer-busy", "busy by unknown")]),
        ({"CallStatus": "no-answer"}, [CallEnded(CALL, "customer-did-not-answer", "no-answer by unknown")]),
    ],
)
def test_texml_webhooks_are_forms(carrier: TelnyxCarrier, fields: dict[str, str], notices: list[Any]) -> None:
    assert read(carrier, form(**fields), FORM) == notices


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"data": {"payload": {}}}', "application/json"),
        (b'{"data": {"event_type": "call.answered", "payload": {"call_control_id": 7}}}', "application/json"),
        (event("call.initiated", direction="incoming"), "application/json"),
        (b"", FORM),
        (b"\xff", FORM),
        (b"CallSid=x", FORM),
        (b"&".join([b"a=1"] * 500), FORM),
    ],
)
def test_unreadable_webhooks_raise_their_own_error(carrier: TelnyxCarrier, body: bytes, kind: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(carrier, body, kind)


def upgrade(token: str | None) -> WebhookRequest:
    headers = {} if token is None else {"x-telnyx-streaming-auth-token": token}
    return WebhookRequest("GET", "wss://us.example/media/secret", headers, b"")


def test_a_sockets_header_holds_the_token_of_its_path(carrier: TelnyxCarrier, signer: Signer) -> None:
    carrier.verify_socket(line(signer), upgrade("secret"), "secret")
    carrier.verify_socket(line(signer), upgrade(None), "secret")  # TeXML has no way to send one
    for token in ("other", "", "secre", "s\u00e9cret"):
        with pytest.raises(ForgedError):
            carrier.verify_socket(line(signer), upgrade(token), "secret")
