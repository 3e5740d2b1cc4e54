"""Incoming calls over a carrier: their records, and the decision to accept or reject them."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

import anyio
import structlog

from bargein.carriers.interface import Accepted, Incoming, PhoneLine, Rejected
from bargein.carriers.registry import BY_PROVIDER
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.ports import CallRecords
from bargein.server.calls.inbound import DEBUGGING, InboundResolver
from bargein.server.ops.metrics import Metrics
from bargein.server.telephony.number_hooks import HookAction, when_ending, when_ringing
from bargein.settings import Settings
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.call import CallUrls
from bargein.wire.ownership import made_by
from bargein.wire.telephony import (
    HOOK_SAID,
    HOOK_TRANSFERRED,
    SPOKEN_REASON,
    customer_of,
    header_variables,
    new_incoming_call,
    overrides_with_variables,
)

_log = structlog.get_logger("bargein.server")

T = TypeVar("T")

_REMEMBERED = 10_000


class InboundPhoneCalls:
    """Accepts or rejects incoming calls.

    Args:
        settings: the key that calls' ids are made with.
        store: where calls are.
        clock: the one clock.
        inbound_resolver: finds the assistant of a call.
        records: the records of calls.
        metrics: count ended calls.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        *,
        inbound_resolver: InboundResolver,
        records: CallRecords,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._clock = clock
        self._inbound_resolver = inbound_resolver
        self._records = records
        self._metrics = metrics
        self._key = (settings.keys.api_key or store.org_id).encode()

    def call_id(self, provider: str, number_id: str, carrier_call_id: str) -> str:
        """Return this server's id of a call.

        It is the same for repeated webhooks and on all servers, and cannot be guessed without the key.
        """
        name = "\0".join((provider, number_id, carrier_call_id))
        return str(UUID(bytes=hmac.digest(self._key, name.encode(), hashlib.sha256)[:16], version=4))

    async def receive(
        self, provider: str, number_id: str, phone_line: PhoneLine, incoming: Incoming, base_url: str
    ) -> Accepted | Rejected:
        """Create a call's record and find its assistant.

        Raises:
            StoreError: the record cannot be created now.
        """
        call_id = self.call_id(provider, number_id, incoming.carrier_call_id)
        call = await self._store.calls.get(call_id)
        if call is None:
            call = await self._create_record(provider, number_id, call_id, incoming, base_url)
        elif call.get("status") == "ended":
            return Rejected()
        else:  # another server had it
            await self._records.begin(call_id, {})
        if (action := when_ringing(phone_line.number, incoming.caller)) is not None:
            reason = HOOK_SAID if action.say is not None else HOOK_TRANSFERRED
            return await self._run_hook(call_id, action, reason, {})
        changes = await self._inbound_resolver.settle(call, phone_line.number, forwards=True)
        if changes["status"] != "ended":
            values = overrides_with_variables({**call, **changes}, header_variables(incoming.sip_headers))
            await self._records.update(call_id, {**changes, **values, "status": "ringing"})
            return Accepted(call_id)
        reason = str(changes["endedReason"])
        if (action := when_ending(phone_line.number, reason)) is not None:
            return await self._run_hook(call_id, action, reason, changes)
        return await self._reject(call_id, changes)

    async def _create_record(
        self, provider: str, number_id: str, call_id: str, incoming: Incoming, base_url: str
    ) -> JsonObject:
        customer = customer_of(incoming.caller, incoming.caller_name)
        urls = CallUrls.of(base_url, call_id)
        new = new_incoming_call(number_id, BY_PROVIDER[provider].names, customer, incoming.details, urls)
        details: JsonObject = {"phoneCallProviderId": incoming.carrier_call_id}
        if incoming.sip_headers:
            details["phoneCallProviderDetails"] = {"sip": {"headers": dict(incoming.sip_headers)}}
        return await self._store.calls.create_live(made_by({**new, **details}, "owner"), record_id=call_id)

    async def _run_hook(
        self, call_id: str, action: HookAction, reason: str, changes: JsonObject
    ) -> Accepted | Rejected:
        _log.info("a phone number's hook handles a call", call_id=call_id, reason=reason)
        if action.say is not None:
            spoken: JsonObject = {DEBUGGING: {"assistantRequestError": action.say, SPOKEN_REASON: reason}}
            await self._records.update(call_id, {**spoken, "status": "ringing"})
            return Accepted(call_id)
        ended: JsonObject = {"status": "ended", "endedReason": reason, "endedAt": self._now()}
        return await self._reject(call_id, {**ended, **changes, "destination": action.forward_to})

    async def _reject(self, call_id: str, changes: JsonObject) -> Rejected:
        self._metrics.ended(str(changes["endedReason"]))
        await self._records.finish(call_id, changes)
        return Rejected(changes.get("destination"))

    def _now(self) -> str:
        return iso_from_epoch_ms(self._clock.epoch_ms())


@dataclass(slots=True)
class _Result(Generic[T]):
    done: anyio.Event
    result: T | None = None


class Once(Generic[T]):
    """Does each piece of work once; later and concurrent requests for it get the same result."""

    def __init__(self) -> None:
        self._results: OrderedDict[object, _Result[T]] = OrderedDict()

    async def do(self, key: object, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of the work under this key. Work that failed may be tried again."""
        while (known := self._results.get(key)) is not None:
            await known.done.wait()
            if known.result is not None:
                return known.result
        mine = self._results[key] = _Result[T](anyio.Event())
        try:
            result = mine.result = await work()
        finally:
            if mine.result is None:
                del self._results[key]
            mine.done.set()
        while len(self._results) > _REMEMBERED:
            self._results.popitem(last=False)
        return result
