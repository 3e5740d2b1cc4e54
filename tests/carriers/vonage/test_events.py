"""The meaning of Vonage's webhooks, and the `endedReason` that they give a call."""

import json
from typing import Any

import pytest

from bargein.carriers.interface import Answered, CallEnded, Incoming, Ringing, WebhookRequest
from bargein.carriers.vonage.carrier import VonageCarrier
from bargein.clock import LoopClock
from bargein.wire import contract
from tests.carriers.vonage.signing import request

LEG = {"from": "15550001111", "to": "15551234567", "uuid": "u-1", "conversation_uuid": "CON-1"}


def posted(**said: Any) -> WebhookRequest:
    return request(json.dumps(said).encode(), {})


def read(**said: Any) -> list[Any]:
    return list(VonageCarrier(LoopClock()).read(posted(**said)))


def test_an_incoming_call() -> None:
    said = {**LEG, "endpoint_type": "phone", "region_url": "https://api-us-3.vonage.com", "SipHeader_X-UserId": "19"}
    assert read(**said) == [
        Incoming(
            carrier_call_id="u-1",
            to="+15551234567",
            caller="+15550001111",
            sip_headers={"X-UserId": "19"},
            details={"callUUID": "u-1", "conversationUUID": "CON-1"},
        )
    ]


def test_callers_without_a_number() -> None:
    assert read(**{**LEG, "from": "sip:ada@example.com"})[0].caller == "sip:ada@example.com"
    user = read(**{**LEG, "from": None, "from_user": "ada"})[0]
    assert (user.caller, user.caller_name) == ("", "ada")
    for hidden in ("", "anonymous", "Restricted"):
        assert read(**{**LEG, "from": hidden})[0].caller == ""


def test_the_progress_of_a_placed_call() -> None:
    assert read(**LEG, status="started", direction="outbound") == []
    assert read(**LEG, status="ringing", direction="outbound") == [Ringing("u-1")]
    assert read(**LEG, status="answered", direction="outbound") == [Answered("u-1")]
    machine = {name: value for name, value in LEG.items() if name != "uuid"} | {"call_uuid": "u-1"}
    assert read(**machine, status="human") == [Answered("u-1", "human", "human")]
    for state, word in ((None, "start"), ("beep_start", "end_beep"), ("beep_timeout", "end_silence")):
        assert read(**machine, status="machine", sub_state=state) == [Answered("u-1", "machine", f"machine_{word}")]


def test_an_inbound_call_is_not_answered_by_its_caller() -> None:
    for status in ("started", "ringing", "answered"):
        assert read(**LEG, status=status, direction="inbound") == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"status": "busy"}, "customer-busy"),
        ({"status": "unanswered"}, "customer-did-not-answer"),
        ({"status": "timeout"}, "customer-did-not-answer"),
        ({"status": "cancelled"}, "customer-did-not-answer"),
        ({"status": "cancelled", "direction": "inbound"}, "customer-ended-call"),
        ({"status": "rejected"}, "vonage-rejected"),
        ({"status": "failed"}, "vonage-failed-to-connect-call"),
        ({"status": "completed", "disconnected_by": "user"}, "customer-ended-call"),
        ({"status": "completed"}, "customer-ended-call"),
        ({"status": "completed", "disconnected_by": "platform"}, "vonage-completed"),
    ],
)
def test_an_end_has_one_of_vapis_reasons(said: dict[str, Any], reason: str) -> None:
    assert reason in contract.definitions()["EndedReason"]["enum"]
    [over] = read(**{**LEG, "direction": "outbound", **said})
    assert over == CallEnded("u-1", reason, said["status"])


def test_the_carriers_own_words_are_kept_in_the_record() -> None:
    [over] = read(**LEG, status="failed", direction="outbound", detail="cannot_route")
    assert over.detail == "failed: cannot_route"


def test_the_legs_of_the_media_socket_end_no_call() -> None:
    media = LEG | {"to": "wss://voice.example/media/t", "uuid": "u-2"}
    for status in ("started", "answered", "disconnected", "failed", "unanswered", "completed"):
        assert read(**media, status=status, direction="outbound") == []
    assert read(**LEG, endpoint_type="websocket", status="completed") == []


def test_other_events_are_ignored() -> None:
    assert read(reason="Syntax error in NCCO. Invalid value type or action.", conversation_uuid="CON-1") == []
    assert read(type="transfer", conversation_uuid_from="CON-1", conversation_uuid_to="CON-2", uuid="u-1") == []
    assert read(status="completed") == []
    assert read(**LEG, status="dreaming") == []


@pytest.mark.parametrize("body", [b"", b"{oops", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_unreadable_webhooks_are_errors(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|nested|Expecting|decode"):
        VonageCarrier(LoopClock()).read(request(body, {}))


def test_a_calls_region_is_remembered_if_it_is_vonages() -> None:
    carrier = VonageCarrier(LoopClock())
    carrier.read(posted(**LEG, region_url="https://api-us-3.vonage.com"))
    for url in ("https://evil.example", "https://vonage.com.evil.example", "http://[", "", 7):
        carrier.read(posted(**{**LEG, "uuid": "u-9"}, region_url=url))
    assert dict(carrier._regions) == {"u-1": "api-us-3.vonage.com"}
