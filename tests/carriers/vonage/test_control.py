"""Requests to Vonage's REST API by its own library, and the handling of refusals."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from bargein.carriers.interface import Addresses, Dial, Incoming, PhoneLine, SlowCarrier
from bargein.carriers.vonage import rest as requests_of
from bargein.carriers.vonage.carrier import VonageCarrier
from bargein.clock import LoopClock
from bargein.ports import CarrierError
from tests.carriers.vonage.rest import CLOSED, NUMBER, Cloud, credential, key_pair
from tests.carriers.vonage.signing import APPLICATION, SECRET
from tests.webhooks.receiver import NEVER, as_json

pytestmark = pytest.mark.anyio

PLACES = Addresses(
    voice="https://voice.example/n/voice",
    status="https://voice.example/n/status",
    media="wss://voice.example/media/some-token",
    media_token="some-token",
)
CUSTOMER = {"number": "+1 (555) 123-4567"}


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    async with Cloud() as cloud:
        yield cloud


@pytest.fixture
async def carrier(cloud: Cloud) -> AsyncIterator[VonageCarrier]:
    carrier = VonageCarrier(LoopClock(), base_url=cloud.url)
    yield carrier
    await carrier.close()


@pytest.fixture
def phone_line() -> PhoneLine:
    return PhoneLine({"provider": "vonage", "number": f"+{NUMBER}"}, credential())


def media(uri: str = "wss://voice.example/media/some-token", **headers: str) -> dict[str, Any]:
    """The one action of a call whose audio comes here."""
    endpoint = {
        "type": "websocket",
        "uri": uri,
        "content-type": "audio/l16;rate=16000",
        "authorization": {"type": "vonage"},
        **({"headers": headers} if headers else {}),
    }
    return {"action": "connect", "from": NUMBER, "endpoint": [endpoint]}


async def test_a_placed_call_has_all_parameters(cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine) -> None:
    placed = await carrier.place(phone_line, Dial("c-1", CUSTOMER, PLACES, ring_s=30))
    [asked] = cloud.asked
    assert placed.carrier_call_id in cloud.calls
    assert placed.details == {
        "callUUID": placed.carrier_call_id,
        "conversationUUID": f"CON-{placed.carrier_call_id}",
    }
    assert (asked.method, asked.path, asked.host) == ("POST", "/v1/calls", "api.nexmo.com")
    assert asked.body == {
        "to": [{"type": "phone", "number": "15551234567"}],
        "from": {"type": "phone", "number": NUMBER},
        "ncco": [media()],
        "event_url": ["https://voice.example/n/status"],
        "event_method": "POST",
        "ringing_timer": 30,
    }


async def test_machine_detection_extensions_and_the_ringing_time(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    dial = Dial("c-1", {**CUSTOMER, "extension": "12,3"}, PLACES, ring_s=999, detect_machine=True)
    await carrier.place(phone_line, dial)
    body = cloud.asked[0].body
    assert body["advanced_machine_detection"] == {"behavior": "continue", "mode": "detect_beep"}
    assert body["to"] == [{"type": "phone", "number": "15551234567", "dtmfAnswer": "pp12p3"}]
    assert body["ringing_timer"] == 120
    plan = {"voicemailDetectionTypes": ["machine_start"]}
    await carrier.place(phone_line, Dial("c-1", CUSTOMER, PLACES, detect_machine=True, machine_plan=plan))
    assert cloud.asked[1].body["advanced_machine_detection"]["mode"] == "detect"


async def test_a_sip_customer_is_called_with_headers(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    headers = {"X-User": "ada", "User-to-User": "34;encoding=hex"}
    await carrier.place(phone_line, Dial("c-1", {"sipUri": "sip:ada@example.com"}, PLACES, sip_headers=headers))
    assert cloud.asked[0].body["to"] == [
        {
            "type": "sip",
            "uri": "sip:ada@example.com",
            "headers": {"User": "ada"},
            "standard_headers": {"User-to-User": "34;encoding=hex"},
        }
    ]


@pytest.mark.parametrize("customer", [{}, {"number": "911"}, {"number": "+0123456789"}, {"sipUri": "mailto:a@b"}])
async def test_numbers_that_vonage_cannot_call_are_not_requested(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine, customer: dict[str, Any]
) -> None:
    with pytest.raises(CarrierError):
        await carrier.place(phone_line, Dial("c-1", customer, PLACES))
    assert cloud.asked == []


async def test_an_inbound_call_is_answered_with_this_nodes_address(
    carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    answer = await carrier.answer(phone_line, "u-1", PLACES)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == [media(carrierCallId="u-1")]


async def test_vonage_chooses_a_caller_number_for_one_that_is_no_telephone_number(carrier: VonageCarrier) -> None:
    [action] = json.loads((await carrier.answer(PhoneLine({"number": "ada"}), "u-1", PLACES)).body)
    assert "from" not in action
    assert action["randomFromNumber"] is True


async def test_a_rejected_call_is_ended_or_forwarded(carrier: VonageCarrier, phone_line: PhoneLine) -> None:
    incoming = Incoming("u-1", f"+{NUMBER}", "+15551234567")
    assert json.loads((await carrier.refuse(phone_line, incoming, None)).body) == []
    to = {"type": "number", "number": "+15557654321", "callerId": "+15550002222", "extension": "9"}
    assert json.loads((await carrier.refuse(phone_line, incoming, to)).body) == [
        {
            "action": "connect",
            "from": "15550002222",
            "endpoint": [{"type": "phone", "number": "15557654321", "dtmfAnswer": "pp9"}],
        }
    ]
    assert carrier.acknowledge().status == 200


async def test_a_call_is_transferred_to_a_number_or_a_sip_address(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    cloud.calls.add("u-1")
    await carrier.transfer(phone_line, "u-1", {"type": "number", "number": "+15557654321"}, PLACES)
    sip = {"type": "sip", "sipUri": "sip:desk@example.com;transport=tls", "sipHeaders": {"X-Case": 7}}
    await carrier.transfer(phone_line, "u-1", sip, PLACES)
    told = {"eventUrl": ["https://voice.example/n/status"], "eventMethod": "POST"}
    first, second = [one.body for one in cloud.of("PUT", "/v1/calls/u-1")]
    assert first["action"] == second["action"] == "transfer"
    assert first["destination"] == {
        "type": "ncco",
        "ncco": [
            {"action": "connect", "from": NUMBER, "endpoint": [{"type": "phone", "number": "15557654321"}], **told}
        ],
    }
    [action] = second["destination"]["ncco"]
    assert action["endpoint"] == [
        {"type": "sip", "uri": "sip:desk@example.com;transport=tls", "headers": {"Case": "7"}}
    ]
    for nowhere in ({"type": "number", "number": "x"}, {"type": "sip"}, {"type": "sip", "sipUri": "x"}):
        with pytest.raises(CarrierError):
            await carrier.transfer(phone_line, "u-1", nowhere, PLACES)
    with pytest.raises(CarrierError, match="404"):
        await carrier.transfer(phone_line, "u-2", {"type": "number", "number": "+15557654321"}, PLACES)


async def test_keys_are_sent_with_pauses(cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine) -> None:
    cloud.calls.add("u-1")
    await carrier.send_dtmf(phone_line, "u-1", "1w2W#*")
    [asked] = cloud.of("PUT", "/v1/calls/u-1/dtmf")
    assert asked.body == {"digits": "1p2pp#*"}
    for keys in ("", "A", "1 2"):
        with pytest.raises(CarrierError, match="can send 0 to 9"):
            await carrier.send_dtmf(phone_line, "u-1", keys)
    assert len(cloud.asked) == 1


async def test_hanging_up_ends_a_call_and_an_ended_call_is_no_error(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    cloud.calls.add("u-1")
    await carrier.hang_up(phone_line, "u-1")
    await carrier.hang_up(phone_line, "u-2")  # 404
    assert [one.body for one in cloud.asked] == [{"action": "hangup"}] * 2
    cloud.refuses["/v1/calls"] = (500, {"title": "Server Error"})
    with pytest.raises(CarrierError, match=r"500 \(Server Error\)"):
        await carrier.hang_up(phone_line, "u-1")


async def test_a_call_is_controlled_in_its_region(cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine) -> None:
    cloud.calls |= {"u-1", "u-2"}
    carrier._regions["u-1"] = "api-us-3.vonage.com"
    await carrier.hang_up(phone_line, "u-1")
    await carrier.hang_up(phone_line, "u-2")
    assert [one.host for one in cloud.asked] == ["api-us-3.vonage.com", "api.nexmo.com"]


async def test_importing_a_number_changes_only_its_webhooks(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    cloud.numbers.insert(0, {"country": "DE", "msisdn": f"{NUMBER}22"})
    before = cloud.application
    await carrier.configure_webhooks(phone_line, Addresses(PLACES.voice, PLACES.status))
    after = cloud.application
    webhooks = after["capabilities"]["voice"]["webhooks"]
    assert webhooks["answer_url"] == {
        "address": PLACES.voice,
        "http_method": "POST",
        "connect_timeout": 1000,
        "socket_timeout": 10_000,
    }
    assert webhooks["event_url"] == {"address": PLACES.status, "http_method": "POST"}
    assert after["capabilities"]["voice"]["signed_callbacks"] is True
    before["capabilities"]["voice"] = after["capabilities"]["voice"]
    assert after == before
    assert webhooks["fallback_answer_url"]["address"] == "https://old.example/fallback"
    assert after["capabilities"]["voice"]["region"] == "eu-west"
    assert cloud.numbers[1] == {"country": "US", "msisdn": NUMBER, "app_id": APPLICATION}
    assert "app_id" not in cloud.numbers[0]


async def test_an_unknown_number_leaves_the_application_unchanged(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    cloud.numbers[0]["voiceCallbackType"] = "tel"
    with pytest.raises(CarrierError, match="forwarded"):
        await carrier.configure_webhooks(phone_line, PLACES)
    cloud.numbers.clear()
    with pytest.raises(CarrierError, match="no such number"):
        await carrier.configure_webhooks(phone_line, PLACES)
    assert cloud.of("PUT", "/v2") == []


async def test_missing_fields_of_a_credential_are_named(cloud: Cloud, carrier: VonageCarrier) -> None:
    whole = credential()

    def without(*names: str) -> PhoneLine:
        return PhoneLine({"number": NUMBER}, {name: value for name, value in whole.items() if name not in names})

    with pytest.raises(CarrierError, match="vonageApplicationId"):
        await carrier.place(without("vonageApplicationId"), Dial("c", CUSTOMER, PLACES))
    with pytest.raises(CarrierError, match="vonageApplicationPrivateKey"):
        await carrier.hang_up(without("vonageApplicationPrivateKey"), "u-1")
    with pytest.raises(CarrierError, match="apiSecret"):
        await carrier.configure_webhooks(without("apiSecret"), PLACES)
    assert cloud.asked == []


async def test_a_key_that_is_a_files_name_does_not_read_the_file(carrier: VonageCarrier, tmp_path: Any) -> None:
    (tmp_path / "key.pem").write_text(key_pair()[0])
    phone_line = PhoneLine(
        {"number": NUMBER}, credential() | {"vonageApplicationPrivateKey": str(tmp_path / "key.pem")}
    )
    with pytest.raises(CarrierError, match="not a private key"):
        await carrier.hang_up(phone_line, "u-1")


async def test_a_key_may_be_written_in_one_line(cloud: Cloud, carrier: VonageCarrier) -> None:
    whole = credential()
    joined = {**whole, "vonageApplicationPrivateKey": f" {key_pair()[0]} ".replace("\n", "\\n")}
    await carrier.place(PhoneLine({"number": NUMBER}, joined), Dial("c-1", CUSTOMER, PLACES))
    assert len(cloud.calls) == 1


async def test_refusals_say_why_and_hold_no_secret(cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine) -> None:
    forged = PhoneLine(phone_line.number, credential() | {"vonageApplicationId": "another"})
    with pytest.raises(CarrierError, match=r"401 \(Unauthorized\)") as told:
        await carrier.place(forged, Dial("c-1", CUSTOMER, PLACES))
    assert "Bearer" not in str(told.value)
    answers: list[Any] = [
        as_json({"title": "Low balance", "detail": SECRET}, 402),
        as_json(["what"], 503),
        as_json({"uuid": 7}),
        b"HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\noops",
        b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n",
        b"oops\r\n\r\n",
        CLOSED,
    ]
    for answer in answers:
        cloud.breaks["/v1/calls"] = answer
        with pytest.raises(CarrierError) as told:
            await carrier.place(phone_line, Dial("c-1", CUSTOMER, PLACES))
        assert SECRET not in str(told.value)


async def test_a_call_is_never_placed_twice(cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine) -> None:
    """The library would ask again when a connection breaks; the call may be ringing by then."""
    cloud.breaks["/v1/calls"] = CLOSED
    with pytest.raises(CarrierError, match="reached"):
        await carrier.place(phone_line, Dial("c-1", CUSTOMER, PLACES))
    assert len(cloud.of("POST", "/v1/calls")) == 1
    with pytest.raises(CarrierError, match="reached"):
        await carrier.hang_up(phone_line, "u-1")
    assert len(cloud.of("PUT", "/v1/calls/u-1")) == 2  # which harms nobody


async def test_a_request_without_response_is_given_up(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_of, "_TIMEOUT_S", 0.2)
    monkeypatch.setattr(requests_of, "_WAIT_S", 1)  # the thread's own limit, so that the test does not wait for it
    cloud.breaks["/v1/calls"] = NEVER
    with pytest.raises(CarrierError, match="in time"):
        await carrier.place(phone_line, Dial("c-1", CUSTOMER, PLACES))


async def test_the_library_is_loaded_before_anybody_calls(carrier: VonageCarrier) -> None:
    assert isinstance(carrier, SlowCarrier)
    await carrier.warm_up()
    control = carrier._control
    assert control is not None
    await carrier.warm_up()
    assert carrier._control is control


async def test_concurrent_requests_keep_their_accounts_apart(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    cloud.calls |= {f"u-{n}" for n in range(12)}
    async with anyio.create_task_group() as tasks:
        for n in range(12):
            tasks.start_soon(carrier.hang_up, phone_line, f"u-{n}")
            tasks.start_soon(carrier.configure_webhooks, phone_line, PLACES)
    assert {one.path for one in cloud.of("PUT", "/v1/calls")} == {f"/v1/calls/u-{n}" for n in range(12)}


async def test_a_text_message_goes_out_from_the_number(
    cloud: Cloud, carrier: VonageCarrier, phone_line: PhoneLine
) -> None:
    await carrier.send_sms(phone_line, "+15551234567", "It is booked.")
    [asked] = cloud.of("POST", "/v1/messages")
    sent = {"to": "15551234567", "from": NUMBER, "channel": "sms", "message_type": "text", "text": "It is booked."}
    assert asked.body == sent
    cloud.refuses["/v1/messages"] = (402, {"title": "Low balance"})
    with pytest.raises(CarrierError, match="Low balance"):
        await carrier.send_sms(phone_line, "+15551234567", "Again.")
    assert len(cloud.of("POST", "/v1/messages")) == 2, "none is sent twice"
