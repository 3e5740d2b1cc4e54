"""The gateway between the server and the SIP agent's process, for the calls of all numbers that SIP serves."""

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
    Invite,
    InviteRefusedError,
    incoming_of,
    number_for,
    read_invite,
)
from bargein.carriers.sip.messages import (
    Answer,
    Configure,
    Ended,
    Established,
    HangUp,
    Invited,
    Place,
    Refuse,
    Register,
    Report,
    Rings,
    SendDtmf,
    Transfer,
)
from bargein.carriers.sip.number import BYO, VAPI
from bargein.carriers.sip.pings import EVERY_S, Pings
from bargein.carriers.sip.settings import SipSettings
from bargein.carriers.sip.supervisor import SipAgent, SipSocket
from bargein.carriers.sip.trunk import IN_FAILED, NOT_CONNECTED, attempts_of, ended_reason, refer_to, registration_of
from bargein.carriers.sip.uris import SipUri, read_uri
from bargein.carriers.stream import CallControl, StreamLeg
from bargein.clock import Clock
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject

_TRANSFER_S = 30.0
_DTMF_S = 60.0
_NOWHERE = interface.Addresses(voice="", status="")
"""Nothing reaches a SIP call by URL."""

_log = structlog.get_logger("bargein.carriers.sip")


@dataclass(slots=True)
class _Call:
    """A current call.

    Attributes:
        provider: the provider of its number.
        phone_line: the number and its credential.
        inbound: True if it came in, False if the server placed it.
        call_id: the server's id of the call; None until the server has accepted it.
        remote: the address of the other side.
        ended: True once the agent has reported its end.
    """

    provider: str
    phone_line: PhoneLine
    inbound: bool
    call_id: str | None = None
    remote: SipUri | None = None
    ended: bool = False


class SipLeg(StreamLeg):
    """The leg of a SIP call. It tells the loss of the agent apart from the caller's hanging up."""

    def __init__(
        self, socket: SipSocket, codec: SipCodec, control: CallControl, on_bad_input: Callable[[str], None], failed: str
    ) -> None:
        super().__init__(socket, codec, control, on_bad_input=on_bad_input)
        self._socket = socket
        self._failed = failed

    @override
    def release(self) -> None:
        """Do nothing: nobody else can end a call whose far end this server is."""

    @override
    async def ended_reason(self) -> str:
        reason = await super().ended_reason()
        return self._failed if self._socket.lost else reason


