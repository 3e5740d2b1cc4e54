"""The SIP agent's process, with a telephone of the tests' own at the other end of real sockets."""

import os
import signal
import time

import anyio
import numpy as np
import pytest

from bargein.carriers.interface import Answered, Rejected, Ringing
from bargein.ports import CarrierError
from bargein.testing.sip_phone import AnswerPolicy, Phone, RefusedError
from tests.call.harness import eventually
from tests.carriers.sip.carrier_host import NUMBER, ROBOT, Held, byo, running_gateway, vapi

pytestmark = pytest.mark.anyio


def tone(seconds: float, hz: int = 400, rate_hz: int = 8000) -> np.ndarray:
    return (np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz) * 8000).astype(np.int16)


def loudness(pcm: bytes | np.ndarray) -> float:
    samples = np.frombuffer(pcm, dtype=np.int16) if isinstance(pcm, bytes | bytearray) else pcm
    return float(np.abs(samples).max(initial=0))


async def until(true) -> None:
    async def look() -> bool:
        return bool(true())

    await eventually(look, bool, 8)


def say(held: Held, pcm: np.ndarray) -> None:
    data = held.leg.encode(pcm)
    for at in range(0, len(data), 320):
        held.leg.send_audio(data[at : at + 320])


async def test_an_incoming_call_has_audio_in_both_directions() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        talk = await phone.call(
            f"sip:{NUMBER}@127.0.0.1:{running.port}",
            running.at,
            "X-Colour: red\r\n",
            sender='"Ann B" <sip:+15559990000@127.0.0.1>',
        )
        held = await running.host.until_held()
        provider, number_id, incoming = running.host.came[0]
        assert (provider, number_id) == ("byo-phone-number", "n1")
        assert (incoming.to, incoming.caller, incoming.caller_name) == (NUMBER, "+15559990000", "Ann B")
        assert incoming.sip_headers == {"X-Colour": "red"}
        assert held.leg.rate_hz == 8000
        talk.say(tone(0.3))
        say(held, tone(0.3, 700))
        held.leg.mark("said")
        await until(lambda: loudness(held.heard) > 5000 and loudness(talk.received_audio) > 5000)
        await until(lambda: held.marks == ["said"])
        await talk.bye()
        await until(lambda: held.ended_reason == "customer-ended-call")
        assert running.host.overs == []


async def test_a_clear_drops_sent_audio_and_returns_its_marks() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        held = await running.host.until_held()
        say(held, tone(1.9))
        held.leg.mark("old")
        await until(lambda: loudness(talk.received_audio) > 5000)
        cleared_at = time.monotonic()
        held.leg.clear()
        await until(lambda: held.cleared == 1)
        assert held.marks == ["old"]
        say(held, tone(0.2, 900))
        held.leg.mark("new")
        await until(lambda: held.marks == ["old", "new"])
        await anyio.sleep(0.1)
        after = [packet for packet in talk.heard if packet.at > cleared_at + 0.04]
        # no more than two packets of what was cleared, then silence, then all of what is new
        loud = [packet for packet in after if len(set(packet.payload)) > 2]
        assert 9 <= len(loud) <= 11
        await talk.bye()


async def test_keys_are_received_and_sent() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        held = await running.host.until_held()
        await talk.send_dtmf("1#5")
        await until(lambda: held.keys == "1#5")
        held.leg.send_dtmf("4*w2")
        await until(lambda: talk.keys == "4*2")
        await talk.bye()


async def test_a_caller_who_sends_nothing_is_heard_as_silence() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        held = await running.host.until_held()
        await until(lambda: len(held.heard) > 3200)
        talk.silent = True
        had = len(held.heard)
        await anyio.sleep(1)
        assert 12000 <= len(held.heard) - had <= 18000
        await talk.bye()


async def test_the_server_hangs_up() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        held = await running.host.until_held()
        held.leg.hang_up()
        with anyio.fail_after(5):
            await talk.over.wait()


async def test_unknown_numbers_are_refused() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        for who in ("+19998887777", "nobody"):
            with pytest.raises(RefusedError) as refused:
                await phone.call(f"sip:{who}@127.0.0.1:{running.port}", running.at)
            assert refused.value.status == 486
        assert running.host.came == []
        assert running.host.refusals == ["unknown-number", "unknown-number"]


