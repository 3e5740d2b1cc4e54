"""Calls over Telnyx are placed and steered, and numbers imported, by its own SDK, against its API on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import anyio
import httpx
import pytest

from bargein.carriers.interface import Addresses, Dial, Incoming, PhoneLine, Placed, WebhookRequest
from bargein.carriers.telnyx import client
from bargein.carriers.telnyx.carrier import TelnyxCarrier
from bargein.clock import LoopClock
from bargein.ports import CarrierError
from tests.call.harness import eventually, serving
from tests.carriers.telnyx.rest import ACCOUNT, API_KEY, Api, Cloud, Reply, application, error, number
from tests.carriers.telnyx.wire import CALL, CUSTOMER, FORM, OURS, form
from tests.webhooks.receiver import NEVER

pytestmark = pytest.mark.anyio

LINE = PhoneLine({"id": "number-1", "number": OURS}, {"provider": "telnyx", "apiKey": API_KEY})
ADDRESSES = Addresses(
    "https://us.example/voice", "https://us.example/status", "wss://us.example/media/secret", "secret"
)
OF_A_NUMBER = Addresses("https://us.example/voice", "https://us.example/status")
STREAMING = {
    "stream_url": ADDRESSES.media,
    "stream_track": "inbound_track",
    "stream_codec": "L16",
    "stream_bidirectional_mode": "rtp",
    "stream_bidirectional_codec": "L16",
    "stream_bidirectional_sampling_rate": 16_000,
    "stream_bidirectional_target_legs": "self",
    "stream_auth_token": "secret",
    "send_silence_when_idle": True,
}
TOLD = {"webhook_url": ADDRESSES.status, "webhook_url_method": "POST"}


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    async with Cloud(Api(calls={CALL})) as running:
        yield running


@pytest.fixture
async def telnyx(cloud: Cloud) -> AsyncIterator[TelnyxCarrier]:
    made = TelnyxCarrier(LoopClock(), cloud.url)
    yield made
    await made.close()


async def texml(telnyx: TelnyxCarrier) -> Incoming:
    """A call that came by TeXML."""
    body = form(CallStatus="ringing", AccountSid=ACCOUNT)
    [incoming] = telnyx.read(WebhookRequest("POST", ADDRESSES.voice, {"content-type": FORM}, body))
    assert isinstance(incoming, Incoming)
    return incoming


async def test_a_call_is_placed(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    placed = await telnyx.place(LINE, Dial("call-1", {"number": CUSTOMER}, ADDRESSES, ring_s=40))
    [call_id] = cloud.api.calls - {CALL}
    assert placed == Placed(call_id, {"callControlId": call_id, "callLegId": "leg", "callSessionId": "session"})
    assert cloud.api.of("POST", "/calls") == [
        {
            "connection_id": "app1",
            "to": CUSTOMER,
            "from": OURS,
            "timeout_secs": 40,
            "command_id": "call-1",
            **STREAMING,
            **TOLD,
        }
    ]


async def test_a_customer_may_be_a_sip_address_or_have_an_extension(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    headers = {"X-Mine": "1", "user-to-user": "abc"}
    sip = Dial("a", {"sipUri": "sip:ada@pbx.example"}, ADDRESSES, detect_machine=True, sip_headers=headers)
    await telnyx.place(LINE, sip)
    await telnyx.place(LINE, Dial("b", {"number": CUSTOMER, "extension": "42#"}, ADDRESSES))
    first, second = cloud.api.of("POST", "/calls")
    assert (first["to"], first["answering_machine_detection"]) == ("sip:ada@pbx.example", "detect")
    assert first["custom_headers"] == [{"name": "X-Mine", "value": "1"}]
    assert first["sip_headers"] == [{"name": "User-to-User", "value": "abc"}]
    assert second["send_digits_on_answer"] == "42#"
    assert len(cloud.api.of("GET", "/phone_numbers")) == 1  # whose application it is, is asked once


async def test_a_call_is_never_placed_twice(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    cloud.refuses["/calls"] = error(500, "10007", "Unexpected error")
    with pytest.raises(CarrierError, match=r"Telnyx refused it \(500, Unexpected error"):
        await telnyx.place(LINE, Dial("call-1", {"number": CUSTOMER}, ADDRESSES))
    assert len(cloud.api.of("POST", "/calls")) == 1


async def test_a_number_for_incoming_calls_only_is_reported(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    cloud.api.numbers = [number("n1", OURS, None)]
    with pytest.raises(CarrierError, match="no Call Control application"):
        await telnyx.place(LINE, Dial("call-1", {"number": CUSTOMER}, ADDRESSES))


async def test_an_incoming_call_is_answered(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    answer = await telnyx.answer(LINE, CALL, ADDRESSES)
    assert answer == telnyx.acknowledge()
    [said] = cloud.api.of("POST", f"/calls/{CALL}/actions/answer")
    assert said.pop("command_id")
    assert said == {**STREAMING, **TOLD}


async def test_texml_is_answered_with_a_stream(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    incoming = await texml(telnyx)
    answer = await telnyx.answer(LINE, incoming.carrier_call_id, ADDRESSES)
    assert (answer.content_type, answer.status, cloud.api.asked) == ("application/xml", 200, [])
    stream = fromstring(answer.body).find("./Connect/Stream")  # noqa: S314  # our own
    assert stream is not None
    assert stream.attrib == {
        "url": ADDRESSES.media,
        "track": "inbound_track",
        "codec": "L16",
        "bidirectionalMode": "rtp",
        "bidirectionalCodec": "L16",
        "bidirectionalSamplingRate": "16000",
        "enableReconnect": "false",
    }


INCOMING = Incoming(CALL, OURS, CUSTOMER)


async def test_a_rejected_call(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    assert await telnyx.refuse(LINE, INCOMING, None) == telnyx.acknowledge()
    assert cloud.api.of("POST", "/actions/reject") == [{"cause": "CALL_REJECTED"}]
    incoming = await texml(telnyx)
    assert "<Reject" in (await telnyx.refuse(LINE, incoming, None)).body


async def test_a_rejected_call_is_forwarded(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    destination = {"type": "number", "number": "+15559990000", "extension": "7"}
    await telnyx.refuse(LINE, INCOMING, destination)
    assert cloud.api.of("POST", "/actions/transfer") == [
        {"to": "+15559990000", "from": OURS, "send_digits_on_answer": "7"}
    ]
    incoming = await texml(telnyx)
    dial = fromstring((await telnyx.refuse(LINE, incoming, destination)).body).find("Dial")  # noqa: S314  # our own
    assert dial is not None
    assert (dial.get("callerId"), dial.findtext("Number")) == (OURS, "+15559990000")
    assert dial.find("Number").get("sendDigits") == "7"  # type: ignore[union-attr]


async def test_hanging_up(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    await telnyx.hang_up(LINE, CALL)
    await texml(telnyx)
    await telnyx.hang_up(LINE, CALL)
    assert [one.path for one in cloud.api.asked] == [
        f"/v2/calls/{CALL}/actions/hangup",
        f"/v2/texml/Accounts/{ACCOUNT}/Calls/{CALL}",
    ]
    assert cloud.api.asked[-1].body == {"Status": "completed"}


@pytest.mark.parametrize("answer", [error(422, "90018", "Call has already ended"), error(404, "10005", "Not found")])
async def test_hanging_up_an_ended_call_is_no_error(cloud: Cloud, telnyx: TelnyxCarrier, answer: Reply) -> None:
    cloud.refuses["/hangup"] = answer
    await telnyx.hang_up(LINE, CALL)
    assert len(cloud.api.asked) == 1


async def test_keys_are_sent(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    await telnyx.send_dtmf(LINE, CALL, "12w#")
    assert cloud.api.of("POST", "/actions/send_dtmf") == [{"digits": "12w#"}]
    await texml(telnyx)
    with pytest.raises(CarrierError, match="TeXML"):
        await telnyx.send_dtmf(LINE, CALL, "1")


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ({"type": "number", "number": "+15559990000"}, {"to": "+15559990000", "from": OURS}),
        (
            {"type": "number", "number": "+15559990000", "callerId": CUSTOMER, "transferPlan": {"dialTimeout": 20}},
            {"to": "+15559990000", "from": CUSTOMER, "timeout_secs": 20},
        ),
        (
            {"type": "sip", "sipUri": "sip:bob@pbx.example", "sipHeaders": {"X-A": "1"}},
            {"to": "sip:bob@pbx.example", "from": OURS, "custom_headers": [{"name": "X-A", "value": "1"}]},
        ),
    ],
)
async def test_a_caller_is_transferred(
    cloud: Cloud, telnyx: TelnyxCarrier, destination: dict[str, Any], said: dict[str, Any]
) -> None:
    await telnyx.transfer(LINE, CALL, destination, ADDRESSES)
    assert cloud.api.of("POST", "/actions/transfer") == [{**said, **TOLD}]
    assert cloud.api.of("POST", "/actions/streaming_stop") == [{}]  # the stream would go on with the leg


async def test_a_caller_is_transferred_even_if_the_stream_cannot_be_stopped(
    cloud: Cloud, telnyx: TelnyxCarrier
) -> None:
    cloud.refuses["/streaming_stop"] = error(422, "90000", "No stream")
    await telnyx.transfer(LINE, CALL, {"type": "number", "number": "+15559990000"}, ADDRESSES)


async def test_a_texml_caller_is_transferred_by_texml(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    await texml(telnyx)
    await telnyx.transfer(LINE, CALL, {"type": "sip", "sipUri": "sip:bob@pbx.example"}, ADDRESSES)
    [said] = cloud.api.of("POST", f"/Calls/{CALL}")
    assert fromstring(said["Texml"]).findtext("./Dial/Sip") == "sip:bob@pbx.example"  # noqa: S314  # our own


async def test_a_failed_transfer_is_reported(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    cloud.refuses["/transfer"] = error(422, "10016", "Invalid destination", "to must be a number")
    with pytest.raises(CarrierError, match=r"\(422, Invalid destination to must be a number\)"):
        await telnyx.transfer(LINE, CALL, {"type": "number", "number": "+15559990000"}, ADDRESSES)


# What goes wrong.


@pytest.mark.parametrize("credential", [None, {}, {"apiKey": 7}, {"apiKey": ""}])
async def test_without_a_key_nothing_is_requested(
    cloud: Cloud, telnyx: TelnyxCarrier, credential: dict[str, Any] | None
) -> None:
    with pytest.raises(CarrierError, match="apiKey"):
        await telnyx.hang_up(PhoneLine(LINE.number, credential), CALL)
    assert cloud.api.asked == []


async def test_no_error_holds_the_key(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    with pytest.raises(CarrierError) as refused:
        await telnyx.hang_up(PhoneLine(LINE.number, {"apiKey": "a-wrong-key-4711"}), CALL)
    assert "a-wrong-key-4711" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_an_api_that_is_not_there() -> None:
    telnyx = TelnyxCarrier(LoopClock(), "http://127.0.0.1:9/v2")
    with pytest.raises(CarrierError, match="cannot be reached"):
        await telnyx.place(LINE, Dial("call-1", {"number": CUSTOMER}, ADDRESSES))
    await telnyx.close()


async def test_an_api_that_does_not_answer(
    cloud: Cloud, telnyx: TelnyxCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LONGEST_S", 0.2)
    cloud.refuses["/hangup"] = NEVER
    with anyio.fail_after(5), pytest.raises(CarrierError, match="in time"):
        await telnyx.hang_up(LINE, CALL)


async def test_an_unreadable_response(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    cloud.refuses["/calls"] = (200, {"magic": True})
    with pytest.raises(CarrierError, match="no id"):
        await telnyx.place(LINE, Dial("call-1", {"number": CUSTOMER}, ADDRESSES))


# Importing a number.


async def test_the_application_of_one_number_is_pointed_here(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    await telnyx.configure_webhooks(LINE, OF_A_NUMBER)
    found = cloud.api.call_control["app1"]
    assert (found["webhook_event_url"], found["application_name"]) == (ADDRESSES.voice, "Mine")
    assert found["outbound"]["outbound_voice_profile_id"] == "p1"  # it had none, and could not have placed calls
    assert (list(cloud.api.call_control), cloud.api.of("PATCH", "/phone_numbers/n1")) == (["app1"], [])


async def test_a_shared_application_is_left_unchanged(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    cloud.api.numbers.append(number("n2", "+15550002222", "app1"))
    cloud.api.call_control = {"app1": application("app1", "Shared", "p7")}
    for _ in range(2):  # to import it again makes no further application
        await telnyx.configure_webhooks(LINE, OF_A_NUMBER)
    assert cloud.api.call_control["app1"] == application("app1", "Shared", "p7")
    assert cloud.api.call_control["app2"] == {
        "id": "app2",
        "application_name": f"bargein {OURS}",
        "webhook_event_url": ADDRESSES.voice,
        "webhook_api_version": "2",
        "active": True,
        "outbound": {"outbound_voice_profile_id": "p7"},
    }
    assert [one["connection_id"] for one in cloud.api.numbers] == ["app2", "app1"]
    assert len(cloud.api.call_control) == 2
    await telnyx.place(LINE, Dial("call-1", {"number": CUSTOMER}, ADDRESSES))
    assert cloud.api.of("POST", "/calls")[0]["connection_id"] == "app2"


@pytest.mark.parametrize("held_by", [None, "a-sip-trunk"])
async def test_a_number_of_no_application_gets_one(cloud: Cloud, telnyx: TelnyxCarrier, held_by: str | None) -> None:
    cloud.api.numbers, cloud.api.call_control, cloud.api.profiles = [number("n1", OURS, held_by)], {}, []
    await telnyx.configure_webhooks(LINE, OF_A_NUMBER)
    assert cloud.api.numbers[0]["connection_id"] == "app1"
    assert cloud.api.call_control["app1"]["outbound"] == {}


async def test_a_texml_application_is_pointed_at_this_server(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    cloud.api.call_control, cloud.api.texml = {}, {"app1": {"id": "app1", "friendly_name": "My TeXML"}}
    await telnyx.configure_webhooks(LINE, OF_A_NUMBER)
    assert cloud.api.texml["app1"] == {
        "id": "app1",
        "friendly_name": "My TeXML",
        "active": True,
        "voice_url": ADDRESSES.voice,
        "voice_method": "post",
        "status_callback": ADDRESSES.status,
        "status_callback_method": "post",
    }
    assert cloud.api.call_control == {}


async def test_only_the_exact_number_is_found(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    cloud.api.numbers = [number("n1", f"{OURS}99", "app1")]
    with pytest.raises(CarrierError, match="has no number"):
        await telnyx.configure_webhooks(LINE, OF_A_NUMBER)
    assert cloud.api.of("PATCH", "app1") == []


async def test_a_server_with_a_number_of_telnyxs_loads_its_sdk_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes seconds, which the first caller would wait."""
    loaded: list[str] = []
    load = client.Clients.load

    async def noted(clients: client.Clients) -> Any:
        loaded.append("loaded")
        return await load(clients)

    monkeypatch.setattr(client.Clients, "load", noted)
    async with serving(tmp_path) as url, httpx.AsyncClient(base_url=url) as owner:
        assert loaded == []
        made = await owner.post("/phone-number", json={"provider": "telnyx", "number": OURS, "credentialId": "c"})
        assert made.status_code == 201, made.text

    async def look() -> list[str]:
        return loaded

    async with serving(tmp_path):
        await eventually(look, lambda found: found == ["loaded"])


async def test_a_text_message_goes_out_from_the_number(cloud: Cloud, telnyx: TelnyxCarrier) -> None:
    await telnyx.send_sms(LINE, "+15551234567", "It is booked.")
    sent = {"from": OURS, "to": "+15551234567", "text": "It is booked.", "type": "SMS"}
    assert cloud.api.of("POST", "/messages") == [sent]
    cloud.refuses["/messages"] = error(422, "40310", "Invalid 'to' address")
    with pytest.raises(CarrierError, match="Invalid 'to' address"):
        await telnyx.send_sms(LINE, "+15551234567", "Again.")
    assert len(cloud.api.of("POST", "/messages")) == 2, "none is sent twice"
