"""A real Kamailio with the configuration that is written for it, between real telephones and the agent."""

from pathlib import Path

import anyio
import pytest

from bargein.carriers.interface import PhoneLine
from bargein.carriers.sip.kamailio import ConfigError, Edge, configuration_of
from bargein.testing.sip_phone import AnswerPolicy, Phone, RefusedError
from tests.carriers.sip.carrier_host import NUMBER, byo, free_port, running_gateway, vapi
from tests.carriers.sip.kamailio import kamailio
from tests.carriers.sip.test_agent import loudness, say, tone, until
from tests.programs import needs

pytestmark = [pytest.mark.anyio, needs("kamailio")]

PROOF = "s3cret-of-both"
LOGIN = ("u" * 20, "p" * 24)
OPEN, CLOSED = "sip:robot@sip.test", "sip:guarded@sip.test"
GATEWAY, STRANGER = "127.0.0.9", "127.0.0.3"


def numbers() -> dict[str, dict[str, PhoneLine]]:
    trunk = {"gateways": [{"ip": "127.0.0.8", "netmask": 31}]}
    authentication = {"username": LOGIN[0], "password": LOGIN[1]}
    return {
        "byo-phone-number": {"n1": byo(trunk)},
        "vapi": {"n2": vapi(OPEN), "n3": vapi(CLOSED, authentication=authentication)},
    }


async def refusal(phone: Phone, to: str, at: tuple[str, int], headers: str = "", **how: object) -> int:
    with pytest.raises(RefusedError) as refused:
        await phone.call(to, at, headers, **how)  # type: ignore[arg-type]
    return refused.value.status


async def test_the_callers_that_each_number_admits(tmp_path: Path) -> None:
    agent = free_port()
    edge = Edge(address="127.0.0.1", port=free_port(), agent=f"127.0.0.1:{agent}", folder=str(tmp_path))
    async with (
        running_gateway(secret=PROOF, port=agent) as running,
        kamailio(tmp_path, edge, numbers(), PROOF) as at,
        Phone.open(host=GATEWAY) as gateway,
        Phone.open("ann", host=STRANGER) as stranger,
    ):
        running.host.numbers = numbers()
        number = f"sip:{NUMBER}@127.0.0.1:{at[1]}"
        # a gateway of the trunk calls its number, and a header of the caller's arrives; a forged one does not
        forged = (
            "X-Bargein-Edge: x 1.2.3.4 root sip:a@b\r\nx-bargein-headers-1: X-Plan=forged\r\nX-Plan: gold & blue\r\n"
        )
        forged += "".join(f"X-Long-{n}: {str(n) * 700}\r\n" for n in range(5))
        talk = await gateway.call(number, at, forged)
        held = await running.host.until_held()
        _, number_id, incoming = running.host.came[0]
        assert number_id == "n1"
        long = {f"X-Long-{n}": str(n) * 700 for n in range(5)}
        assert incoming.sip_headers == {"X-Plan": "gold & blue", **long}
        assert incoming.details["sourceAddress"] == GATEWAY
        say(held, tone(0.2))
        await until(lambda: loudness(talk.received_audio) > 5000)
        await talk.bye()
        await until(lambda: held.ended_reason == "customer-ended-call")
        # a stranger does not, nor does it reach a number that is none
        assert await refusal(stranger, number, at) == 403
        assert await refusal(stranger, f"sip:nobody@127.0.0.1:{at[1]}", at) == 403
        # a SIP URI is anybody's to call, in any case; one with a password is theirs who know it
        talk = await stranger.call("sip:Robot@SIP.test", at)
        await (await running.host.until_held(2)).leg.transfer({"type": "sip", "sipUri": "sip:desk@sip.test"})
        assert talk.referred
        assert await refusal(stranger, CLOSED, at) == 401
        assert await refusal(stranger, CLOSED, at, login=(LOGIN[0], "wrong")) == 401
        talk = await stranger.call(CLOSED, at, login=LOGIN)
        held = await running.host.until_held(3)
        assert running.host.came[-1][1] == "n3"
        held.leg.hang_up()
        with anyio.fail_after(5):
            await talk.over.wait()
        # past the proxy nobody gets in
        assert await refusal(stranger, OPEN, running.at) == 486
        assert running.host.refusals == ["forged"]