async def test_a_number_whose_calls_are_rejected() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        running.host.verdict = Rejected()
        with pytest.raises(RefusedError):
            await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        running.host.verdict = Rejected({"type": "sip", "sipUri": "sip:desk@127.0.0.1:9"})
        talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        await until(lambda: talk.referred)
        assert "sip:desk@127.0.0.1:9" in talk.referred[0].get("Refer-To")
        with anyio.fail_after(5):
            await talk.over.wait()


async def test_a_caller_hangs_up_while_it_rings() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        running.host.incoming = _never  # type: ignore[method-assign]

        async def give_up(cancel: str) -> None:
            await until(lambda: running.gateway._calls)
            phone.sip.sendto(cancel.encode(), running.at)

        with pytest.raises(RefusedError) as refused:
            await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at, rung=give_up)
        assert refused.value.status == 487
        await until(lambda: running.host.overs == ["call.ringing.sip-inbound-caller-hungup-before-call-connect"])


async def _never(*_: object) -> None:
    await anyio.sleep_forever()


async def test_a_sip_uri_of_this_server_and_its_authentication() -> None:
    async with running_gateway(secret="s3cret") as running, Phone.open() as phone:
        to = f"sip:{ROBOT[4:]}"
        edge = f"X-Bargein-Edge: {{}} 203.0.113.9 {{}} {to.upper()}\r\n"
        talk = await phone.call(
            to, running.at, edge.format("s3cret", "-") + "X-Bargein-Headers-1: X-Plan=gold+%26%20blue&\r\n"
        )
        await running.host.until_held()
        _, _, incoming = running.host.came[0]
        assert incoming.caller == "sip:+15550001111@127.0.0.1"
        assert incoming.sip_headers == {"X-Plan": "gold & blue"}
        assert incoming.details["sourceAddress"] == "203.0.113.9"
        await talk.bye()

        running.host.numbers["vapi"]["n2"] = vapi(authentication={"username": "u" * 20, "password": "p" * 20})
        for headers, reason in (
            ("", "forged"),
            (edge.format("wrong", "u" * 20), "forged"),
            (edge.format("s3cret", "-"), "unauthenticated"),
            (edge.format("s3cret", "someone"), "unauthenticated"),
        ):
            with pytest.raises(RefusedError):
                await phone.call(to, running.at, headers)
            assert running.host.refusals[-1] == reason
        talk = await phone.call(to, running.at, edge.format("s3cret", "u" * 20))
        await running.host.until_held(2)
        await talk.bye()


async def test_a_trunks_number_is_called_only_from_its_gateways() -> None:
    async with running_gateway(secret="s3cret") as running, Phone.open() as phone:
        trunk = {
            "gateways": [
                {"ip": "198.51.100.0", "netmask": 24},
                {"ip": "203.0.113.1", "inboundEnabled": False},
                {"ip": "gateway.example"},
            ]
        }
        running.host.numbers["byo-phone-number"]["n1"] = byo(trunk)
        to = f"sip:{NUMBER}@sip.test"
        for source in ("203.0.113.1", "198.51.101.1", "nonsense"):
            with pytest.raises(RefusedError):
                await phone.call(to, running.at, f"X-Bargein-Edge: s3cret {source} - {to}\r\n")
            assert running.host.refusals[-1] == "not-a-gateway"
        talk = await phone.call(to, running.at, f"X-Bargein-Edge: s3cret 198.51.100.77 - {to}\r\n")
        await running.host.until_held()
        await talk.bye()


def trunk_to(*phones: Phone, **more: object) -> dict[str, object]:
    return {"gateways": [{"ip": "127.0.0.1", "port": phone.port} for phone in phones], **more}


