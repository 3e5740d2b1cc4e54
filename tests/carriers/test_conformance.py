"""The conformance suite: every carrier, over a loopback with its real protocol.

A carrier is added by a loopback: a subclass of `Loopback` and one of `Phone` (`tests/carriers/loopback.py`; Twilio's is
the example), and a line in `tests/carriers/loopbacks.py`. Nothing here names a carrier. `test_barge_in.py` tests what
the caller of each carrier hears.
"""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anyio
import httpx
import numpy as np
import pytest
import websockets
from structlog.testing import capture_logs

from bargein.audio.ambience import LEVEL_DBFS
from bargein.audio.pcm import level_dbfs
from bargein.server.calls.recovery import recover_from_journal
from bargein.server.telephony import call_router, outbound
from bargein.testing import LlmScript, TimedReply, TranscriberScript
from tests.call.harness import eventually
from tests.carriers.loopback import CALLER, Loopback
from tests.carriers.loopbacks import LOOPBACKS
from tests.carriers.stage import CallSetup, on_the_phone

pytestmark = pytest.mark.anyio

OTHER = "+15557654321"
ELSEWHERE = {"type": "number", "number": "+15550002222"}


@pytest.fixture(params=LOOPBACKS, ids=lambda kind: kind.provider)
def carrier(request: pytest.FixtureRequest) -> Loopback:
    return request.param()


@pytest.fixture(params=[kind for kind in LOOPBACKS if not kind.native], ids=lambda kind: kind.provider)
def socket_carrier(request: pytest.FixtureRequest) -> Loopback:
    """Those with webhooks and media sockets."""
    return request.param()


@pytest.fixture(params=[kind for kind in LOOPBACKS if kind.numbers], ids=lambda kind: kind.provider)
def number_carrier(request: pytest.FixtureRequest) -> Loopback:
    """Those whose callers have numbers."""
    return request.param()


def without_secrets(carrier: Loopback, *told: Any) -> None:
    """Check that no client, receiver or carrier got a secret."""
    for secret in carrier.secrets:
        assert secret not in repr(told)


async def test_a_telephone_call_has_the_sound_of_an_office_unless_its_assistant_wants_none(
    tmp_path: Path, carrier: Loopback
) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        usual = {name: value for name, value in setup.assistant().items() if name != "backgroundSound"}
        for given, audible in ((usual, True), (setup.assistant(), False)):
            await setup.answers(given)
            phone = await carrier.rings()
            await setup.the_call(phone)
            if audible:
                await phone.until(lambda p=phone: len(p.heard) > 50)
                heard = np.concatenate([one.pcm for one in phone.heard])
                assert level_dbfs(heard) == pytest.approx(LEVEL_DBFS, abs=6)
            else:
                await anyio.sleep(0.5)
                assert not any(one.pcm.any() for one in phone.heard)
            await phone.hang_up()


async def test_a_call_comes_in_and_the_caller_hangs_up(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.speaker())
        phone = await carrier.rings()
        call = await setup.the_call(phone)
        async with setup.listening(call["id"]) as listener:
            await phone.until(lambda: phone.sounds() > 300)
            await phone.hang_up()
            (told,) = await listener.until(lambda: listener.of("status-update", status="ended"))
            over = await setup.ended(call["id"])
        await phone.until(lambda: phone.closed)
    assert (over["type"], over["endedReason"]) == ("inboundPhoneCall", "customer-ended-call")
    assert over["phoneNumberId"] == setup.number["id"]
    assert over["customer"].items() >= carrier.seen(CALLER).items()
    assert over["phoneCallProviderId"] == phone.id
    assert over["phoneCallTransport"] in ("pstn", "sip")
    assert over["startedAt"] <= over["endedAt"]
    without_secrets(carrier, over, listener.messages)
    assert told["phoneNumber"]["provider"] == carrier.provider
    assert told["phoneNumber"].get("number") == setup.number.get("number")


