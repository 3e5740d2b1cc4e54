"""The media socket of a live call.

The call's id is the capability: a client that knows it may join, as with Vapi. No bearer key is needed, but a wrong
one is refused.
"""

import json
from collections.abc import MutableMapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import anyio
import anyio.lowlevel
import numpy as np
import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from bargein.call.hearing.audio_input import FloodError
from bargein.call.record.end import CallEnd
from bargein.call.session import CallSession
from bargein.carriers.websocket import Room, WebsocketLeg
from bargein.ports import StoreError
from bargein.server.agents.resolve import ResolvedAgent
from bargein.server.api.auth import author_of_request, has_wrong_key
from bargein.server.api.bodies import parse_json
from bargein.server.api.services import Services, services_of
from bargein.server.api.sockets import (
    INTERNAL_ERROR,
    INVALID_PAYLOAD,
    POLICY_VIOLATION,
    PROTOCOL_ERROR,
    SEND_TIMEOUT_S,
    TOO_BIG,
    TRY_AGAIN_LATER,
    CarrierSocket,
    close_refused,
)
from bargein.server.calls.live_calls import RefusedError, StartError
from bargein.wire.base import JsonObject
from bargein.wire.call import allows_rejoin, audio_format_of
from bargein.wire.client_controls import ClientControl, parse_client_control
from bargein.wire.client_messages import Hang, StatusUpdate
from bargein.wire.client_view import call_view
from bargein.wire.ended import CANNOT_RUN
from bargein.wire.errors import WireError
from bargein.wire.ownership import author_of

router = APIRouter(tags=["live calls"])

MAX_TEXT_CHARS = 128 * 1024
"""The limit for a control message. Parsing JSON of this size blocks all calls for 20 ms at most."""

# Each frame has a cost, however small it is. The shortest frames that a known client sends are of 5 ms.
_FRAMES_PER_S = 500
"""The frames that a client may send each second, after some at the start of the call."""
_FRAMES_AT_START = 5000
_FRAMES_AT_ONCE = 16

_TRAILING_SILENCE_MS = 1000
"""The silence that is added when a caller leaves a call that goes on, so that its turn ends."""

_log = structlog.get_logger("bargein.server")


@router.websocket("/{call_id}/transport")
async def transport(socket: WebSocket, call_id: str) -> None:
    """Carry a call: audio in both directions in binary frames, messages in text frames."""
    services = services_of(socket)
    await socket.accept()
    try:
        wrong_key = has_wrong_key(socket)
    except WireError as error:
        await close_refused(socket, call_id, TRY_AGAIN_LATER, str(error))
        return
    if wrong_key:
        await close_refused(socket, call_id, POLICY_VIOLATION, "the bearer key is not valid")
        return
    if (live := services.live_calls.rejoinable(call_id)) is not None:
        session, room = live
        await _join(socket, _leg_of(socket, session.setup.call), session, room)
        return
    try:
        async with AsyncExitStack() as stack:
            stack.enter_context(services.live_calls.reserve(call_id))
            agent = await services.live_calls.find(call_id)
            await _run_call(services, socket, agent)
    except RefusedError as error:
        await close_refused(socket, call_id, error.close_code, str(error))
    except StoreError as error:
        await close_refused(socket, call_id, TRY_AGAIN_LATER, str(error))


async def _run_call(services: Services, socket: WebSocket, agent: ResolvedAgent) -> None:
    leg = _leg_of(socket, agent.record)
    room = Room(leg) if allows_rejoin(agent.record) else None
    tells_details = _may_read_details(services, socket, agent)
    try:
        # Another client may join a room later, and is not known to be the owner.
        owners = room is None and author_of_request(services.settings, socket.headers) == "owner"
        session = await services.live_calls.open(agent, room or leg, tells_details=tells_details, owners_client=owners)
    except StartError as error:
        message = str(error) if tells_details else CANNOT_RUN
        await _send_end(services, socket, agent, CallEnd(error.ended_reason, message))
        await close_refused(socket, str(agent.record["id"]), INTERNAL_ERROR, message)
        return
    async with anyio.create_task_group() as tasks:
        with services.live_calls.register(session, room):
            if room is None:
                tasks.start_soon(leg.run, lambda: session.hang_up("customer-ended-call"))
                tasks.start_soon(_receive_until_end, socket, session)
            else:
                tasks.start_soon(_join, socket, leg, session, room)
            await session.run()
        with anyio.move_on_after(2):
            await leg.done.wait()
        tasks.cancel_scope.cancel()