async def test_a_call_goes_out_and_is_answered() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        phone.answer_policy = AnswerPolicy(user=("trunkuser", "secret"))
        trunk = trunk_to(
            phone,
            techPrefix="99",
            sipDiversionHeader="+15551112222",
            outboundAuthenticationPlan={"authUsername": "trunkuser", "authPassword": "secret"},
        )
        placed = await running.carrier.place(byo(trunk), running.dial(number="+15553334444", extension="42"))
        held = await running.host.until_held()
        assert held.call_id == "ours"
        assert running.host.notices == [Ringing(placed.carrier_call_id), Answered(placed.carrier_call_id)]
        invite = phone.invites[-1]
        assert invite.first.startswith("INVITE sip:9915553334444@127.0.0.1")
        assert invite.get("From").startswith(f"<sip:{NUMBER}@")
        assert "+15551112222" in invite.get("Diversion")
        talk = phone.calls[0]
        say(held, tone(0.2))
        await until(lambda: loudness(talk.received_audio) > 5000)
        await until(lambda: talk.keys == "42")
        await running.carrier.hang_up(byo(trunk), placed.carrier_call_id)
        with anyio.fail_after(5):
            await talk.over.wait()


async def test_a_failed_call_has_its_reason() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        for status, reason in (
            (486, "customer-busy"),
            (403, "call.in-progress.error-providerfault-outbound-sip-403-forbidden"),
            (480, "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable"),
            (404, "call.in-progress.error-sip-outbound-call-failed-to-connect"),
        ):
            phone.answer_policy = AnswerPolicy(status=status)
            await running.carrier.place(byo(trunk_to(phone)), running.dial(f"c{status}", number="+15553334444"))
            await until(lambda: running.host.overs)
            assert running.host.overs == [reason]
            running.host.notices.clear()
        phone.answer_policy = AnswerPolicy(ring_s=30)
        await running.carrier.place(byo(trunk_to(phone)), running.dial(ring_s=1, number="+15553334444"))
        await until(lambda: running.host.overs == ["customer-did-not-answer"])
        await until(lambda: phone.cancelled)
        with pytest.raises(CarrierError, match="has a character"):
            await running.carrier.place(byo(trunk_to(phone)), running.dial(number="+1555;evil=1"))
        with pytest.raises(CarrierError, match="no SIP trunk"):
            await running.carrier.place(vapi(), running.dial(number="+15553334444"))


async def test_the_next_gateway_is_tried_when_one_fails() -> None:
    async with running_gateway() as running, Phone.open() as broken, Phone.open() as well:
        broken.answer_policy = AnswerPolicy(status=503)
        placed = await running.carrier.place(byo(trunk_to(broken, well)), running.dial(number="+15553334444"))
        await running.host.until_held()
        assert len(broken.invites) == 1
        assert len(well.calls) == 1
        await running.carrier.hang_up(byo(), placed.carrier_call_id)


async def test_a_sip_uri_is_called_from_a_number_without_a_trunk() -> None:
    async with running_gateway() as running, Phone.open("desk") as phone:
        placed = await running.carrier.place(vapi(), running.dial(sipUri=phone.contact))
        await running.host.until_held()
        assert phone.invites[0].get("From").startswith("<sip:robot@")
        await running.carrier.hang_up(vapi(), placed.carrier_call_id)


async def test_a_transfer_ends_as_the_far_end_reports() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        held = await running.host.until_held()
        talk.refer_outcome = "SIP/2.0 486 Busy Here"
        with pytest.raises(CarrierError, match="486"):
            await held.leg.transfer({"type": "number", "number": "+15556667777"})
        assert "sip:15556667777@127.0.0.1:5060" in talk.referred[0].get("Refer-To")
        assert not talk.over.is_set()
        talk.refer_outcome = "SIP/2.0 200 OK"
        await held.leg.transfer(
            {"type": "sip", "sipUri": "sip:desk@pbx.test", "sipHeaders": {"X-Ticket": "a b"}, "message": ""}
        )
        assert "sip:desk@pbx.test?X-Ticket=a%20b" in talk.referred[1].get("Refer-To")
        await until(lambda: held.ended_reason == "assistant-forwarded-call")
        with pytest.raises(CarrierError, match="only be transferred by REFER"):
            await running.carrier.transfer(
                byo(),
                "x",
                {"type": "sip", "sipUri": "sip:a@b", "transferPlan": {"mode": "blind-transfer", "sipVerb": "dial"}},
                None,  # type: ignore[arg-type]
            )


