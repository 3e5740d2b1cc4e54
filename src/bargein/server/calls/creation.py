"""Creation of calls: a request is checked as a whole before the call's record is stored."""

import math
from typing import Protocol
from uuid import uuid4

from bargein.clock import Clock
from bargein.server.agents.resolve import first_agent
from bargein.server.agents.validate import NO_PARTICIPANT, check_credentials, check_participants, names_participant
from bargein.server.calls.scheduler import Scheduler
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.call import (
    CallUrls,
    CreateCall,
    WebsocketTransport,
    body_for_customer,
    new_web_call,
    new_websocket_call,
    public_call,
)
from bargein.wire.errors import WireError, bad_request, parse_request
from bargein.wire.json import as_objects
from bargein.wire.limits import AssistantLimits
from bargein.wire.ownership import Author, made_by
from bargein.wire.schedule import initial_status, with_join_until

_MAX_CUSTOMERS = 1000


class PhoneRequests(Protocol):
    """Requests for outbound telephone calls (`bargein.server.telephony.outbound_requests`)."""

    async def new_call(self, parsed: CreateCall, body: JsonObject, urls: CallUrls) -> JsonObject:
        """Return the record of an outbound call, without what the store adds.

        Raises:
            WireError: 400 or 501: the number, the customer or the carrier cannot be used.
        """
        ...

    def dial(self, call_id: str) -> None:
        """Place a queued call; returns at once."""
        ...


class CallCreation:
    """Creates calls.

    Args:
        store: where calls are, and the assistants that they name.
        clock: the time.
        scheduler: queues calls with a `schedulePlan`.
        phone_requests: checks and places outbound telephone calls.
        join_s: how long a call waits for its client; 0: for ever.
    """

    def __init__(
        self, store: Store, clock: Clock, scheduler: Scheduler, phone_requests: PhoneRequests, *, join_s: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._scheduler = scheduler
        self._phone_requests = phone_requests
        self._join_s = join_s

    async def create(
        self, parsed: CreateCall, body: JsonObject, base_url: str, *, by_phone: bool = False
    ) -> JsonObject:
        """Create a call, or with `customers` one for each of them, and return the answer of `POST /call`.

        A call over a WebSocket begins when its socket is opened; a telephone call is placed at once, or at the time of
        its `schedulePlan`.

        Args:
            parsed: the request's body, parsed.
            body: its JSON; the call's record keeps what it holds.
            base_url: the address of this server, for the call's URLs.
            by_phone: True if the path asks for a phone number.

        Raises:
            WireError: 400 or 501: the request asks for something that does not exist or is not supported.
        """
        if not names_participant(body):
            raise WireError(400, NO_PARTICIPANT)
        by_phone = _is_phone_request(parsed, by_path=by_phone)
        if parsed.customers is not None:
            return await self._create_batch(parsed, body, base_url, by_phone=by_phone)
        await check_participants(made_by(body, "owner"), self._store)
        call_id = str(uuid4())
        urls = CallUrls.of(base_url, call_id)
        if by_phone:
            call = await self._phone_requests.new_call(parsed, body, urls)
        else:
            call = await self._expiring(new_websocket_call(parsed, body, urls))
        status = initial_status(call, self._clock.epoch_ms())
        dialled = by_phone and status == "queued"
        create = self._store.calls.create_live if dialled else self._store.calls.create
        record = AssistantLimits().limited(made_by({**call, "status": status}, "owner"))
        created = await create(record, record_id=call_id)
        self._scheduler.wake()
        if dialled:
            self._phone_requests.dial(call_id)
        return public_call(created)

    async def create_web(self, body: JsonObject, base_url: str, author: Author, limits: AssistantLimits) -> JsonObject:
        """Create a call from a web page and return its record.

        Args:
            body: the request's body.
            base_url: the address of this server, for the call's URLs.
            author: whose rights the request has.
            limits: the assistants that the call's client may hand it over to.

        Raises:
            WireError: 400 or 501, as `create`.
        """
        check_credentials(body, author)
        await check_participants(made_by(body, author), self._store)
        call_id = str(uuid4())
        made = made_by(new_web_call(body, CallUrls.of(base_url, call_id)), author)
        call = limits.limited(await self._expiring(made))
        return public_call(await self._store.calls.create(call, record_id=call_id))

    async def _expiring(self, call: JsonObject) -> JsonObject:
        """Return a new call with the time until which its client must join it.

        That is `customerJoinTimeoutSeconds` of its assistant, but no longer than the settings allow.
        """
        wanted: object = (await first_agent(call, self._store)).assistant_json.get("customerJoinTimeoutSeconds")
        join_s = self._join_s
        if isinstance(wanted, int | float):
            join_s = min(join_s or math.inf, max(1, math.ceil(wanted)))
        return with_join_until(call, self._clock.epoch_ms(), int(join_s))

    async def _create_batch(self, parsed: CreateCall, body: JsonObject, base_url: str, *, by_phone: bool) -> JsonObject:
        """Create a call for each customer; return the calls and the errors (Vapi's `CallBatchResponse`)."""
        customers = as_objects(body["customers"])
        if parsed.customer is not None or parsed.customer_id is not None:
            raise bad_request("customer and customers must not be given together")
        if not 1 <= len(customers) <= _MAX_CUSTOMERS:
            raise bad_request(f"customers must contain 1 to {_MAX_CUSTOMERS} elements")
        results: list[JsonObject] = []
        errors: list[JsonObject] = []
        for customer in customers:
            one = body_for_customer(body, customer)
            try:
                results.append(await self.create(parse_request(CreateCall, one), one, base_url, by_phone=by_phone))
            except WireError as error:
                errors.append({"customer": customer, "error": str(error)})
        return {"results": results, "errors": errors}


def _is_phone_request(parsed: CreateCall, *, by_path: bool) -> bool:
    """Return True if a call is asked for by a phone number, False if over a WebSocket.

    Raises:
        WireError: 400 or 501: it is asked for over both, over neither, or over another transport.
    """
    by_phone = {"phoneNumber": parsed.phone_number, "phoneNumberId": parsed.phone_number_id}
    given = [name for name, value in by_phone.items() if value is not None]
    if isinstance(parsed.transport, WebsocketTransport):
        if given:
            raise bad_request(f"{' and '.join(given)} is not permitted with transport.provider vapi.websocket")
        return False
    if given:
        return True
    if by_path or any(one is not None for one in (parsed.customer, parsed.customer_id, parsed.customers)):
        raise WireError(400, "Need either `phoneNumber` or `phoneNumberId`.")
    if parsed.transport is None:
        raise bad_request("transport should not be null or undefined")
    raise WireError(
        501,
        "Without a phone number this server carries calls over transport.provider vapi.websocket and POST /call/web.",
    )
