"""All SIP calls of this server, whichever kind of number they are on: between the server and the agent's process."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import anyio
import anyio.abc
import structlog
from typing_extensions import override

from bargein.carriers import interface
from bargein.carriers.interface import (
    Answered,
    CallEnded,
    Carrier,
    CarrierHost,
    Dial,
    Incoming,
    PhoneLine,
    Placed,
    Rejected,
    Ringing,
)
from bargein.carriers.sip.codec import SipCodec
from bargein.carriers.sip.inbound import (
    ALWAYS,
    FROM_PROXY,
    Arrival,
    StrangerError,
    incoming_of,
    number_for,
    read_arrival,
)
from bargein.carriers.sip.messages import (
    Answer,
    Called,
    Configure,
    Ended,
    HangUp,
    Place,
    Press,
    Refuse,
    Register,
    Rings,
    Taken,
    Told,
    Transfer,
)
from bargein.carriers.sip.number import BYO, VAPI
from bargein.carriers.sip.pings import EVERY_S, Pings
from bargein.carriers.sip.settings import SipSettings
from bargein.carriers.sip.supervisor import SipAgent, SipSocket
from bargein.carriers.sip.trunk import IN_FAILED, NOT_CONNECTED, attempts_of, ended_reason, refer_to, registrations_of
from bargein.carriers.sip.uris import SipUri, read_uri
from bargein.carriers.stream import CallControl, StreamLeg
from bargein.clock import Clock
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject

_TRANSFER_S = 30.0
_PRESS_S = 60.0
_NOWHERE = interface.Addresses(voice="", status="")
"""A SIP call is not reached by URLs."""

_log = structlog.get_logger("bargein.carriers.sip")


@dataclass(slots=True)
class _Call:
    """A call that goes on.

    Attributes:
        provider: of its number.
        phone_line: the number.
        inbound: whether it came in.
        call_id: the server's; None until the server has taken it.
        far: the other side's address.
    """

    provider: str
    phone_line: PhoneLine
    inbound: bool
    call_id: str | None = None
    far: SipUri | None = None
    ended: bool = False


class SipLeg(StreamLeg):
    """The leg of a SIP call: one whose agent dies is told apart from one whose caller goes."""

    def __init__(
        self, socket: SipSocket, codec: SipCodec, control: CallControl, odd: Callable[[str], None], failed: str
    ) -> None:
        super().__init__(socket, codec, control, odd=odd)
        self._media = socket
        self._failed = failed

    @override
    async def ended_reason(self) -> str:
        reason = await super().ended_reason()
        return self._failed if self._media.lost else reason


class SipGateway:
    """Takes calls from the agent to the server, and the server's wishes to the agent.

    Args:
        settings: how SIP is served.
        clock: the one clock.
        proof: the secret that the proxy in front shares; None: there is none.
    """

    def __init__(self, settings: SipSettings, clock: Clock, proof: str | None) -> None:
        self._settings = settings
        self._proof = proof
        self._agent = SipAgent(self._configure, clock, self._told)
        self._pings = Pings(settings.authorities)
        self._looking = anyio.Lock()
        self._arriving: set[str] = set()
        self._calls: dict[str, _Call] = {}
        self._carrier: Carrier | None = None
        self._host: CarrierHost | None = None
        self._tasks: anyio.abc.TaskGroup | None = None

    @property
    def agent(self) -> SipAgent:
        """The agent's process."""
        return self._agent

    def serve(self, carrier: Carrier) -> None:
        """Bring calls as this carrier's."""
        self._carrier = carrier

    async def run(self, host: CarrierHost) -> None:
        """Work until cancelled."""
        self._host = host
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._keep_up, host)
            await self._agent.run()

    def _configure(self, order: int) -> Configure:
        given = self._settings
        return Configure(
            order=order,
            listen=given.listen,
            transports=given.transports,
            certificate=given.certificate,
            authorities=given.authorities,
            rtp_ports=given.rtp_ports,
            interface=given.audio_interface,
            headers=(*ALWAYS, *(given.headers if self._proof is None else FROM_PROXY)),
            most_calls=given.most_calls,
        )

    async def _keep_up(self, host: CarrierHost) -> None:
        """Register with trunks that want it, and ask gateways; new ones are found within half a minute."""
        while True:
            phone_lines = await host.phone_lines(BYO)
            await self._register(phone_lines)
            await self._pings.ask(phone_lines)
            await anyio.sleep(EVERY_S)

    async def _register(self, phone_lines: Mapping[str, PhoneLine]) -> None:
        wanted = [
            account
            for phone_line in phone_lines.values()
            if phone_line.credential is not None
            and (account := registrations_of(phone_line.credential, self._settings.proxy)) is not None
        ]
        if wanted:
            try:
                accounts = tuple(dict.fromkeys(wanted))
                await self._agent.ask(Register(order=self._agent.number(), accounts=accounts))
            except CarrierError as error:
                _log.info("trunks are not registered with yet", reason=str(error))

    async def _lines(self, host: CarrierHost) -> dict[str, Mapping[str, PhoneLine]]:
        """The numbers as they stand now; a flood of calls has them looked up one after the other."""
        async with self._looking:
            return {provider: await host.phone_lines(provider) for provider in (BYO, VAPI)}

    # What the agent tells.

    def _told(self, told: Told) -> None:
        if self._tasks is None or self._host is None:
            return
        match told:
            case Called():
                self._arriving.add(told.call)
                self._tasks.start_soon(self._called, told, self._host)
            case Ended() if told.call in self._arriving:
                self._arriving.discard(told.call)
            case Rings() if (call := self._calls.get(told.call)) is not None:
                self._tasks.start_soon(self._host.notice, call.provider, Ringing(told.call))
            case Taken() if (call := self._calls.get(told.call)) is not None:
                self._tasks.start_soon(self._hold, told, call, self._host)
            case Ended() if (call := self._calls.pop(told.call, None)) is not None:
                call.ended = True
                if not told.taken:
                    self._tasks.start_soon(self._over, told, call, self._host)
            case _:
                pass

    async def _called(self, called: Called, host: CarrierHost) -> None:
        try:
            arrival = read_arrival(called, self._proof, direct=self._settings.direct)
            phone_lines = await self._lines(host)
            provider, number_id = number_for(arrival, phone_lines)
        except StrangerError as error:
            host.count_refusal("sip", error.reason)
            _log.info("an INVITE was refused", reason=error.reason)
            self._arriving.discard(called.call)
            await self._refuse(called.call)
            return
        if called.call not in self._arriving:
            return  # the caller has given up already
        self._arriving.discard(called.call)
        phone_line = phone_lines[provider][number_id]
        call = _Call(provider, phone_line, inbound=True, far=arrival.caller)
        self._calls[called.call] = call
        await self._offer(called, arrival, call, host, number_id)

    async def _offer(self, called: Called, arrival: Arrival, call: _Call, host: CarrierHost, number_id: str) -> None:
        """Ask the server who takes a call, and see to it."""
        provider = call.provider
        try:
            verdict = await host.incoming(provider, number_id, incoming_of(called, arrival, provider))
        except CarrierError as error:
            _log.warning("a call that came in could not be taken", reason=str(error))
            verdict = Rejected()
        if isinstance(verdict, Rejected):
            self._calls.pop(called.call, None)
            await self._turn(called.call, call, verdict.forward_to)
            return
        call.call_id = verdict.call_id
        try:
            await self._agent.ask(Answer(order=self._agent.number(), call=called.call))
        except CarrierError:
            if not call.ended:
                self._calls.pop(called.call, None)
                await host.notice(provider, CallEnded(called.call, IN_FAILED, "it could not be answered"))

    async def _turn(self, name: str, call: _Call, forward_to: JsonObject | None) -> None:
        """End a call that nobody takes, or forward it."""
        uri: str | None = None
        if forward_to is not None:
            try:
                uri = refer_to(call.phone_line.credential, forward_to, call.far)
            except CarrierError as error:
                _log.warning("a call could not be forwarded", reason=str(error))
        await self._refuse(name, uri)

    async def _refuse(self, name: str, forward: str | None = None) -> None:
        try:
            await self._agent.ask(
                Refuse(order=self._agent.number(), call=name, forward=forward), 10 if forward is None else 45
            )
        except CarrierError as error:
            _log.info("a call that was turned away is over", reason=str(error))

    async def _hold(self, taken: Taken, call: _Call, host: CarrierHost) -> None:
        """Bring a call that runs to the server."""
        try:
            socket = self._agent.socket_of(taken)
        except CarrierError:
            return
        carrier, provider = self._carrier, call.provider
        if carrier is None:
            raise AssertionError("serve comes before run")
        codec = SipCodec()
        codec.rate_hz = taken.rate_hz
        control = CallControl(carrier, call.phone_line, taken.call, _NOWHERE)
        failed = IN_FAILED if call.inbound else NOT_CONNECTED
        leg = SipLeg(socket, codec, control, lambda reason: host.count_refusal(provider, reason), failed)
        try:
            if not call.inbound:
                await host.notice(provider, Answered(taken.call))
            if call.call_id is not None:
                await host.run_call(call.call_id, leg)
        except CarrierError as error:
            _log.warning("a call could not be held", reason=str(error))
        finally:
            with anyio.CancelScope(shield=True), suppress(CarrierError):
                await self.hang_up(taken.call)

    async def _over(self, ended: Ended, call: _Call, host: CarrierHost) -> None:
        if self._agent.problem is not None and ended.status is None and not ended.timed_out:
            reason = IN_FAILED if call.inbound else NOT_CONNECTED
        else:
            reason = ended_reason(ended.status, taken=ended.taken, inbound=call.inbound, timed_out=ended.timed_out)
        said = " ".join(filter(None, ("" if ended.status is None else str(ended.status), ended.why)))
        await host.notice(call.provider, CallEnded(ended.call, reason, said))

    # What the server wants.

    async def place(self, phone_line: PhoneLine, dial: Dial) -> Placed:
        """Place a call, as `Carrier.place`."""
        attempts = attempts_of(
            phone_line.credential if _provider_of(phone_line) == BYO else None,
            dial.customer,
            _caller_id(phone_line, dial.customer),
            dict(dial.sip_headers),
            self._settings.proxy,
            answers=self._pings.answers,
        )
        name = f"sip-{dial.call_id}"
        self._calls[name] = _Call(
            _provider_of(phone_line), phone_line, inbound=False, call_id=dial.call_id, far=read_uri(attempts[0].uri)
        )
        order = Place(
            order=self._agent.number(),
            call=name,
            attempts=attempts,
            ring_s=float(dial.ring_s),
            keys=str(dial.customer.get("extension") or ""),
        )
        try:
            await self._agent.ask(order)
        except CarrierError:
            self._calls.pop(name, None)
            raise
        return Placed(name, {"callSid": name})

    async def hang_up(self, name: str) -> None:
        """End a call, as `Carrier.hang_up`."""
        if name in self._calls:
            try:
                await self._agent.ask(HangUp(order=self._agent.number(), call=name), 5)
            except CarrierError:
                if self._agent.problem is None:
                    raise

    async def send_dtmf(self, name: str, keys: str) -> None:
        """Send keys, as `Carrier.send_dtmf`."""
        await self._agent.ask(Press(order=self._agent.number(), call=name, keys=keys), _PRESS_S)

    async def transfer(self, name: str, phone_line: PhoneLine, destination: JsonObject) -> None:
        """Transfer a call, as `Carrier.transfer`."""
        call = self._calls.get(name)
        uri = refer_to(phone_line.credential, destination, None if call is None else call.far)
        order = Transfer(order=self._agent.number(), call=name, uri=uri, timeout_s=_TRANSFER_S)
        await self._agent.ask(order, _TRANSFER_S + 5)

    async def refuse(self, incoming: Incoming, phone_line: PhoneLine, forward_to: JsonObject | None) -> None:
        """Reject or forward a call, as `Carrier.refuse`."""
        call = self._calls.pop(incoming.carrier_call_id, None)
        if call is not None:
            await self._turn(
                incoming.carrier_call_id, _Call(call.provider, phone_line, inbound=True, far=call.far), forward_to
            )


def _provider_of(phone_line: PhoneLine) -> str:
    return str(phone_line.number.get("provider"))


def _caller_id(phone_line: PhoneLine, customer: JsonObject) -> str:
    """The user part of the address that calls: the customer's `callerId`, the number, or that of its SIP URI."""
    uri = read_uri(str(phone_line.number.get("sipUri") or ""))
    return str(customer.get("callerId") or phone_line.number.get("number") or (uri.user if uri else "") or VAPI)