async def test_an_agent_that_dies_ends_its_calls_and_is_restarted() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        held = await running.host.until_held()
        first = running.gateway.agent.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: held.ended_reason == "call.in-progress.error-sip-inbound-call-failed-to-connect")
        await until(lambda: running.gateway.agent.problem is None and running.gateway.agent.pid != first)
        assert running.gateway.agent.restarts == 1
        talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        await running.host.until_held(2)
        await talk.bye()


async def test_noise_and_floods_do_not_disturb_other_calls() -> None:
    async with running_gateway(most_calls=3) as running, Phone.open() as phone:
        talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
        held = await running.host.until_held()
        noise = np.random.default_rng(5)
        for length in (1, 3, 40, 1500, 9000):
            phone.sip.sendto(noise.bytes(length), running.at)
            phone.sip.sendto(b"INVITE sip:x SIP/2.0\r\n" + noise.bytes(length), running.at)
            phone.rtp.sendto(noise.bytes(length), talk.rtp_address)
        running.host.incoming = _never  # type: ignore[method-assign]
        statuses: list[int] = []

        async def flood(_: int) -> None:
            try:
                await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at, rung=give_up)
            except RefusedError as error:
                statuses.append(error.status)

        async def give_up(cancel: str) -> None:
            await anyio.sleep(0.3)
            phone.sip.sendto(cancel.encode(), running.at)

        async with anyio.create_task_group() as tasks:
            for index in range(40):
                tasks.start_soon(flood, index)
        assert sorted(set(statuses)) == [486, 487]
        assert statuses.count(487) == 2  # three calls at most, one of which goes on
        talk.say(tone(0.2))
        await until(lambda: loudness(bytes(held.heard[-8000:])) > 5000)
        await talk.bye()


async def test_a_trunk_is_registered_with() -> None:
    async with running_gateway() as running, Phone.open() as phone:
        phone.answer_policy = AnswerPolicy(user=("reguser", "pw"))
        running.host.numbers["byo-phone-number"]["n1"] = byo(
            trunk_to(
                phone,
                outboundAuthenticationPlan={
                    "authUsername": "reguser",
                    "authPassword": "pw",
                    "sipRegisterPlan": {"domain": "trunk.test", "username": "reguser"},
                },
            )
        )
        await running.gateway._register(running.host.numbers["byo-phone-number"])
        await until(lambda: len(phone.registers) >= 2)
        assert phone.registers[-1].get("Authorization")
        assert "sip:reguser@trunk.test" in phone.registers[-1].get("To")


async def test_a_gateway_that_does_not_respond_to_options_is_skipped() -> None:
    async with running_gateway() as running, Phone.open() as well:
        trunk = trunk_to(well)
        trunk["gateways"] = [{"ip": "127.0.0.1", "port": 9, "outboundProtocol": "tcp"}, *trunk["gateways"]]  # type: ignore[misc]
        for gateway in trunk["gateways"]:  # type: ignore[attr-defined]
            gateway["optionsPingEnabled"] = True
        await running.gateway._pings.ping({"n1": byo(trunk)})
        assert well.options == 1
        placed = await running.carrier.place(byo(trunk), running.dial(number="+15553334444"))
        await running.host.until_held()
        await running.carrier.hang_up(byo(), placed.carrier_call_id)
        trunk["gateways"] = trunk["gateways"][:1]  # type: ignore[index]
        with pytest.raises(CarrierError, match="no gateway"):
            await running.carrier.place(byo(trunk), running.dial(number="+15553334444"))


def test_a_server_on_uvloop_reaches_its_agent() -> None:
    async def call() -> None:
        async with running_gateway() as running, Phone.open() as phone:
            talk = await phone.call(f"sip:{NUMBER}@127.0.0.1:{running.port}", running.at)
            held = await running.host.until_held()
            say(held, tone(0.2))
            await until(lambda: loudness(talk.received_audio) > 5000)
            await talk.bye()

    anyio.run(call, backend_options={"use_uvloop": True})
