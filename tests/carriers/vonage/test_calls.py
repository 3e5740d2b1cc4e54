"""Vonage's peculiarities in a call, against a real server; the conformance suite has everything else."""

from pathlib import Path
from typing import Any

import anyio
import pytest
import websockets

from tests.call.harness import eventually
from tests.carriers.stage import CallSetup, on_the_phone
from tests.carriers.vonage.loopback import VonageLoopback, VonagePhone
from tests.carriers.vonage.rest import API_SECRET, NUMBER, credential
from tests.carriers.vonage.signing import API_KEY, bearer

pytestmark = pytest.mark.anyio

OTHER = "15550003333"


@pytest.fixture
def carrier() -> VonageLoopback:
    return VonageLoopback()


async def rings(setup: CallSetup, carrier: VonageLoopback) -> VonagePhone:
    await setup.answers(setup.speaker())
    phone = await carrier.rings()
    assert isinstance(phone, VonagePhone)
    await phone.until(lambda: phone.sounds() > 100)
    return phone


async def test_importing_a_number_changes_its_application(tmp_path: Path, carrier: VonageLoopback) -> None:
    async with on_the_phone(tmp_path, carrier, public_url="https://voice.example") as setup:
        voice = carrier.api.application["capabilities"]["voice"]
        base = f"https://voice.example/carrier/vonage/{setup.number['id']}"
        assert voice["webhooks"]["answer_url"]["address"] == f"{base}/voice"
        assert voice["webhooks"]["event_url"]["address"] == f"{base}/status"
        assert voice["signed_callbacks"] is True
        assert carrier.api.numbers[0]["app_id"] == carrier.api.application["id"]


async def test_the_socket_of_a_caller_who_hung_up_may_close_before_the_webhook_comes(
    tmp_path: Path, carrier: VonageLoopback
) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        phone = await rings(setup, carrier)
        await phone.socket.close()
        await anyio.sleep(0.2)
        await carrier.tell_over(phone)
        over = await setup.ended((await setup.the_call(phone))["id"])
    assert over["endedReason"] == "customer-ended-call"


async def test_a_call_is_controlled_in_the_region_of_its_webhook(tmp_path: Path, carrier: VonageLoopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        phone = await rings(setup, carrier)
        call = await setup.the_call(phone)
        await setup.control(call["id"], {"type": "end-call"})
        await phone.until(lambda: phone.ended)
        over = await setup.ended(call["id"])
    [asked] = carrier.api.of("PUT", f"/v1/calls/{phone.id}")
    assert asked.host == "api-eu-4.vonage.com"
    assert over["transport"]["callUUID"] == phone.id
    assert over["transport"]["conversationUUID"] == f"CON-{phone.id}"
    assert phone.lost == 0


async def test_the_numbers_of_an_application_share_its_address(tmp_path: Path, carrier: VonageLoopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        carrier.api.numbers.append({"country": "US", "msisdn": OTHER})
        body = {key: setup.number[key] for key in ("provider", "credentialId")}
        made = await setup.client.post("/phone-number", json={**body, "number": OTHER})
        assert made.json()["status"] == "active"
        carrier.number_id = made.json()["id"]  # the application's address is that of the number imported last
        phone = await rings(setup, carrier)
        call = await setup.the_call(phone)
        assert call["phoneNumberId"] == setup.number["id"]
        await phone.hang_up()
        assert (await setup.ended(call["id"]))["endedReason"] == "customer-ended-call"


async def test_the_environment_completes_vapis_credential(tmp_path: Path, carrier: VonageLoopback) -> None:
    whole = credential()
    environment = {
        "vonage_api_key": API_KEY,
        "vonage_application_id": whole["vonageApplicationId"],
        "vonage_private_key": whole["vonageApplicationPrivateKey"],
        "vonage_signature_secret": whole["signatureSecret"],
    }
    async with on_the_phone(tmp_path, carrier, **environment) as setup:
        vapis = {"provider": "vonage", "apiKey": API_KEY, "apiSecret": API_SECRET}
        made = await setup.client.post("/credential", json=vapis)
        await setup.keep(credentialId=made.json()["id"])
        phone = await rings(setup, carrier)
        await phone.hang_up()
        await setup.ended((await setup.the_call(phone))["id"])


async def test_vonage_reports_a_machine_and_a_message_is_left_at_its_beep(
    tmp_path: Path, carrier: VonageLoopback
) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        detection: dict[str, Any] = {"provider": "twilio", "enabled": True}
        call = await setup.call(setup.assistant(voicemailDetection=detection, voicemailMessage="Call me back."))
        phone = await carrier.next_placed()
        assert carrier.requests[phone.id]["advanced_machine_detection"]["mode"] == "detect_beep"
        await carrier.answered(phone)
        await setup.live(call["id"])
        await carrier.tell_machine(phone, "machine")
        await anyio.sleep(0.3)
        assert phone.sounds() == 0, "its greeting is not over"
        await carrier.tell_machine(phone, "machine", sub_state="beep_start")
        over = await setup.ended(call["id"])
        assert phone.sounds() > 300
    assert over["endedReason"] == "voicemail"


async def test_vonages_refusals_are_quoted(tmp_path: Path, carrier: VonageLoopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        carrier.api.refuses["/v1/calls"] = (402, {"title": "Low balance", "detail": API_SECRET})
        call = await setup.call(setup.speaker())
        over = await setup.ended(call["id"])
        assert over["endedReason"] == "vonage-failed-to-connect-call"
        assert over["endedMessage"] == "Vonage refused it with status 402 (Low balance)."


async def test_events_of_other_legs_do_not_end_the_call(tmp_path: Path, carrier: VonageLoopback) -> None:
    """The media socket's leg tells of itself, and so does the leg of one to whom somebody was transferred."""
    async with on_the_phone(tmp_path, carrier) as setup:
        phone = await rings(setup, carrier)
        await carrier._media_event(phone, "completed")
        await carrier._event(phone, "completed", uuid="ffffffff-0000-0000-0000-000000000000")
        heard = phone.sounds()
        await phone.until(lambda: phone.sounds() > heard + 200)
        call = await setup.the_call(phone)
        assert call["status"] == "in-progress"
        await phone.hang_up()
        await setup.ended(call["id"])


async def test_the_called_number_is_found_without_its_plus(tmp_path: Path, carrier: VonageLoopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        assert setup.number["number"] == f"+{NUMBER}"
        phone = await rings(setup, carrier)
        assert (await setup.the_call(phone))["phoneNumberId"] == setup.number["id"]
        await phone.hang_up()
        await eventually(setup.calls, lambda calls: calls[0]["status"] == "ended")


async def test_an_unsigned_media_socket_is_refused_and_the_signed_one_connects(
    tmp_path: Path, carrier: VonageLoopback
) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.speaker())
        phone = carrier.new_call()
        answer = await carrier.send(carrier.incoming(phone))
        [action] = answer.json()
        [endpoint] = action["endpoint"]
        for headers in ({}, bearer(None, "another-secret-of-some-length-0815"), bearer(None, iat=1)):
            with pytest.raises(websockets.InvalidStatus, match="403"):
                await websockets.connect(endpoint["uri"], additional_headers=headers)
        await setup.refused("forged", 3)
        await carrier.follow(phone, answer)
        await phone.until(lambda: phone.sounds() > 100)
        await phone.hang_up()
        await setup.ended((await setup.the_call(phone))["id"])
