"""Outbound calls: placing them, and waiting for an answer."""

from typing import TYPE_CHECKING

import anyio
import structlog

from bargein.call.record.privacy import transport_configuration
from bargein.carriers.interface import Dial
from bargein.ports import CallRecords, CarrierError, StoreError
from bargein.server.agents.resolve import first_agent
from bargein.server.agents.squads import MissingAgentError
from bargein.server.telephony.call_registry import NumberEndpoint, PhoneCall
from bargein.server.telephony.call_router import CONNECT_S, PhoneCallRouter
from bargein.server.telephony.urls import addresses_of, base_of
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.telephony import DID_NOT_ANSWER
from bargein.wire.voicemail import carrier_detects_machine, ring_seconds, voicemail_plan

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

RING_GRACE_S = 15.0
"""The extra time, after the ringing time, for a carrier to report that nobody answered."""

_PLACE_S = 30.0

_DATABASE_ERROR = "call.start.error-vapifault-database-error"
_INTERNAL_ERROR = "call.in-progress.error-vapifault-worker-died"

_log = structlog.get_logger("bargein.server")


class OutboundPhoneCalls:
    """Places calls, and ends those that are not answered.

    Args:
        store: where calls are.
        call_router: finds their numbers, and ends them.
        records: the records of calls.
        tasks: the server's task group.
        public_url: the URL at which carriers reach this server; None: as the request that created the call did.
    """

    def __init__(
        self,
        store: Store,
        call_router: PhoneCallRouter,
        records: CallRecords,
        tasks: "TaskGroup",
        public_url: str | None,
    ) -> None:
        self._store = store
        self._call_router = call_router
        self._records = records
        self._tasks = tasks
        self._public_url = public_url

    def dial(self, call_id: str) -> None:
        """Place a queued call; return at once."""
        self._tasks.start_soon(self._dial_or_end, call_id)

    async def _dial_or_end(self, call_id: str) -> None:
        """Place a call; whatever fails ends the call, and never the server, whose task this is."""
        try:
            await self._dial(call_id)
            return
        except StoreError as error:
            reason, detail = _DATABASE_ERROR, str(error)
        except MissingAgentError as error:
            reason, detail = "call.start.error-get-assistant", f"the {error.kind} has been deleted"
        except Exception as error:  # noqa: BLE001  # a bug, also of a carrier's library
            _log.error("a call could not be placed", call_id=call_id, exc_info=error)
            reason, detail = _INTERNAL_ERROR, "internal error"
        call = self._call_router.find(call_id)
        if call is None:
            await self._call_router.end_record(call_id, reason, detail)
        else:
            await self._call_router.end(call, reason, detail)

    async def _dial(self, call_id: str) -> None:
        call_router = self._call_router
        record = await self._store.calls.get(call_id)
        if record is None or record.get("status") != "queued" or call_router.find(call_id) is not None:
            return
        found = await call_router.numbers.for_call(record)
        if found is None:
            gone = "its phone number has been deleted"
            await call_router.end_record(call_id, "call.start.error-get-phone-number", gone)
            return
        number_id, phone_line = found
        provider = str(phone_line.number.get("provider"))
        try:
            endpoint = NumberEndpoint(provider, number_id, call_router.carriers.find(provider), phone_line)
        except CarrierError as error:
            await call_router.end_record(call_id, "call.start.error-get-transport", str(error))
            return
        base_url = self._public_url or base_of(record)
        call = call_router.add(endpoint, call_id, base_url, None)
        await self._records.begin(call_id, {})
        await self._place(call, record, base_url)

    async def _place(self, call: PhoneCall, record: JsonObject, base_url: str) -> None:
        call_router, endpoint = self._call_router, call.endpoint
        assistant = (await first_agent(record, self._store)).assistant_json
        ring_s = ring_seconds(record, assistant)
        token = call_router.tokens.issue(call.id, ring_s + RING_GRACE_S + CONNECT_S)
        call.addresses = addresses_of(base_url, endpoint.provider, endpoint.number_id, call.id, token)
        plan = voicemail_plan(assistant) or {}
        dial = Dial(
            call.id,
            record.get("customer") or {},
            call.addresses,
            ring_s=ring_s,
            detect_machine=carrier_detects_machine(plan),
            machine_plan=plan,
            configuration=transport_configuration(assistant, endpoint.provider),
        )
        call_router.registry.begin_placing()
        try:
            with anyio.fail_after(_PLACE_S):
                placed = await endpoint.carrier.place(endpoint.phone_line, dial)
            call.carrier_call_id = placed.carrier_call_id
            call_router.registry.add(call)
        except (CarrierError, TimeoutError) as error:
            await call_router.end(call, endpoint.failed_to_connect, str(error) or "the carrier took too long")
            return
        finally:
            call_router.registry.end_placing()
        if call.ended_reason is not None:  # it was ended while the carrier was being asked
            call_router.forget(call)
            await call_router.hang_up(call)
            return
        transport: JsonObject = {**(record.get("transport") or {}), **placed.details}
        named: JsonObject = {"phoneCallProviderId": placed.carrier_call_id, "transport": transport}
        await self._records.update(call.id, named)
        await self._expect_answer(call, ring_s)

    async def _expect_answer(self, call: PhoneCall, ring_s: int) -> None:
        with anyio.move_on_after(ring_s + RING_GRACE_S):
            await call.answered.wait()
        if not call.answered.is_set():
            await self._call_router.end(call, DID_NOT_ANSWER, "nobody answered")
            return
        await self._call_router.expect_media(call)
