"""Telephone calls that a server places for its client (`POST /call` with a phone number and a customer).

Their audio goes over the telephone; a client sees the call's record and, while the call is live, its messages
(`monitor.listenUrl`).
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

import anyio
import httpx

from bargein.client.connection import Connection, join
from bargein.client.errors import ClientError, RefusedError, UnreachableError
from bargein.client.server_api import CallInfo, Server, request_json
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string

_POLL_S = 0.5
_MAX_OUTAGE_S = 20.0
"""Time for which a server may not answer while a call is followed; the call itself does not depend on it."""
_LIVE = frozenset({"in-progress", "forwarding"})
_PLACING_S = 30.0
"""Time that a server may take to have the carrier place a call."""

_MAX_NUMBERS = 1000


async def dial(
    server: Server,
    customer: JsonObject,
    *,
    number_id: str,
    assistant: JsonObject | None = None,
    assistant_id: str | None = None,
    squad_id: str | None = None,
    assistant_overrides: JsonObject | None = None,
) -> JsonObject:
    """Have the server call a customer, and return the call's record, whose status is `queued`.

    Args:
        server: the server that has the number.
        customer: Vapi's customer: `number` in E.164, with an optional `extension`, or `sipUri`.
        number_id: id of the stored phone number that the call is made from.
        assistant: the assistant in full; alternatives are the next two.
        assistant_id: id of a stored assistant.
        squad_id: id of a stored squad.
        assistant_overrides: changes to the assistant for this call.

    Raises:
        UnreachableError: nothing answers.
        RefusedError: the server answers with an error; the text contains the server's message.
        ClientError: the answer is not a call.
    """
    options = {
        "assistant": assistant,
        "assistantId": assistant_id,
        "squadId": squad_id,
        "assistantOverrides": assistant_overrides,
    }
    body = {"phoneNumberId": number_id, "customer": customer}
    body |= {name: value for name, value in options.items() if value is not None}
    return _record(await request_json(server, "POST", "/call", body, timeout_s=server.timeout_s + _PLACING_S))


async def get_call(server: Server, call_id: str) -> JsonObject:
    """Return a call's record.

    Raises:
        ClientError: see `dial`.
    """
    return _record(await request_json(server, "GET", f"/call/{call_id}"))


async def follow(server: Server, call_id: str, *, every_s: float = _POLL_S) -> AsyncGenerator[JsonObject]:
    """Yield a call's record each time its `status` has changed, until the call has ended.

    A server that does not answer is asked again for 20 seconds.

    Args:
        server: the server that has the call.
        call_id: the call's id.
        every_s: interval at which the record is polled.

    Raises:
        ClientError: the server does not answer for too long, or no longer has the call.
    """
    status: object = None
    failing_since: float | None = None
    while True:
        try:
            record = await get_call(server, call_id)
        except RefusedError as error:
            if error.status < httpx.codes.INTERNAL_SERVER_ERROR:
                raise
            failing_since = _check_outage(error, failing_since)
        except UnreachableError as error:
            failing_since = _check_outage(error, failing_since)
        else:
            failing_since = None
            if record.get("status") != status:
                status = record.get("status")
                yield record
            if status == "ended":
                return
        await anyio.sleep(every_s)


def listen_in(server: Server, record: JsonObject) -> AbstractAsyncContextManager[Connection]:
    """Listen in on a live call: the `Connection` yields both sides' audio and the messages; nothing can be sent.

    The audio is stereo, interleaved, with the customer on the left.

    Raises:
        ClientError: listening in is not allowed, or the call is not live.
    """
    url = as_string(as_object(record.get("monitor")).get("listenUrl"))
    if url is None:
        raise ClientError("the server gives no monitor.listenUrl for this call")
    return join(
        server, CallInfo(id=str(record["id"]), socket_url=url, encoding="pcm_s16le", rate_hz=16_000, json=record)
    )


async def end_call(server: Server, record: JsonObject) -> None:
    """Hang up a live or ringing call (`end-call` to `monitor.controlUrl`).

    Raises:
        ClientError: the call is neither, or control is not allowed.
    """
    await request_json(server, "POST", f"/{record['id']}/control", {"type": "end-call"})


async def find_phone_number(server: Server, name: str) -> JsonObject:
    """Return a stored phone number by its id, its number or its SIP address.

    Raises:
        ClientError: the server has none of that name; the text lists the numbers it has.
    """
    numbers = as_objects(await request_json(server, "GET", f"/phone-number?limit={_MAX_NUMBERS}"))
    for number in numbers:
        if name in (number.get("id"), number.get("number"), number.get("sipUri")):
            return number
    known = ", ".join(f"{one.get('number') or one.get('sipUri')} ({one.get('id')})" for one in numbers[:10])
    raise ClientError(
        f"{server.url} has no phone number {name}; it has {known or 'none: see `bargein docs telephony`'}"
    )


def is_live(record: JsonObject) -> bool:
    """Return True if a call is answered and has not ended."""
    return record.get("status") in _LIVE


def _check_outage(error: ClientError, since: float | None) -> float:
    now = anyio.current_time()
    if since is not None and now - since > _MAX_OUTAGE_S:
        raise error
    return now if since is None else since


def _record(answer: object) -> JsonObject:
    record = as_object(answer)
    if not isinstance(record.get("id"), str):
        raise ClientError("the server's answer is not a call")
    return record
