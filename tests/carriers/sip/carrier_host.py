"""A carrier host in place of the server: it has numbers, accepts calls, and records notices."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from bargein.carriers.interface import (
    Accepted,
    Answered,
    CallEnded,
    Cleared,
    Dial,
    Heard,
    Incoming,
    KeyPressed,
    MarkReached,
    MediaLeg,
    PhoneLine,
    Rejected,
    Ringing,
)
from bargein.carriers.sip import SipSettings
from bargein.carriers.sip.carrier import SipCarrier
from bargein.carriers.sip.gateway import _NOWHERE, SipGateway
from bargein.clock import LoopClock
from tests.call.harness import eventually

NUMBER = "+15557770000"
TRUNK: dict[str, Any] = {"provider": "byo-sip-trunk", "gateways": [{"ip": "127.0.0.1"}]}
ROBOT = "sip:robot@sip.test"


def byo(trunk: dict[str, Any] | None = None, number: str = NUMBER) -> PhoneLine:
    return PhoneLine(
        {"id": "n1", "provider": "byo-phone-number", "number": number, "credentialId": "c1"}, trunk or TRUNK
    )


def vapi(uri: str = ROBOT, **more: Any) -> PhoneLine:
    return PhoneLine({"id": "n2", "provider": "vapi", "sipUri": uri, **more})


@dataclass
class Held:
    """A running call."""

    call_id: str
    leg: MediaLeg
    heard: bytearray = field(default_factory=bytearray)
    keys: str = ""
    marks: list[str] = field(default_factory=list)
    cleared: int = 0
    ended_reason: str | None = None
    begun: anyio.Event = field(default_factory=anyio.Event)


class RecordingHost:
    """A `bargein.carriers.interface.CarrierHost`."""

    def __init__(self) -> None:
        self.numbers: dict[str, dict[str, PhoneLine]] = {"byo-phone-number": {"n1": byo()}, "vapi": {"n2": vapi()}}
        self.came: list[tuple[str, str, Incoming]] = []
        self.notices: list[Ringing | Answered | CallEnded] = []
        self.refusals: list[str] = []
        self.held: list[Held] = []
        self.verdict: Accepted | Rejected | None = None

    async def phone_lines(self, provider: str) -> Mapping[str, PhoneLine]:
        return self.numbers[provider]

    async def incoming(self, provider: str, number_id: str, incoming: Incoming) -> Accepted | Rejected:
        self.came.append((provider, number_id, incoming))
        return self.verdict or Accepted(f"call-{len(self.came)}")

    async def notice(self, provider: str, notice: Ringing | Answered | CallEnded) -> None:
        self.notices.append(notice)

    def count_refusal(self, provider: str, reason: str) -> None:
        self.refusals.append(reason)

    async def run_call(self, call_id: str, leg: MediaLeg) -> None:
        held = Held(call_id, leg)
        self.held.append(held)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leg.run)
            await leg.begin()
            held.begun.set()
            async for event in leg.events():
                match event:
                    case Heard(audio):
                        held.heard += audio
                    case KeyPressed(key):
                        held.keys += key
                    case MarkReached(name):
                        held.marks.append(name)
                    case Cleared():
                        held.cleared += 1
                    case _:
                        pass
            held.ended_reason = await leg.ended_reason()
            leg.hang_up()

    @property
    def overs(self) -> list[str]:
        return [notice.reason for notice in self.notices if isinstance(notice, CallEnded)]

    async def until_held(self, count: int = 1) -> Held:
        async def look() -> list[Held]:
            return self.held

        found = (await eventually(look, lambda held: len(held) >= count))[count - 1]
        with anyio.fail_after(5):
            await found.begun.wait()
        return found


@dataclass
class RunningGateway:
    """A running SIP gateway with its agent, and a recording host."""

    host: RecordingHost
    gateway: SipGateway
    carrier: SipCarrier
    port: int

    @property
    def at(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def dial(self, call_id: str = "ours", ring_s: int = 20, **customer: Any) -> Dial:
        return Dial(call_id, customer, _NOWHERE, ring_s=ring_s)


def free_port() -> int:
    """Return a port that is free for UDP and TCP, as is the next one."""
    import socket

    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            port = udp.getsockname()[1]
        with socket.socket() as tcp:
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port < 65000:
            return port


@asynccontextmanager
async def running_gateway(
    secret: str | None = None, port: int | None = None, **settings: Any
) -> AsyncIterator[RunningGateway]:
    port = port or free_port()
    given: dict[str, Any] = {
        "listen": f"127.0.0.1:{port}",
        "interface": "127.0.0.1",
        "direct": secret is None,
        "headers": ("X-Colour",),
        **settings,
    }
    host = RecordingHost()
    gateway = SipGateway(SipSettings(**given), LoopClock(), secret)
    carrier = SipCarrier(gateway)

    async def problem() -> str | None:
        return gateway.agent.problem

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(carrier.run, host)
        await eventually(problem, lambda why: why is None, 20)
        try:
            yield RunningGateway(host, gateway, carrier, port)
        finally:
            tasks.cancel_scope.cancel()