class SipGateway:
    """Brings the agent's calls to the server, and the server's requests to the agent.

    Args:
        settings: the settings of SIP.
        clock: the one clock.
        secret: the secret that the proxy in front shares with the server; None: there is no proxy.
    """

    def __init__(self, settings: SipSettings, clock: Clock, secret: str | None) -> None:
        self._settings = settings
        self._secret = secret
        self._agent = SipAgent(self._configure, clock, self._on_report)
        self._pings = Pings(settings.authorities)
        self._lookup = anyio.Lock()
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
        """Set the carrier whose calls these are; comes before `run`."""
        self._carrier = carrier

    async def run(self, host: CarrierHost) -> None:
        """Work until cancelled."""
        self._host = host
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._refresh_trunks, host)
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
            headers=(*ALWAYS, *(given.headers if self._secret is None else FROM_PROXY)),
            most_calls=given.most_calls,
        )

    async def _refresh_trunks(self, host: CarrierHost) -> None:
        """Register with trunks and ping gateways, every half minute, so that new ones are found."""
        while True:
            phone_lines = await host.phone_lines(BYO)
            await self._register(phone_lines)
            await self._pings.ping(phone_lines)
            await anyio.sleep(EVERY_S)

    async def _register(self, phone_lines: Mapping[str, PhoneLine]) -> None:
        wanted = [
            account
            for phone_line in phone_lines.values()
            if phone_line.credential is not None
            and (account := registration_of(phone_line.credential, self._settings.proxy)) is not None
        ]
        if wanted:
            try:
                accounts = tuple(dict.fromkeys(wanted))
                await self._agent.request(Register(order=self._agent.next_order(), accounts=accounts))
            except CarrierError as error:
                _log.info("trunks are not registered yet", reason=str(error))

    async def _all_phone_lines(self, host: CarrierHost) -> dict[str, Mapping[str, PhoneLine]]:
        """Return the numbers at this moment; one lookup at a time, to spare the store in a flood of calls."""
        async with self._lookup:
            return {provider: await host.phone_lines(provider) for provider in (BYO, VAPI)}

    # Reports of the agent.

    def _on_report(self, report: Report) -> None:
        if self._tasks is None or self._host is None:
            return
        match report:
            case Invited():
                self._arriving.add(report.call)
                self._tasks.start_soon(self._on_invite, report, self._host)
            case Ended() if report.call in self._arriving:
                self._arriving.discard(report.call)
            case Rings() if (call := self._calls.get(report.call)) is not None:
                self._tasks.start_soon(self._host.notice, call.provider, Ringing(report.call))
            case Established() if (call := self._calls.get(report.call)) is not None:
                self._tasks.start_soon(self._run_call, report, call, self._host)
            case Ended() if (call := self._calls.pop(report.call, None)) is not None:
                call.ended = True
                if not report.established:
                    self._tasks.start_soon(self._report_end, report, call, self._host)
            case _:
                pass

    async def _on_invite(self, invited: Invited, host: CarrierHost) -> None:
        try:
            invite = read_invite(invited, self._secret, direct=self._settings.direct)
            phone_lines = await self._all_phone_lines(host)
            provider, number_id = number_for(invite, phone_lines)
        except InviteRefusedError as error:
            host.count_refusal("sip", error.reason)
            _log.info("an INVITE was refused", reason=error.reason)
            self._arriving.discard(invited.call)
            await self._refuse(invited.call)
            return
        if invited.call not in self._arriving:
            return  # the caller has hung up already
        self._arriving.discard(invited.call)
        phone_line = phone_lines[provider][number_id]
        call = _Call(provider, phone_line, inbound=True, remote=invite.caller)
        self._calls[invited.call] = call
        await self._offer(invited, invite, call, host, number_id)

    async def _offer(self, invited: Invited, invite: Invite, call: _Call, host: CarrierHost, number_id: str) -> None:
        """Offer a call to the server, and answer or reject it."""
        provider = call.provider
        try:
            decision = await host.incoming(provider, number_id, incoming_of(invited, invite, provider))
        except CarrierError as error:
            _log.warning("an incoming call could not be accepted", reason=str(error))
            decision = Rejected()
        if isinstance(decision, Rejected):
            self._calls.pop(invited.call, None)
            await self._reject(invited.call, call, decision.forward_to)
            return
        call.call_id = decision.call_id
        try:
            await self._agent.request(Answer(order=self._agent.next_order(), call=invited.call))
        except CarrierError:
            if not call.ended:
                self._calls.pop(invited.call, None)
                await host.notice(provider, CallEnded(invited.call, IN_FAILED, "it could not be answered"))

    async def _reject(self, name: str, call: _Call, forward_to: JsonObject | None) -> None:
        """Reject a call, or forward it."""
        uri: str | None = None
        if forward_to is not None:
            try:
                uri = refer_to(call.phone_line.credential, forward_to, call.remote)
            except CarrierError as error:
                _log.warning("a call could not be forwarded", reason=str(error))
        await self._refuse(name, uri)

    async def _refuse(self, name: str, forward: str | None = None) -> None:
        try:
            await self._agent.request(
                Refuse(order=self._agent.next_order(), call=name, forward=forward), 10 if forward is None else 45
            )
        except CarrierError as error:
            _log.info("a rejected call has ended already", reason=str(error))

    async def _run_call(self, established: Established, call: _Call, host: CarrierHost) -> None:
        """Run an established call in the server."""
        try:
            socket = self._agent.socket_of(established)
        except CarrierError:
            return
        carrier, provider = self._carrier, call.provider
        if carrier is None:
            raise AssertionError("serve comes before run")
        codec = SipCodec()
        codec.rate_hz = established.rate_hz
        control = CallControl(carrier, call.phone_line, established.call, _NOWHERE)
        failed = IN_FAILED if call.inbound else NOT_CONNECTED
        leg = SipLeg(socket, codec, control, lambda reason: host.count_refusal(provider, reason), failed)
        try:
            if not call.inbound:
                await host.notice(provider, Answered(established.call))
            if call.call_id is not None:
                await host.run_call(call.call_id, leg)
        except CarrierError as error:
            _log.warning("a call could not be run", reason=str(error))
        finally:
            with anyio.CancelScope(shield=True), suppress(CarrierError):
                await self.hang_up(established.call)

    async def _report_end(self, ended: Ended, call: _Call, host: CarrierHost) -> None:
        if self._agent.problem is not None and ended.status is None and not ended.timed_out:
            reason = IN_FAILED if call.inbound else NOT_CONNECTED
        else:
            reason = ended_reason(
                ended.status, established=ended.established, inbound=call.inbound, timed_out=ended.timed_out
            )
        detail = " ".join(filter(None, ("" if ended.status is None else str(ended.status), ended.detail)))
        await host.notice(call.provider, CallEnded(ended.call, reason, detail))

    # Requests of the server.

    async def place(self, phone_line: PhoneLine, dial: Dial) -> Placed:
        """Place a call, as `Carrier.place`."""
        attempts = attempts_of(
            phone_line.credential if _provider_of(phone_line) == BYO else None,
            dial.customer,
            _caller_id(phone_line, dial.customer),
            dict(dial.sip_headers),
            self._settings.proxy,
            responds=self._pings.responds,
        )
        name = f"sip-{dial.call_id}"
        self._calls[name] = _Call(
            _provider_of(phone_line), phone_line, inbound=False, call_id=dial.call_id, remote=read_uri(attempts[0].uri)
        )
        order = Place(
            order=self._agent.next_order(),
            call=name,
            attempts=attempts,
            ring_s=float(dial.ring_s),
            keys=str(dial.customer.get("extension") or ""),
        )
        try:
            await self._agent.request(order)
        except CarrierError:
            self._calls.pop(name, None)
            raise
        return Placed(name, {"callSid": name})

    async def hang_up(self, name: str) -> None:
        """End a call, as `Carrier.hang_up`."""
        if name in self._calls:
            try:
                await self._agent.request(HangUp(order=self._agent.next_order(), call=name), 5)
            except CarrierError:
                if self._agent.problem is None:
                    raise

    async def send_dtmf(self, name: str, keys: str) -> None:
        """Send keys, as `Carrier.send_dtmf`."""
        await self._agent.request(SendDtmf(order=self._agent.next_order(), call=name, keys=keys), _DTMF_S)

    async def transfer(self, name: str, phone_line: PhoneLine, destination: JsonObject) -> None:
        """Transfer a call, as `Carrier.transfer`."""
        call = self._calls.get(name)
        uri = refer_to(phone_line.credential, destination, None if call is None else call.remote)
        order = Transfer(order=self._agent.next_order(), call=name, uri=uri, timeout_s=_TRANSFER_S)
        await self._agent.request(order, _TRANSFER_S + 5)

    async def refuse(self, incoming: Incoming, phone_line: PhoneLine, forward_to: JsonObject | None) -> None:
        """Reject or forward a call, as `Carrier.refuse`."""
        call = self._calls.pop(incoming.carrier_call_id, None)
        if call is not None:
            await self._reject(
                incoming.carrier_call_id, _Call(call.provider, phone_line, inbound=True, remote=call.remote), forward_to
            )


def _provider_of(phone_line: PhoneLine) -> str:
    return str(phone_line.number.get("provider"))


def _caller_id(phone_line: PhoneLine, customer: JsonObject) -> str:
    """Return the user part of the caller's address: the customer's `callerId`, the number, or that of its SIP URI."""
    uri = read_uri(str(phone_line.number.get("sipUri") or ""))
    return str(customer.get("callerId") or phone_line.number.get("number") or (uri.user if uri else "") or VAPI)
