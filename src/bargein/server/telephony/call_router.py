"""Where carriers and calls meet: what carriers tell goes to the call that it is about."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio
import structlog
from typing_extensions import override

from bargein.carriers.interface import (
    Accepted,
    Answer,
    Answered,
    CallEnded,
    CarrierHost,
    ForgedError,
    Incoming,
    MediaLeg,
    PhoneLine,
    Rejected,
    Ringing,
    WebhookRequest,
)
from bargein.carriers.registry import BY_PROVIDER
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.ports import CallRecords, CarrierError, StoreError
from bargein.server.calls.live_calls import LiveCalls
from bargein.server.calls.owner_jobs import OwnerJobs
from bargein.server.ops.metrics import Metrics
from bargein.server.telephony.call_registry import NumberEndpoint, PhoneCall, PhoneCallRegistry
from bargein.server.telephony.call_runner import run_call
from bargein.server.telephony.carriers import Carriers
from bargein.server.telephony.inbound import InboundPhoneCalls, Once
from bargein.server.telephony.numbers import PhoneNumbers
from bargein.server.telephony.socket_tokens import SocketTokens
from bargein.server.telephony.urls import addresses_of
from bargein.settings import Settings
from bargein.wire.errors import WireError
from bargein.wire.telephony import NEVER_CONNECTED

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from bargein.wire.base import JsonObject

CONNECT_S = 20.0
"""How long after it was answered a call's audio may take to come."""
_ARRIVAL_S = 60.0
_CARRIER_S = 30.0
_HANG_UP_S = 10.0
_NAMED_S = 5.0
_SHUTDOWN = "worker-shutdown"

_log = structlog.get_logger("bargein.server")