async def test_outbound_calls_go_through_kamailio(tmp_path: Path) -> None:
    agent, port = free_port(), free_port()
    edge = Edge(address="127.0.0.1", port=port, agent=f"127.0.0.1:{agent}", folder=str(tmp_path))
    async with (
        running_gateway(secret=PROOF, port=agent, proxy=f"127.0.0.1:{port}") as running,
        kamailio(tmp_path, edge, numbers(), PROOF),
        Phone.open(host=GATEWAY) as gateway,
    ):
        gateway.answer_policy = AnswerPolicy(user=("trunkuser", "secret"))
        plan = {"authUsername": "trunkuser", "authPassword": "secret"}
        trunk = {"gateways": [{"ip": GATEWAY, "port": gateway.port}], "outboundAuthenticationPlan": plan}
        placed = await running.carrier.place(byo(trunk), running.dial(number="+15553334444"))
        held = await running.host.until_held()
        talk = gateway.calls[0]
        assert talk.sip_address[1] == port
        assert not any(name.lower().startswith("x-bargein") for name, _ in gateway.invites[-1].headers)
        talk.say(tone(0.2))
        await until(lambda: loudness(held.heard) > 5000)
        await running.carrier.hang_up(byo(trunk), placed.carrier_call_id)
        with anyio.fail_after(5):
            await talk.over.wait()


async def test_a_flood_is_blocked_while_gateways_are_admitted(tmp_path: Path) -> None:
    agent = free_port()
    edge = Edge(address="127.0.0.1", port=free_port(), agent=f"127.0.0.1:{agent}", folder=str(tmp_path))
    async with (
        running_gateway(secret=PROOF, port=agent) as running,
        kamailio(tmp_path, edge, numbers(), PROOF) as at,
        Phone.open(host=GATEWAY) as gateway,
        Phone.open("flood", host=STRANGER) as stranger,
    ):
        running.host.numbers = numbers()
        count = 400
        for index in range(count):
            stranger.sip.sendto(
                (
                    f"INVITE {OPEN} SIP/2.0\r\n{stranger.via()}From: <sip:f@{STRANGER}>;tag={index}\r\nTo: <{OPEN}>\r\n"
                    f"Call-ID: flood-{index}\r\nCSeq: 1 INVITE\r\nContact: <{stranger.contact}>\r\n"
                    f"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
                ).encode(),
                at,
            )
            if index % 50 == 0:
                await anyio.sleep(0.01)
        talk = await gateway.call(f"sip:{NUMBER}@127.0.0.1:{at[1]}", at)
        assert len(running.host.came) < count / 4
        await talk.bye()


def test_values_from_the_api_are_never_configuration() -> None:
    evil = '";}\nroute{t_relay();'
    lines = {
        "vapi": {
            "a": vapi(f"sip:x{evil}@sip.test"),
            "b": vapi(authentication={"username": f"u{evil}", "password": evil}),
            "c": vapi("sip:fine@sip.test", authentication={"username": "u" * 20, "password": evil}),
        },
        "byo-phone-number": {"n1": byo({"gateways": [{"ip": f"1.2.3.4{evil}"}, {"ip": "203.0.113.7"}]})},
    }
    text, skipped = configuration_of(Edge(address="203.0.113.5", public_address="198.51.100.1"), lines, PROOF)
    assert evil not in text
    assert "src_ip == 203.0.113.7/32)" in text
    assert '"fine"' in text
    assert [line.partition(":")[0] for line in skipped] == ["phone number a", "phone number b"]
    for edge in (Edge(address="127.0.0.1", folder='"'), Edge(address="127.0.0.1", agent="x:1")):
        with pytest.raises(ConfigError):
            configuration_of(edge, {}, PROOF)
    with pytest.raises(ConfigError):
        configuration_of(Edge(address="127.0.0.1"), {}, "sec ret")
