"""Twilio's words: forms, signatures, TwiML, accounts."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from bargein.carriers.interface import (
    Answered,
    CallEnded,
    ForgedError,
    FrameError,
    Heard,
    Incoming,
    PhoneLine,
    Ringing,
    Stopped,
    WebhookRequest,
)
from bargein.carriers.twilio import twiml
from bargein.carriers.twilio.carrier import TwilioCarrier, _account
from bargein.carriers.twilio.codec import TwilioCodec
from bargein.ports import CarrierError
from tests.carriers.twilio.loopback import ACCOUNT, NUMBER, TOKEN

URL = "https://voice.example/carrier/twilio/n1/status"
OWN = {"provider": "twilio", "number": NUMBER, "twilioAccountSid": ACCOUNT, "twilioAuthToken": TOKEN}


def request(token: str | None = TOKEN, url: str = URL, **fields: str) -> WebhookRequest:
    signed = {} if token is None else {"x-twilio-signature": RequestValidator(token).compute_signature(url, fields)}
    return WebhookRequest("POST", url, signed, urlencode(fields).encode())


def read(**fields: str) -> Any:
    (notice,) = TwilioCarrier().read(request(CallSid="CA1", **fields))
    return notice


def test_the_notices_of_each_status() -> None:
    out = {"Direction": "outbound-api"}
    assert TwilioCarrier().read(request(CallSid="CA1", CallStatus="initiated", **out)) == ()
    assert read(CallStatus="ringing", **out) == Ringing("CA1")
    assert read(CallStatus="in-progress", **out) == Answered("CA1")
    assert read(CallStatus="completed", **out) == CallEnded("CA1", "customer-ended-call", "completed")
    assert read(CallStatus="busy", SipResponseCode="486", **out) == CallEnded("CA1", "customer-busy", "busy, SIP 486")
    assert read(CallStatus="no-answer", **out).reason == "customer-did-not-answer"
    assert read(CallStatus="failed", **out).reason == "twilio-failed-to-connect-call"
    assert read(CallStatus="failed", SipResponseCode="404", **out).reason == "twilio-reported-customer-misdialed"
    assert read(AnsweredBy="human") == Answered("CA1", "human", "human")
    assert read(AnsweredBy="machine_end_beep") == Answered("CA1", "machine", "machine_end_beep")
    assert read(AnsweredBy="unknown") == Answered("CA1", None, "unknown")
    incoming = read(CallStatus="ringing", Direction="inbound", From="+1", To=NUMBER, CallToken="t")
    assert incoming == Incoming("CA1", NUMBER, "+1", None, {}, {"callSid": "CA1", "callToken": "t"})


@pytest.mark.parametrize(
    "fields", [{}, {"CallSid": "CA1"}, {"CallSid": "CA1", "CallStatus": "dancing"}, {"CallSid": "x" * 99}]
)
def test_a_form_without_a_call_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="there is no Call"):
        TwilioCarrier().read(request(**fields))


def test_only_requests_signed_with_the_accounts_token_are_accepted() -> None:
    carrier, phone_line = TwilioCarrier(), PhoneLine(OWN)
    carrier.verify(phone_line, request(CallSid="CA1"))
    for wrong in (
        request(None, CallSid="CA1"),
        request("other token", CallSid="CA1"),
        WebhookRequest("POST", URL + "?x=1", request(CallSid="CA1").headers, b"CallSid=CA1"),
        WebhookRequest("POST", URL, request(CallSid="CA1").headers, b"CallSid=CA2"),
        WebhookRequest("POST", URL, request(CallSid="CA1").headers, b"CallSid=CA1&CallSid=CA2"),
    ):
        with pytest.raises(ForgedError) as caught:
            carrier.verify(phone_line, wrong)
        assert TOKEN not in str(caught.value)
    with pytest.raises(ForgedError, match="TWILIO_AUTH_TOKEN"):
        carrier.verify(PhoneLine({k: v for k, v in OWN.items() if k != "twilioAuthToken"}), request(CallSid="CA1"))


def test_a_sockets_upgrade_is_signed_too() -> None:
    carrier, phone_line, url = TwilioCarrier(), PhoneLine(OWN), "wss://voice.example/carrier/twilio/n1/media/c1/t1"
    good = {"x-twilio-signature": RequestValidator(TOKEN).compute_signature(url, {})}
    carrier.verify_socket(phone_line, WebhookRequest("GET", url, good, b""), "t1")
    for wrong in (WebhookRequest("GET", url, {}, b""), WebhookRequest("GET", url + "x", good, b"")):
        with pytest.raises(ForgedError):
            carrier.verify_socket(phone_line, wrong, "t1")


def test_the_account_of_a_number() -> None:
    credential = {"accountSid": ACCOUNT, "authToken": "theirs"}
    bare = {"number": NUMBER, "twilioAccountSid": ACCOUNT}
    assert _account(PhoneLine(OWN, credential)).auth_token == TOKEN
    assert _account(PhoneLine(bare, credential)).auth_token == "theirs"
    assert _account(PhoneLine(bare, {**credential, "accountSid": "AC" + "2" * 32})).auth_token is None
    keyed = _account(PhoneLine({**bare, "twilioApiKey": "SK1", "twilioApiSecret": "s"}))
    assert (keyed.auth_token, keyed.key) == (None, ("SK1", "s"))
    with pytest.raises(ForgedError, match="names no account"):
        _account(PhoneLine({}))


def test_the_destinations_of_forwarding() -> None:
    number = twiml.forwarded({"type": "number", "number": "+15550002222", "extension": "7", "callerId": "+1555"})
    assert (
        '<Dial answerOnBridge="true" callerId="+1555"><Number sendDigits="ww7">+15550002222</Number></Dial>' in number
    )
    sip = twiml.forwarded({"type": "sip", "sipUri": "sip:a@b", "sipHeaders": {"X-A": "1&2", "Via": "no"}})
    assert "<Sip>sip:a@b?X-A=1%262</Sip>" in sip
    spoken = twiml.forwarded({"type": "number", "number": "+1555", "message": "One <moment>."})
    assert "<Say>One &lt;moment&gt;.</Say>" in spoken
    with pytest.raises(CarrierError):
        twiml.forwarded({"type": "assistant"})
    assert '<Stream url="wss://x/y" />' in twiml.streamed("wss://x/y")


@pytest.mark.parametrize(
    "frame", ["", "1", '{"event": 3}', '{"event": "media"}', '{"event": "media", "media": {}}', "[" * 10_000]
)
def test_an_unreadable_frame(frame: str) -> None:
    with pytest.raises(FrameError):
        TwilioCodec().read(frame)


def test_the_count_of_chunks_may_restart_but_not_go_back() -> None:
    codec = TwilioCodec()

    def media(chunk: int) -> Any:
        return codec.read(
            f'{{"event": "media", "media": {{"track": "inbound", "chunk": "{chunk}", "payload": "/w=="}}}}'
        )

    assert media(5)
    assert media(6)
    for late in (6, 5, 3):
        with pytest.raises(FrameError, match="duplicate"):
            media(late)
    for first in (5000, 1):
        with pytest.raises(FrameError, match="far from"):
            media(first)
        assert media(first + 1), "another count"
    assert codec.read('{"event": "media", "media": {"track": "outbound", "payload": "/w=="}}') == ()


def test_chunks_that_come_in_another_order_are_heard_in_theirs() -> None:
    codec = TwilioCodec()

    def media(chunk: int) -> list[int]:
        payload = base64.b64encode(bytes([chunk])).decode()
        frame = {"event": "media", "media": {"track": "inbound", "chunk": str(chunk), "payload": payload}}
        return [event.audio[0] for event in codec.read(json.dumps(frame)) if isinstance(event, Heard)]

    assert [media(chunk) for chunk in (1, 3, 2, 4, 7, 6, 5)] == [[1], [], [2, 3], [4], [], [], [5, 6, 7]]
    assert media(9) == []
    assert codec.read('{"event": "stop"}') == (Heard(bytes([9])), Stopped())
