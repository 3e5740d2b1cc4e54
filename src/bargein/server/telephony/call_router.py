"""The routing of carriers' webhooks and notices to the calls of this server."""

from collections.abc import Mapping
from dataclasses import replace
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
"""The time that a call's audio may take to connect after the call was answered."""
_TOKEN_S = 60.0
_CARRIER_S = 30.0
_HANG_UP_S = 10.0
_PLACING_S = 5.0
_SHUTDOWN = "worker-shutdown"

_log = structlog.get_logger("bargein.server")


class PhoneCallRouter(CarrierHost):
    """The telephone calls of this server, and the `CarrierHost` of native carriers.

    Args:
        settings: the server's addresses and the carriers' sections.
        clock: the one clock.
        live_calls: the calls that have a session.
        inbound_calls: creates the records of incoming calls.
        phone_numbers: finds numbers and their credentials.
        owner_jobs: sends the owner a status update when a call rings.
        records: the records of calls.
        metrics: count refusals and ended calls.
        tasks: the server's task group.

    Attributes:
        registry: the calls, from their first notice to their end.
        tokens: the tokens that open media sockets.
        carriers: the carriers.
        numbers: finds numbers and their credentials.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        live_calls: LiveCalls,
        inbound_calls: InboundPhoneCalls,
        phone_numbers: PhoneNumbers,
        owner_jobs: OwnerJobs,
        records: CallRecords,
        metrics: Metrics,
        tasks: "TaskGroup",
    ) -> None:
        self.registry = PhoneCallRegistry()
        self.tokens = SocketTokens(clock)
        self.carriers = Carriers(settings, clock)
        self.numbers = phone_numbers
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
        self._decisions = Once[Accepted | Rejected]()

    # Webhooks.

    async def webhook(
        self, provider: str, number_id: str, request: WebhookRequest, base_url: str, *, at_voice: bool
    ) -> Answer:
        """Handle a carrier's webhook.

        Args:
            provider: the provider in its path.
            number_id: the number's id in its path.
            request: the request.
            base_url: the server's URL by this request.
            at_voice: True if it came to the voice URL, whose answer has instructions.

        Raises:
            WireError: 400, 403 or 404: the request is refused, and counted.
        """
        endpoint = await self.endpoint(provider, number_id)
        try:
            endpoint.carrier.verify(endpoint.phone_line, request)
            notices = endpoint.carrier.read(request)
        except ForgedError as error:
            self.count_refusal(provider, "forged")
            _log.warning("a carrier's webhook was refused", provider=provider, reason=str(error))
            raise WireError(403, "This request is not signed as the carrier's own.") from None
        except ValueError as error:
            self.count_refusal(provider, "webhook")
            _log.warning("a carrier's webhook cannot be read", provider=provider, reason=type(error).__name__)
            raise WireError(400, ["the request cannot be read"]) from None
        answer: Answer | None = None
        for notice in notices:
            if isinstance(notice, Incoming):
                called = await self._called_endpoint(endpoint, notice.to)
                answer = await self._answer_incoming(called, notice, self._public_url or base_url)
            else:
                await self.notice(provider, notice)
                if at_voice and isinstance(notice, Answered):
                    answer = await self._answer_outbound(provider, notice) or answer
        return answer or endpoint.carrier.acknowledge()

    async def endpoint(self, provider: str, number_id: str) -> NumberEndpoint:
        """Return the number that a carrier's URL names.

        Raises:
            WireError: 404: there is none.
        """
        known = provider if provider in BY_PROVIDER else "unknown"
        try:
            carrier = self.carriers.find(provider)
        except CarrierError as error:
            self.count_refusal(known, "carrier")
            raise WireError(404, str(error)) from None
        phone_line = await self.numbers.find(provider, number_id)
        if phone_line is None:
            self.count_refusal(known, "number")
            raise WireError(404, "There is no phone number at this address.")
        return NumberEndpoint(provider, number_id, carrier, phone_line)

    async def _called_endpoint(self, endpoint: NumberEndpoint, to: str) -> NumberEndpoint:
        number_id, phone_line = await self.numbers.called(
            endpoint.provider, endpoint.number_id, endpoint.phone_line, to
        )
        return replace(endpoint, number_id=number_id, phone_line=phone_line)

    async def _answer_incoming(self, endpoint: NumberEndpoint, incoming: Incoming, base_url: str) -> Answer:
        async def answer() -> Answer:
            outcome = await self._receive(endpoint, incoming, base_url)
            call = None if isinstance(outcome, Rejected) else self.registry.find(outcome.call_id)
            if call is None:  # no assistant takes it, or it is over already
                rejected = outcome if isinstance(outcome, Rejected) else Rejected()
                return await self._reject(endpoint, incoming, rejected)
            return await self._connect(call, incoming.carrier_call_id) or endpoint.carrier.acknowledge()

        return await self._answers.do((endpoint.provider, endpoint.number_id, incoming.carrier_call_id), answer)

    async def _reject(self, endpoint: NumberEndpoint, incoming: Incoming, rejected: Rejected) -> Answer:
        try:
            with anyio.fail_after(_CARRIER_S):
                return await endpoint.carrier.refuse(endpoint.phone_line, incoming, rejected.forward_to)
        except (CarrierError, TimeoutError) as error:
            _log.warning("a call could not be rejected", reason=str(error) or "the carrier took too long")
            return endpoint.carrier.acknowledge()

    async def _connect(self, call: PhoneCall, carrier_call_id: str) -> Answer | None:
        """Connect a call's audio; return None if that failed, which ends the call."""
        endpoint = call.endpoint
        try:
            with anyio.fail_after(_CARRIER_S):
                return await endpoint.carrier.answer(endpoint.phone_line, carrier_call_id, call.addresses)
        except (CarrierError, TimeoutError) as error:
            await self.end(call, endpoint.failed_to_connect, str(error) or "the carrier took too long")
            return None

    async def _answer_outbound(self, provider: str, notice: Answered) -> Answer | None:
        call = await self.registry.find_by_carrier_id(provider, notice.carrier_call_id, 0)
        if call is None or not call.outbound or call.ended_reason is not None:
            return None
        return await self._connect(call, notice.carrier_call_id)

    # `bargein.carriers.interface.CarrierHost`.

    @override
    async def phone_lines(self, provider: str) -> Mapping[str, PhoneLine]:
        return await self.numbers.of_provider(provider)

    @override
    async def incoming(self, provider: str, number_id: str, incoming: Incoming) -> Accepted | Rejected:
        try:
            endpoint = await self.endpoint(provider, number_id)
        except WireError:
            return Rejected()

        async def receive() -> Accepted | Rejected:
            return await self._receive(endpoint, incoming, self._public_url or self._own_url)

        return await self._decisions.do((provider, number_id, incoming.carrier_call_id), receive)

    async def _receive(self, endpoint: NumberEndpoint, incoming: Incoming, base_url: str) -> Accepted | Rejected:
        call_id = self._inbound_calls.call_id(endpoint.provider, endpoint.number_id, incoming.carrier_call_id)
        call = self.add(endpoint, call_id, base_url, incoming.carrier_call_id)
        try:
            outcome = await self._inbound_calls.receive(
                endpoint.provider, endpoint.number_id, endpoint.phone_line, incoming, base_url
            )
        except BaseException:
            self.forget(call)
            raise
        if isinstance(outcome, Rejected):
            call.end("rejected")
            self.forget(call)
        elif call.ended_reason is not None:  # the caller hung up meanwhile
            await self._finish(call, call.ended_reason, "")
        else:
            await self._owner_jobs.announce(call.id, "ringing")
            self._tasks.start_soon(self.expect_media, call)
        return outcome

    @override
    async def notice(self, provider: str, notice: Ringing | Answered | CallEnded) -> None:
        call = await self.registry.find_by_carrier_id(provider, notice.carrier_call_id, _PLACING_S)
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
                    call.answered_by = (by, detail)
                    if call.session is not None:
                        call.session.handle_answered_by(by, detail)
            case CallEnded(reason=reason, detail=detail):
                await self.end(call, reason, detail)

    @override
    async def run_call(self, call_id: str, leg: MediaLeg) -> None:
        call = self.registry.find(call_id)
        if call is None or call.ended_reason is not None:
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
                await self._finish(call, call.ended_reason or failed[0], failed[1])
        finally:
            call.end("finished")
            self.forget(call)

    @override
    def count_refusal(self, provider: str, reason: str) -> None:
        self._metrics.carrier_refused(provider, reason)

    def find(self, call_id: str) -> PhoneCall | None:
        """Return a call of this server by its id."""
        return self.registry.find(call_id)

    async def warm_up(self) -> None:
        """Load the carriers of the stored numbers."""
        try:
            await self.carriers.warm_up(await self.numbers.providers())
        except StoreError as error:
            _log.warning("carriers are loaded later", reason=str(error))

    # Ends of calls.

    async def expect_media(self, call: PhoneCall) -> None:
        """End an answered call whose audio does not connect in time."""
        with anyio.move_on_after(CONNECT_S):
            await call.connected.wait()
        if not call.connected.is_set():
            await self.end(call, NEVER_CONNECTED, "the carrier did not open the call's media socket")

    async def cancel(self, call_id: str, reason: str) -> None:
        """End a call that has no session yet."""
        call = self.registry.find(call_id)
        if call is not None and call.session is None:
            await self.end(call, reason, "")

    async def close(self) -> None:
        """End all calls without a session, and close the carriers."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                for call in self.registry:
                    if call.session is None:
                        tasks.start_soon(self.end, call, _SHUTDOWN, "")
            await self.carriers.close()

    async def end(self, call: PhoneCall, reason: str, detail: str) -> None:
        """End a call: hang up its session, or record the end of a call that has none."""
        was_connected = call.connected.is_set()
        if call.session is not None:
            call.session.hang_up(reason)
            return
        if not call.end(reason) or was_connected:
            return  # `run_call` sees its reason
        await self._finish(call, reason, detail)

    async def _finish(self, call: PhoneCall, reason: str, detail: str) -> None:
        self.forget(call)
        await self.end_record(call.id, reason, detail)
        await self.hang_up(call)

    async def hang_up(self, call: PhoneCall) -> None:
        """End a call at its carrier, if it was placed."""
        if call.carrier_call_id is None:
            return
        try:
            with anyio.fail_after(_HANG_UP_S, shield=True):
                await call.control().hang_up()
        except (CarrierError, TimeoutError) as error:
            _log.warning("a call could not be hung up", call_id=call.id, reason=str(error) or "it took too long")

    async def end_record(self, call_id: str, reason: str, detail: str) -> None:
        """Record the end of a call that never had a session."""
        _log.warning("a telephone call was not connected", call_id=call_id, reason=reason, detail=detail or None)
        self._metrics.ended(reason)
        ended_at = iso_from_epoch_ms(self._clock.epoch_ms())
        ended: JsonObject = {"status": "ended", "endedReason": reason, "endedAt": ended_at}
        await self._records.finish(call_id, {**ended, **({"endedMessage": detail} if detail else {})})

    def add(self, endpoint: NumberEndpoint, call_id: str, base_url: str, carrier_call_id: str | None) -> PhoneCall:
        """Register an incoming call, or, without the carrier's id, an outbound call that is to be placed."""
        token = None if carrier_call_id is None else self.tokens.issue(call_id, _TOKEN_S)
        call = PhoneCall(
            id=call_id,
            endpoint=endpoint,
            outbound=carrier_call_id is None,
            addresses=addresses_of(base_url, endpoint.provider, endpoint.number_id, call_id, token),
            carrier_call_id=carrier_call_id,
        )
        self.registry.add(call)
        return call

    def forget(self, call: PhoneCall) -> None:
        """Remove a call that is over and recorded."""
        self.registry.remove(call)
        self.tokens.forget(call.id)