def _may_read_details(services: Services, socket: WebSocket, agent: ResolvedAgent) -> bool:
    """Return True if a call's client may read why it failed in full: that may name the owner's servers."""
    wrote_it = agent.record.get("assistant") is not None and author_of(agent.record) == "caller"
    return wrote_it or author_of_request(services.settings, socket.headers) == "owner"


async def _send_end(services: Services, socket: WebSocket, agent: ResolvedAgent, end: CallEnd) -> None:
    """Send the end of a call that could not start, whatever `clientMessages` says: the assistant may not be known."""
    now_ms = services.clock.epoch_ms()
    call = call_view(agent.record) | {"status": "ended", "endedReason": end.reason, "endedMessage": end.message}
    ended = StatusUpdate(timestamp=now_ms, call=call, status="ended", ended_reason=end.reason)
    with anyio.move_on_after(SEND_TIMEOUT_S), suppress(WebSocketDisconnect, RuntimeError):  # it may be closed already
        await socket.send_text(Hang(timestamp=now_ms).to_text())
        await socket.send_text(ended.to_text())


async def _receive_until_end(socket: WebSocket, session: CallSession) -> None:
    """Receive the caller's frames; the call ends when the caller disconnects."""
    await _receive(socket, session)
    session.hang_up("customer-ended-call")


async def _join(socket: WebSocket, leg: WebsocketLeg, session: CallSession, room: Room) -> None:
    """Receive the caller's frames; the call goes on when the caller disconnects, and can be joined again."""
    async with anyio.create_task_group() as tasks:
        room.enter(leg, tasks.cancel_scope.cancel)
        tasks.start_soon(leg.run, tasks.cancel_scope.cancel)
        await _receive(socket, session)
        tasks.cancel_scope.cancel()
    if room.leave(leg):
        with suppress(FloodError):
            session.receive_audio(leg.encode(np.zeros(leg.rate_hz * _TRAILING_SILENCE_MS // 1000, dtype=np.int16)))
    else:
        await close_refused(
            socket, session.setup.call_id, POLICY_VIOLATION, "the call has been joined by another socket"
        )


async def _receive(socket: WebSocket, session: CallSession) -> None:
    """Pass the frames of the caller's client to the session until it disconnects or is refused."""
    count = 0
    while True:
        try:
            frame = await socket.receive()
        except (WebSocketDisconnect, RuntimeError):
            break
        if frame["type"] != "websocket.receive":
            if frame.get("code") in (PROTOCOL_ERROR, INVALID_PAYLOAD, TOO_BIG):
                services_of(socket).metrics.refused(frame["code"])
            _log_broken(session.setup.call_id, frame)
            break
        count += 1
        try:
            _handle_frame(session, frame, count)
        except RefusedError as error:
            await close_refused(socket, session.setup.call_id, error.close_code, str(error))
            break
        if count % _FRAMES_AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()  # frames that have already arrived are received without one


def _handle_frame(session: CallSession, frame: MutableMapping[str, Any], count: int) -> None:
    """Pass the `count`th frame to the session.

    Raises:
        RefusedError: the socket must be closed.
    """
    if count > _FRAMES_AT_START + _FRAMES_PER_S * session.now_ms() / 1000:
        raise RefusedError("frames come too fast", POLICY_VIOLATION)
    data: bytes | None = frame.get("bytes")
    if data is None:
        _handle_text(session, str(frame.get("text") or ""))
        return
    try:
        session.receive_audio(data)
    except ValueError as error:
        raise RefusedError(str(error), INVALID_PAYLOAD) from None
    except FloodError as error:
        raise RefusedError(str(error), POLICY_VIOLATION) from None


def _log_broken(call_id: str, frame: MutableMapping[str, Any]) -> None:
    """Log the end of a socket that uvicorn closed because its client broke the protocol or sent a too large message."""
    if frame.get("code") in (PROTOCOL_ERROR, INVALID_PAYLOAD, TOO_BIG):
        _log.warning("closed a call's socket", call_id=call_id, code=frame["code"], reason=frame.get("reason"))


def _handle_text(session: CallSession, text: str) -> None:
    try:
        session.control(_parse(text), by_caller=True, author="caller")
    except WireError as error:
        _log.warning("a client's message was refused", call_id=session.setup.call_id, reason=error.messages)
        session.reply_to_client(json.dumps(error.body()))


def _parse(text: str) -> ClientControl:
    if len(text) > MAX_TEXT_CHARS:
        raise WireError(413, f"a message must not be longer than {MAX_TEXT_CHARS} characters")
    return parse_client_control(parse_json(text))


def _leg_of(socket: WebSocket, call: JsonObject) -> WebsocketLeg:
    audio = audio_format_of(call)
    return WebsocketLeg(CarrierSocket(socket), audio.format or "pcm_s16le", int(audio.sample_rate or 16_000))