async def test_the_journal_of_a_short_call_is_whole_and_nothing_else_is_said(tmp_path: Path, carrier: Loopback) -> None:
    """The end comes twice at least: as the carrier's message, and as the end of its connection."""
    with capture_logs() as lines:
        async with on_the_phone(tmp_path, carrier) as setup:
            await setup.answers(setup.speaker())
            phones = [await carrier.rings() for _ in range(3)]
            for phone in phones:
                call = await setup.the_call(phone)
                await setup.live(call["id"])
                await phone.hang_up()
                await setup.ended(call["id"])
    assert [line for line in lines if "lacks its end" in line["event"]] == []
    for call in (tmp_path / "journals").iterdir():
        recovered = recover_from_journal(call)
        assert recovered is not None
        assert recovered.summary.ended is not None
        assert recovered.summary.ended.reason == "customer-ended-call"


async def test_a_call_goes_out_and_the_assistant_hangs_up(tmp_path: Path, carrier: Loopback) -> None:
    says = TranscriberScript(timed=[TimedReply(300, "That is all.")])
    ends = LlmScript(tokens=["Goodbye. "], calls=[("endCall", "{}")])
    async with on_the_phone(tmp_path, carrier, llm=ends, transcriber=says) as setup:
        given = setup.assistant(
            model={"provider": "custom-llm", "url": setup.llm.url, "model": "x", "tools": [{"type": "endCall"}]},
            endCallMessage="Bye.",
        )
        call = await setup.call(given)
        assert (call["type"], call["status"]) == ("outboundPhoneCall", "queued")
        phone = await carrier.next_placed()
        await carrier.tell_ringing(phone)
        async with httpx.AsyncClient(base_url=setup.url) as client:
            await eventually(
                lambda: client.get(f"/call/{call['id']}"), lambda answer: answer.json()["status"] == "ringing"
            )
        await carrier.answered(phone)
        await phone.until(lambda: phone.sounds() > 300)
        over = await setup.ended(call["id"])
        await phone.until(lambda: phone.ended and phone.closed)
    assert over["endedReason"] == "assistant-ended-call"
    assert over["phoneCallProviderId"] == phone.id
    assert over["customer"] == carrier.customer
    without_secrets(carrier, over, call)
    # all of the goodbye was heard before the call was ended
    assert phone.sounds() >= 600


@pytest.mark.parametrize(
    ("why", "reasons"),
    [
        ("busy", ("customer-busy",)),
        ("no-answer", ("customer-did-not-answer",)),
        ("failed", ()),
    ],
)
async def test_a_failed_call_has_its_reason(
    tmp_path: Path, carrier: Loopback, why: str, reasons: tuple[str, ...]
) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        call = await setup.call(setup.speaker())
        phone = await carrier.next_placed()
        await carrier.tell_ringing(phone)
        await carrier.tell_over(phone, why)
        over = await setup.ended(call["id"])
    if reasons:
        assert over["endedReason"] in reasons
    else:
        assert "customer-ended-call" not in over["endedReason"]
    assert "startedAt" not in over


