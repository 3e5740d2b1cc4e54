"""`POST /call` with a phone number: what can be called, and when."""

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from bargein.clock import LoopClock, iso_from_epoch_ms
from tests.call.harness import eventually, running
from tests.carriers.loopback import CALLER
from tests.carriers.stage import CallSetup, on_the_phone
from tests.carriers.twilio.loopback import ACCOUNT, NUMBER, TOKEN, TwilioLoopback

pytestmark = pytest.mark.anyio

INLINE = {"twilioPhoneNumber": NUMBER, "twilioAccountSid": ACCOUNT, "twilioAuthToken": TOKEN}
BAD = [
    ({"customer": {"number": "12345"}}, "E.164"),
    ({"customer": {"number": "+1555123"}}, "E.164"),
    ({"customer": {"number": "+999155512345"}}, "E.164"),
    ({"customer": {"number": "+1 (555) 123-4567"}}, "E.164"),
    ({"customer": {"name": "Ada"}}, "customer must have a number or a sipUri"),
    ({"customer": {"sipUri": "ada@example.com"}}, "customer.sipUri must begin with sip:"),
    ({}, "customer should not be null"),
    ({"customer": {"number": CALLER}, "phoneNumber": INLINE}, "must not be given together"),
    ({"customer": {"number": CALLER}, "transport": {"provider": "telnyx"}}, "transport.provider must be twilio"),
    ({"customer": {"number": CALLER}, "customers": [{"number": CALLER}]}, "must not be given together"),
]


async def asked(setup: CallSetup, **body: Any) -> httpx.Response:
    given = {"assistant": setup.speaker(), "phoneNumberId": setup.number["id"], **body}
    return await setup.client.post("/call", json=given)


async def test_destinations_that_cannot_be_called_are_refused(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        for body, finding in BAD:
            answer = await asked(setup, **body)
            assert answer.status_code == 400, body
            assert finding in str(answer.json()["message"]), body
        assert await setup.calls() == []
        answer = await asked(setup, customerId="c")
        assert answer.status_code == 501
    assert not carrier.placed


async def test_a_number_that_is_not_e164_can_be_called_without_the_check(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        answer = await asked(setup, customer={"number": "1001", "numberE164CheckEnabled": False, "extension": "42#"})
        assert answer.status_code == 201, answer.text
        phone = await carrier.next_placed()
    options = carrier.options[phone.id]
    assert (options["To"], options["From"], options["SendDigits"]) == ("1001", NUMBER, "ww42#")


async def test_a_sip_address_is_called_with_its_transports_ring_time(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        given = setup.speaker(
            transportConfigurations=[{"provider": "twilio", "timeout": 15}],
            voicemailDetection={"provider": "twilio", "machineDetectionTimeout": 7},
        )
        call = await setup.call(given, customer={"sipUri": "sip:ada@example.com"})
        phone = await carrier.next_placed()
    options = carrier.options[phone.id]
    assert (options["To"], options["Timeout"]) == ("sip:ada@example.com", "15")
    assert (options["MachineDetection"], options["MachineDetectionTimeout"]) == ("DetectMessageEnd", "7")
    assert call["phoneCallTransport"] == "sip"


@pytest.mark.parametrize(
    ("configuration", "more", "asked_for"),
    [
        ({"record": True, "recordingChannels": "dual"}, {}, ("true", "dual")),
        ({"record": True}, {}, ("true", "mono")),
        ({"record": False, "recordingChannels": "dual"}, {}, (None, None)),
        ({"record": True}, {"compliancePlan": {"hipaaEnabled": True}}, (None, None)),
    ],
)
async def test_the_carrier_records_where_the_assistant_asks_for_it(
    tmp_path: Path, configuration: dict[str, Any], more: dict[str, Any], asked_for: tuple[str | None, str | None]
) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        given = setup.speaker(transportConfigurations=[{"provider": "twilio", **configuration}], **more)
        await setup.call(given)
        phone = await carrier.next_placed()
    options = carrier.options[phone.id]
    record = options.get("Record")
    assert (record and record.lower(), options.get("RecordingChannels")) == asked_for


async def test_an_inline_number_is_used_and_its_secret_is_not_returned(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        body = {"assistant": setup.speaker(), "phoneNumber": INLINE, "customer": {"number": CALLER}}
        made = await setup.client.post("/call", json=body)
        assert made.status_code == 201, made.text
        phone = await carrier.next_placed()
        await carrier.answered(phone)
        await phone.until(lambda: phone.sounds() > 100)
        async with setup.listening(made.json()["id"]) as listener:
            await phone.hang_up()
            (told,) = await listener.until(lambda: listener.of("status-update", status="ended"))
        over = await setup.ended(made.json()["id"])
        listed = await setup.calls()
    assert told["phoneNumber"]["number"] == NUMBER
    assert told["phoneNumber"]["provider"] == "twilio"
    assert over["endedReason"] == "customer-ended-call"
    assert TOKEN not in repr((made.text, told, over, listed))


async def test_a_batch_calls_each_of_its_customers(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        answer = await asked(
            setup, customers=[{"number": "+15551230001"}, {"number": "no"}, {"number": "+15551230002"}]
        )
        assert answer.status_code in (201, 400), answer.text
        if answer.status_code == 400:  # the whole body is held to Vapi's own type
            answer = await asked(setup, customers=[{"number": "+15551230001"}, {"number": "+15551230002"}])
        assert len(answer.json()["results"]) == 2
        to = {carrier.options[(await carrier.next_placed()).id]["To"] for _ in range(2)}
    assert to == {"+15551230001", "+15551230002"}


async def test_a_scheduled_call_is_placed_when_its_time_has_come(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        at = iso_from_epoch_ms(LoopClock().epoch_ms() + 1500)
        answer = await asked(setup, customer={"number": CALLER}, schedulePlan={"earliestAt": at})
        assert answer.json()["status"] == "scheduled"
        assert not carrier.placed
        phone = await carrier.next_placed()
        named = await eventually(setup.calls, lambda calls: calls[0].get("phoneCallProviderId") == phone.id)
        assert named[0]["status"] == "queued"


async def test_stopping_the_server_hangs_up_ringing_calls(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.call(setup.speaker())
        phone = await carrier.next_placed()
        await carrier.tell_ringing(phone)
        await setup.server.stop()
        assert phone.ended


async def test_a_carrier_whose_extra_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bargein.server.telephony.carriers.find_spec", lambda _: None)
    async with running(tmp_path) as server, httpx.AsyncClient(base_url=server.url) as client:
        body = {"provider": "twilio", "number": NUMBER, "twilioAccountSid": ACCOUNT}
        number = (await client.post("/phone-number", json=body)).json()
        call = {"assistant": {}, "phoneNumberId": number["id"], "customer": {"number": CALLER}}
        answer = await client.post("/call", json=call)
        assert answer.status_code == 501
        assert "pip install 'bargein[twilio]'" in answer.json()["message"]
        await anyio.lowlevel.checkpoint()