class PhoneCallRouter(CarrierHost):
    """The telephone calls of this server; also a carrier's `House`.

    Args:
        settings: how carriers and this machine reach the server.
        clock: the one clock.
        desk: holds live calls.
        arrivals: receives calls.
        phone_lines: finds numbers.
        reporting: tells owners that a call rings.
        records: where calls' records are kept.
        metrics: are told of what is refused.
        tasks: the server's.

    Attributes:
        book: the calls, from their first sign to their end.
        tokens: open their media sockets.
        carriers: those that there are.
        found: finds numbers.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        live_calls: LiveCalls,
        inbound_calls: InboundPhoneCalls,
        phone_lines: PhoneNumbers,
        owner_jobs: OwnerJobs,
        records: CallRecords,
        metrics: Metrics,
        tasks: "TaskGroup",
    ) -> None:
        self.registry = PhoneCallRegistry()
        self.tokens = SocketTokens(clock)
        self.carriers = Carriers(settings, clock)
        self.found = phone_lines
        self._clock = clock
        self._live_calls = live_calls
        self._inbound_calls = inbound_calls
        self._records = records
        self._owner_jobs = owner_jobs
        self._metrics = metrics
        self._tasks = tasks
        self._public_url = settings.server.public_url
        self._own_url = f"http://{settings.server.host}:{settings.server.port}"
        self._answers = Once[Answer]()
        self._taken = Once[Accepted | Rejected]()

    # What carriers' requests say.

    async def webhook(
        self, provider: str, number_id: str, request: WebhookRequest, base_url: str, *, at_voice: bool
    ) -> Answer:
        """Take a carrier's request.

        Raises:
            WireError: 400, 403 or 404: it is refused, and counted.
        """
        endpoint = await self.endpoint(provider, number_id)
        try:
            endpoint.carrier.verify(endpoint.phone_line, request)
            owner_events = endpoint.carrier.read(request)
        except ForgedError as error:
            self.count_refusal(provider, "forged")
            _log.warning("a carrier's webhook was refused", provider=provider, reason=str(error))
            raise WireError(403, "This request is not signed as the carrier's own.") from None
        except ValueError as error:
            self.count_refusal(provider, "webhook")
            _log.warning("a carrier's webhook makes no sense", provider=provider, reason=type(error).__name__)
            raise WireError(400, ["the request cannot be read"]) from None
        answer: Answer | None = None
        for notice in owner_events:
            if isinstance(notice, Incoming):
                dialled = await self._dialled(endpoint, notice.to)
                answer = await self._answer_incoming(dialled, notice, self._public_url or base_url)
            else:
                await self.notice(provider, notice)
                if at_voice and isinstance(notice, Answered):
                    answer = await self._answer_outbound(provider, notice) or answer
        return answer or endpoint.carrier.acknowledge()

    async def endpoint(self, provider: str, number_id: str) -> NumberEndpoint:
        """The number that an address of a carrier's means.

        Raises:
            WireError: 404: there is none.
        """
        known = provider if provider in BY_PROVIDER else "unknown"
        try:
            carrier = self.carriers.find(provider)
        except CarrierError as error:
            self.count_refusal(known, "carrier")
            raise WireError(404, str(error)) from None
        phone_line = await self.found.find(provider, number_id)
        if phone_line is None:
            self.count_refusal(known, "number")
            raise WireError(404, "There is no phone number at this address.")
        return NumberEndpoint(provider, number_id, carrier, phone_line)

    async def _dialled(self, endpoint: NumberEndpoint, to: str) -> NumberEndpoint:
        number_id, phone_line = await self.found.dialled(endpoint.provider, endpoint.number_id, endpoint.phone_line, to)
        return (
            endpoint
            if number_id == endpoint.number_id
            else NumberEndpoint(endpoint.provider, number_id, endpoint.carrier, phone_line)
        )

    async def _answer_incoming(self, endpoint: NumberEndpoint, incoming: Incoming, base_url: str) -> Answer:
        async def answer() -> Answer:
            outcome = await self._receive(endpoint, incoming, base_url)
            call = None if isinstance(outcome, Rejected) else self.registry.find(outcome.call_id)
            if call is None:  # nobody takes it, or it is over already
                turned = outcome if isinstance(outcome, Rejected) else Rejected()
                return await self._turned_away(endpoint, incoming, turned)
            return await self._connected(call, incoming.carrier_call_id) or endpoint.carrier.acknowledge()

        return await self._answers.do((endpoint.provider, endpoint.number_id, incoming.carrier_call_id), answer)

    async def _turned_away(self, endpoint: NumberEndpoint, incoming: Incoming, turned: Rejected) -> Answer:
        try:
            with anyio.fail_after(_CARRIER_S):
                return await endpoint.carrier.refuse(endpoint.phone_line, incoming, turned.forward_to)
        except (CarrierError, TimeoutError) as error:
            _log.warning("a call could not be turned away", reason=str(error) or "the carrier took too long")
            return endpoint.carrier.acknowledge()

    async def _connected(self, call: PhoneCall, carrier_call_id: str) -> Answer | None:
        """Have its audio come; None: that failed, and the call is over."""
        endpoint = call.endpoint
        try:
            with anyio.fail_after(_CARRIER_S):
                return await endpoint.carrier.answer(endpoint.phone_line, carrier_call_id, call.addresses)
        except (CarrierError, TimeoutError) as error:
            await self.end(
                call, BY_PROVIDER[endpoint.provider].names.failed_to_connect, str(error) or "the carrier took too long"
            )
            return None

    async def _answer_outbound(self, provider: str, notice: Answered) -> Answer | None:
        call = await self.registry.named(provider, notice.carrier_call_id, 0)
        if call is None or not call.outbound or call.over is not None:
            return None
        return await self._connected(call, notice.carrier_call_id)

    # `bargein.carriers.interface.CarrierHost`.

    @override
    async def phone_lines(self, provider: str) -> Mapping[str, PhoneLine]:
        return await self.found.of_provider(provider)

    @override
    async def incoming(self, provider: str, number_id: str, incoming: Incoming) -> Accepted | Rejected:
        try:
            endpoint = await self.endpoint(provider, number_id)
        except WireError:
            return Rejected()

        async def receive() -> Accepted | Rejected:
            return await self._receive(endpoint, incoming, self._public_url or self._own_url)

        return await self._taken.do((provider, number_id, incoming.carrier_call_id), receive)

    async def _receive(self, endpoint: NumberEndpoint, incoming: Incoming, base_url: str) -> Accepted | Rejected:
        call_id = self._inbound_calls.call_id(endpoint.provider, endpoint.number_id, incoming.carrier_call_id)
        call = self.enter(endpoint, call_id, base_url, incoming.carrier_call_id)
        try:
            outcome = await self._inbound_calls.receive(
                endpoint.provider, endpoint.number_id, endpoint.phone_line, incoming, base_url
            )
        except BaseException:
            self.strike(call)
            raise
        if isinstance(outcome, Rejected):
            call.end("turned-away")
            self.strike(call)
        elif call.over is not None:  # the caller hung up while somebody was being found
            await self._finish(call, call.over, "")
        else:
            await self._owner_jobs.announce(call.id, "ringing")
            self._tasks.start_soon(self.expect_media, call)
        return outcome

    @override
    async def notice(self, provider: str, notice: Ringing | Answered | CallEnded) -> None:
        call = await self.registry.named(provider, notice.carrier_call_id, _NAMED_S)
        if call is None:
            return
        match notice:
            case Ringing():
                if call.outbound and not call.answered.is_set():
                    await self._records.update(call.id, {"status": "ringing"})
                    await self._owner_jobs.announce(call.id, "ringing")
            case Answered(by=by, detail=detail):
                call.answered.set()
                if by is not None:
                    call.by = (by, detail)
                    if call.session is not None:
                        call.session.handle_answered_by(by, detail)
            case CallEnded(reason=reason, detail=detail):
                await self.end(call, reason, detail)

    @override
    async def run_call(self, call_id: str, leg: MediaLeg) -> None:
        call = self.registry.find(call_id)
        if call is None or call.over is not None:
            raise CarrierError("this call is over.")
        if call.connected.is_set():
            raise CarrierError("this call has its audio already.")
        call.connected.set()
        call.answered.set()
        try:
            failed = await run_call(
                self._live_calls, call, leg, lambda reason: self.count_refusal(call.endpoint.provider, reason)
            )
            if failed is not None:
                call.end(failed[0])
                await self._finish(call, call.over or failed[0], failed[1])
        finally:
            call.end("held")
            self.strike(call)

    @override
    def count_refusal(self, provider: str, reason: str) -> None:
        self._metrics.carrier_refused(provider, reason)

    def find(self, call_id: str) -> PhoneCall | None:
        """A call that this server has to do with."""
        return self.registry.find(call_id)

    async def warm_up(self) -> None:
        """Load the carriers of the stored numbers."""
        try:
            await self.carriers.warm_up(await self.found.providers())
        except StoreError as error:
            _log.warning("carriers are loaded later", reason=str(error))

    # How they end.

    async def expect_media(self, call: PhoneCall) -> None:
        """Give an answered call up whose audio does not come."""
        with anyio.move_on_after(CONNECT_S):
            await call.connected.wait()
        if not call.connected.is_set():
            await self.end(call, NEVER_CONNECTED, "the carrier did not open the call's media socket")

    async def cancel(self, call_id: str, reason: str) -> None:
        """End a call that is not live yet."""
        call = self.registry.find(call_id)
        if call is not None and call.session is None:
            await self.end(call, reason, "")

    async def close(self) -> None:
        """End all that are not live."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                for call in self.registry:
                    if call.session is None:
                        tasks.start_soon(self.end, call, _SHUTDOWN, "")
            await self.carriers.close()

    async def end(self, call: PhoneCall, reason: str, detail: str) -> None:
        """A call is over, or is to be: a live one ends by itself, of another that is put on record."""
        was_connected = call.connected.is_set()
        if call.session is not None:
            call.session.hang_up(reason)
            return
        if not call.end(reason) or was_connected:
            return  # whoever is about to hold it sees it
        await self._finish(call, reason, detail)

    async def _finish(self, call: PhoneCall, reason: str, detail: str) -> None:
        self.strike(call)
        await self.end_record(call.id, reason, detail)
        await self.hang_up(call)

    async def hang_up(self, call: PhoneCall) -> None:
        """End a call at its carrier, if it is there."""
        if call.carrier_call_id is None:
            return
        try:
            with anyio.fail_after(_HANG_UP_S, shield=True):
                await call.control().hang_up()
        except (CarrierError, TimeoutError) as error:
            _log.warning("a call could not be hung up", call_id=call.id, reason=str(error) or "it took too long")

    async def end_record(self, call_id: str, reason: str, detail: str) -> None:
        """Put on record that a call ended which never was live."""
        _log.warning("a telephone call came to nothing", call_id=call_id, reason=reason, detail=detail or None)
        self._metrics.ended(reason)
        ended_at = iso_from_epoch_ms(self._clock.epoch_ms())
        ended: JsonObject = {"status": "ended", "endedReason": reason, "endedAt": ended_at}
        await self._records.finish(call_id, {**ended, **({"endedMessage": detail} if detail else {})})

    def enter(self, endpoint: NumberEndpoint, call_id: str, base_url: str, carrier_call_id: str | None) -> PhoneCall:
        """Take a call into the book: one that came in, or, without the carrier's name of it, one to be placed."""
        token = None if carrier_call_id is None else self.tokens.issue(call_id, _ARRIVAL_S)
        call = PhoneCall(
            id=call_id,
            endpoint=endpoint,
            outbound=carrier_call_id is None,
            addresses=addresses_of(base_url, endpoint.provider, endpoint.number_id, call_id, token),
            carrier_call_id=carrier_call_id,
        )
        self.registry.enter(call)
        return call

    def strike(self, call: PhoneCall) -> None:
        """A call is over and on record: forget it."""
        self.registry.strike(call)
        self.tokens.forget(call.id)
