"""Telephone calls that a server places for its client (`POST /call` with a phone number and a customer).

Their audio goes over the telephone; what a client sees of one is its record, and its messages while it is live
(`monitor.listenUrl`).
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import cast

import anyio
import httpx

from bargein.client.connection import CallInfo, Connection, Server, ask, join
from bargein.client.errors import ClientError, RefusedError, UnreachableError
from bargein.wire.base import JsonObject

_EVERY_S = 0.5
_AWAY_S = 20.0
"""So long a server may give no answer while a call is followed; the call does not hang on it."""
_LIVE = frozenset({"in-progress", "forwarding"})
_PLACING_S = 30.0
_MOST_NUMBERS = 1000


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
    """Have a customer called; gives the call's record, which is only queued by then.

    Args:
        server: that has the number.
        customer: Vapi's: `number` in E.164 with an `extension` perhaps, or `sipUri`.
        number_id: of the stored phone number that the call goes out by.
        assistant: who speaks, in full; or one of the next two.
        assistant_id: of a stored assistant.
        squad_id: of a stored squad.
        assistant_overrides: change the assistant for this call.

    Raises:
        UnreachableError: nothing answers.
        RefusedError: the server does not want it; the text is the server's own.
        ClientError: the answer makes no sense.
    """
    given = {
        "assistant": assistant,
        "assistantId": assistant_id,
        "squadId": squad_id,
        "assistantOverrides": assistant_overrides,
    }
    body = {"phoneNumberId": number_id, "customer": customer}
    body |= {name: value for name, value in given.items() if value is not None}
    return _record(await ask(server, "POST", "/call", body, timeout_s=server.timeout_s + _PLACING_S))


async def get_call(server: Server, call_id: str) -> JsonObject:
    """A call's record.

    Raises:
        ClientError: as `dial`.
    """
    return _record(await ask(server, "GET", f"/call/{call_id}"))


async def follow(server: Server, call_id: str, *, every_s: float = _EVERY_S) -> AsyncGenerator[JsonObject]:
    """A call's record each time that its `status` has changed, until it has ended.

    A server that gives no answer for a while is asked again.

    Args:
        server: that has the call.
        call_id: of the call.
        every_s: how often it is looked at.

    Raises:
        ClientError: the server is away for too long, or has no such call any more.
    """
    status: object = None
    away_since: float | None = None
    while True:
        try:
            record = await get_call(server, call_id)
        except RefusedError as error:
            if error.status < httpx.codes.INTERNAL_SERVER_ERROR:
                raise
            away_since = _still_away(error, away_since)
        except UnreachableError as error:
            away_since = _still_away(error, away_since)
        else:
            away_since = None
            if record.get("status") != status:
                status = record.get("status")
                yield record
            if status == "ended":
                return
        await anyio.sleep(every_s)


def listen_in(server: Server, record: JsonObject) -> AbstractAsyncContextManager[Connection]:
    """Listen in on a live call: its `Connection` gives what both say and the call's messages; nothing can be sent.

    The audio is stereo, interleaved: the customer on the left.

    Raises:
        ClientError: it may not be listened to, or is not live.
    """
    monitor: object = record.get("monitor")
    url: object = cast("JsonObject", monitor).get("listenUrl") if isinstance(monitor, dict) else None
    if not isinstance(url, str):
        raise ClientError("the server names no monitor.listenUrl for this call")
    return join(
        server, CallInfo(id=str(record["id"]), socket_url=url, encoding="pcm_s16le", rate_hz=16_000, json=record)
    )


async def end_call(server: Server, record: JsonObject) -> None:
    """Hang a call up that is live or rings (`end-call` to `monitor.controlUrl`).

    Raises:
        ClientError: it does neither, or may not be steered.
    """
    await ask(server, "POST", f"/{record['id']}/control", {"type": "end-call"})


async def number_named(server: Server, name: str) -> JsonObject:
    """A stored phone number by its id, the number itself or its SIP address.

    Raises:
        ClientError: there is none; the text lists those that there are.
    """
    found = await ask(server, "GET", f"/phone-number?limit={_MOST_NUMBERS}")
    numbers = [cast("JsonObject", one) for one in cast("list[object]", found) if isinstance(one, dict)]
    for number in numbers:
        if name in (number.get("id"), number.get("number"), number.get("sipUri")):
            return number
    known = ", ".join(f"{one.get('number') or one.get('sipUri')} ({one.get('id')})" for one in numbers[:10])
    raise ClientError(
        f"{server.url} has no phone number {name}; it has {known or 'none: see `bargein docs telephony`'}"
    )


def is_live(record: JsonObject) -> bool:
    """Whether the two of a call can hear each other."""
    return record.get("status") in _LIVE


def _still_away(error: ClientError, since: float | None) -> float:
    now = anyio.current_time()
    if since is not None and now - since > _AWAY_S:
        raise error
    return now if since is None else since


def _record(answer: object) -> JsonObject:
    record = cast("JsonObject", answer) if isinstance(answer, dict) else {}
    if not isinstance(record.get("id"), str):
        raise ClientError("the server's answer is no call")
    return record