async def test_a_call_that_the_carrier_refuses_ends(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        carrier.fails = 400
        call = await setup.call(setup.speaker())
        over = await setup.ended(call["id"])
    assert over["endedReason"]
    assert over["endedMessage"]
    without_secrets(carrier, over)


async def test_no_answer_and_no_report_of_the_carrier(
    tmp_path: Path, carrier: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "RING_GRACE_S", -0.7)
    async with on_the_phone(tmp_path, carrier) as setup:
        given = setup.speaker(transportConfigurations=[{"provider": "twilio", "timeout": 1}])
        call = await setup.call(given)
        phone = await carrier.next_placed()
        over = await setup.ended(call["id"])
        await phone.until(lambda: phone.ended)
    assert over["endedReason"] == "customer-did-not-answer"


async def test_a_call_without_audio_is_ended(
    tmp_path: Path, socket_carrier: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_router, "CONNECT_S", 0.3)
    async with on_the_phone(tmp_path, socket_carrier) as setup:
        await setup.answers(setup.speaker())
        phone = socket_carrier.new_call()
        assert (await socket_carrier.send(socket_carrier.incoming(phone))).status_code == 200
        over = await setup.ended((await setup.the_call(phone))["id"])
        await phone.until(lambda: phone.ended)
    assert over["endedReason"] == "call.in-progress.error-providerfault-transport-never-connected"


async def test_a_caller_who_hangs_up_before_the_audio_has_no_call(tmp_path: Path, socket_carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, socket_carrier) as setup:
        await setup.answers(setup.speaker())
        phone = socket_carrier.new_call()
        assert (await socket_carrier.send(socket_carrier.incoming(phone))).status_code == 200
        await socket_carrier.tell_over(phone)
        over = await setup.ended((await setup.the_call(phone))["id"])
    assert over["endedReason"] == "customer-ended-call"


async def test_the_callers_keys_are_a_turn(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.assistant(keypadInputPlan={"enabled": True, "delimiters": "#"}))
        phone = await carrier.rings()
        call = await setup.the_call(phone)
        async with setup.listening(call["id"]) as listener:
            await phone.send_dtmf("12*4#")
            await phone.until(lambda: phone.sounds() > 100)
            assert [m["transcript"] for m in listener.of("transcript", role="user", transcriptType="final")] == ["12*4"]
        await phone.hang_up()
        await setup.ended(call["id"])


async def test_the_model_sends_keys_and_text_messages_where_the_carrier_can(tmp_path: Path, carrier: Loopback) -> None:
    says = TranscriberScript(timed=[TimedReply(300, "Press seven.")])
    asks = [("dtmf", '{"dtmf": "7#"}'), ("sms", '{"message": "It is booked."}')]

    def presses(body: dict[str, Any]) -> LlmScript:
        told = [m for m in body["messages"] if m["role"] == "tool"]
        return LlmScript(tokens=["Done. "]) if told else LlmScript(tokens=[], calls=asks)

    async with on_the_phone(tmp_path, carrier, llm=presses, transcriber=says) as setup:
        model = {
            "provider": "custom-llm",
            "url": setup.llm.url,
            "model": "x",
            "tools": [{"type": "dtmf"}, {"type": "sms"}],
        }
        await setup.answers(setup.assistant(model=model))
        phone = await carrier.rings()
        call = await setup.the_call(phone)
        await phone.until(lambda: phone.sounds() > 100)
        if carrier.can_send_dtmf:
            await phone.until(lambda: phone.pressed == "7#")
        await phone.hang_up()
        over = await setup.ended(call["id"])
    results = {m["name"]: m["result"] for m in over["artifact"]["messages"] if m["role"] == "tool_call_result"}
    assert ("Sent." in results["dtmf"]) == carrier.can_send_dtmf
    texts = [body for method, path, body in carrier.asked if method == "POST" and "messages" in path.lower()]
    if carrier.can_send_sms:
        assert results["sms"] == f"Sent to {CALLER}."
        assert len(texts) == 1
        assert b"booked" in texts[0]
        assert CALLER.removeprefix("+").encode() in texts[0]
    else:
        # a caller from a SIP URI has no number to send to
        assert ("sends no text messages" if carrier.numbers else "country code") in results["sms"]
        assert texts == []


async def test_a_caller_is_transferred(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.assistant())
        phone = await carrier.rings()
        call = await setup.the_call(phone)
        await setup.live(call["id"])
        await setup.control(call["id"], {"type": "transfer", "destination": ELSEWHERE})
        await phone.until(lambda: phone.forwarded)
        over = await setup.ended(call["id"])
        await phone.until(lambda: phone.closed)
        await anyio.sleep(0.1)
    assert over["endedReason"] == "assistant-forwarded-call"
    assert ELSEWHERE["number"].removeprefix("+") in str(phone.forwarded)
    assert not phone.ended, "whoever has the caller now keeps it"


async def test_a_lost_socket_ends_the_call_at_the_carrier_too(tmp_path: Path, socket_carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, socket_carrier) as setup:
        await setup.answers(setup.speaker())
        phone = await socket_carrier.rings()
        call = await setup.the_call(phone)
        await phone.until(lambda: phone.sounds() > 300)
        phone.lose_socket()
        over = await setup.ended(call["id"])
        await phone.until(lambda: phone.ended)
    assert over["endedReason"] == "phone-call-provider-closed-websocket"
    (spoken,) = [m["message"] for m in over["artifact"]["messages"] if m["role"] == "bot"]
    assert len(spoken.split()) < 15


async def test_a_webhook_that_is_not_the_carriers_is_refused(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.speaker())
        hook = carrier.incoming(carrier.new_call())
        for wrong in (carrier.forged(hook), carrier.unsigned(hook)):
            answer = await carrier.send(wrong)
            assert answer.status_code == 403, answer.text
            without_secrets(carrier, answer.text)
        await setup.refused("forged", 2)
        assert await setup.calls() == []
        if carrier.signs_once:
            assert (await carrier.send(hook)).status_code == 200
            assert (await carrier.send(hook)).status_code == 403
            await setup.refused("forged", 3)


async def test_a_repeated_webhook_gets_the_same_answer_and_makes_one_call(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.speaker())
        phone = carrier.new_call()
        hook = carrier.incoming(phone)
        answers: list[httpx.Response] = []

        async def ask() -> None:
            answers.append(await carrier.send(carrier.again(hook)))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
        assert len({answer.text for answer in answers}) == 1
        asked = len(carrier.asked)
        await carrier.follow(phone, answers[0])
        await phone.until(lambda: phone.sounds() > 100)
        assert (await carrier.send(carrier.again(hook))).text == answers[0].text
        assert len(carrier.asked) == asked, "nothing is asked of the carrier again"
        assert len(await setup.calls()) == 1
        await phone.hang_up()


async def test_a_number_without_an_assistant_rejects_calls(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        phone = await carrier.rings()
        over = await setup.ended((await setup.the_call(phone))["id"])
        assert over["endedReason"] == "call-start-error-neither-assistant-nor-server-set"
        await phone.until(lambda: phone.ended)
        await setup.keep(fallbackDestination=ELSEWHERE)
        phone = await carrier.rings()
        await phone.until(lambda: phone.forwarded)
        over = await setup.ended((await setup.the_call(phone))["id"])
    assert ELSEWHERE["number"].removeprefix("+") in str(phone.forwarded)
    assert over["destination"] == ELSEWHERE


async def test_a_numbers_hook_forwards_a_ringing_call(tmp_path: Path, number_carrier: Loopback) -> None:
    transfer = {"type": "transfer", "destination": ELSEWHERE}
    filters = [{"type": "startsWith", "key": "number", "startsWith": ["1555765"]}]
    async with on_the_phone(tmp_path, number_carrier) as setup:
        await setup.answers(setup.speaker())
        await setup.keep(hooks=[{"on": "call.ringing", "filters": filters, "do": [transfer]}])
        phone = await number_carrier.rings(OTHER)
        await phone.until(lambda: phone.forwarded)
        over = await setup.ended((await setup.the_call(phone))["id"])
        assert over["endedReason"] == "call.ringing.hook-executed-transfer"
        phone = await number_carrier.rings()
        await phone.until(lambda: phone.sounds() > 100)
        await phone.hang_up()


async def test_importing_a_number_points_its_webhooks_here(tmp_path: Path, socket_carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, socket_carrier, public_url="https://voice.example") as setup:
        assert setup.number["status"] == "active"
        assert "voice.example/carrier/" in unquote(repr(socket_carrier.asked))
        socket_carrier.fails = 500
        made = await setup.client.post("/phone-number", json=await socket_carrier.number(setup.client))
        assert made.status_code == 201, made.text
        assert made.json()["status"] == "blocked"
        without_secrets(socket_carrier, made.text)


# What makes no sense.


async def tells(setup: CallSetup, phone: Any) -> None:
    """A call goes on: its caller still hears something."""
    heard = phone.sounds()
    await phone.until(lambda: phone.sounds() > heard + 100)


async def test_unreadable_frames_are_ignored_and_counted(tmp_path: Path, socket_carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, socket_carrier) as setup:
        await setup.answers(setup.speaker())
        phone, other = await socket_carrier.rings(), await socket_carrier.rings(OTHER)
        await phone.until(lambda: phone.sounds() > 100)
        frames = phone.nonsense()
        for frame in frames.values():
            await phone.send(frame)
        text = ""
        with anyio.fail_after(5):
            while counted(text, socket_carrier.provider) < len(frames):
                await anyio.sleep(0.02)
                text = (await setup.client.get("/metrics")).text
        await tells(setup, phone)
        await tells(setup, other)
        assert counted(text, socket_carrier.provider) == len(frames)
        for one in (phone, other):
            await one.hang_up()


def counted(metrics: str, provider: str) -> float:
    name = f'bargein_carrier_refusals_total{{provider="{provider}"'
    return sum(float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(name))


async def test_audio_before_the_start_is_not_heard(tmp_path: Path, socket_carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, socket_carrier) as setup:
        await setup.answers(setup.speaker())
        phone = socket_carrier.new_call()
        url = await media_url(setup, phone)
        if phone.opening():
            await socket_carrier.connect(phone, url, opening=[phone.audio_frame(phone.silence), *phone.opening()])
            await setup.refused("before-start")
        else:
            await socket_carrier.connect(phone, url)
        await phone.until(lambda: phone.sounds() > 100)
        await phone.hang_up()


async def media_url(setup: CallSetup, phone: Any) -> str:
    """Return the media URL that the server names, without connecting to it."""
    carrier, urls = setup.carrier, list[str]()
    carrier.connect, connect = _noting(urls), carrier.connect
    answer = await carrier.send(carrier.incoming(phone))
    await carrier.follow(phone, answer)
    with anyio.fail_after(5):
        while not urls:
            await anyio.sleep(0.01)
    carrier.connect = connect
    return urls[0]


def _noting(urls: list[str]) -> Any:
    async def note(_phone: Any, url: str, **_: Any) -> None:
        urls.append(url)

    return note


async def test_a_codec_that_was_not_offered_is_refused(
    tmp_path: Path, socket_carrier: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bargein.server.telephony.call_runner.BEGIN_S", 0.3)
    async with on_the_phone(tmp_path, socket_carrier) as setup:
        await setup.answers(setup.speaker())
        phone = socket_carrier.new_call()
        if (frames := phone.other_format()) is None:
            return
        await socket_carrier.connect(phone, await media_url(setup, phone), opening=frames)
        await setup.refused("frame")
        over = await setup.ended((await setup.the_call(phone))["id"])
        await phone.until(lambda: phone.ended)
    assert over["endedReason"] == "call.in-progress.error-providerfault-transport-never-connected"


async def test_a_media_socket_opens_once_and_only_for_the_carrier(tmp_path: Path, socket_carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, socket_carrier) as setup:
        await setup.answers(setup.speaker())
        phone, late = socket_carrier.new_call(), socket_carrier.new_call()
        url = await media_url(setup, phone)
        late.media_url = url
        wrong = url[:-4] + ("AAAA" if not url.endswith("AAAA") else "BBBB")
        assert await refused(wrong, late), "the token is not the call's"
        await socket_carrier.connect(phone, url)
        await phone.until(lambda: phone.sounds() > 100)
        assert await refused(url, late), "the token was used"
        await tells(setup, phone)
        await phone.hang_up()
        await setup.ended((await setup.the_call(phone))["id"])
        assert await refused(url, late), "the call is over"
        await setup.refused("token", 2)
        await setup.refused("no-such-call")


async def refused(url: str, phone: Any) -> bool:
    phone.media_url = url
    try:
        async with websockets.connect(url, additional_headers=phone.upgrade_headers()):
            return False
    except websockets.InvalidStatus as error:
        return error.response.status_code == 403


async def test_a_telephone_call_cannot_be_joined_by_another_socket(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        call = await setup.call(setup.speaker())
        phone = await carrier.next_placed()
        async with websockets.connect(f"ws{setup.url.removeprefix('http')}/{call['id']}/transport") as socket:
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1008
        await setup.client.delete(f"/call/{call['id']}")
        await phone.until(lambda: phone.ended)
