"""Watching and steering a live call from outside: `monitor.listenUrl`, `monitor.controlUrl`, and insight for people."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response, WebSocket, WebSocketDisconnect
from starlette.datastructures import Headers
from starlette.responses import StreamingResponse

from bargein.call.clients.listeners import AUDIENCE_FRAME_MS, AUDIENCE_RATE_HZ, Listener
from bargein.call.session import CallSession
from bargein.carriers.websocket import WebsocketLeg
from bargein.server.api.auth import key_of
from bargein.server.api.bodies import read_json
from bargein.server.api.routes.call_socket import POLICY_VIOLATION, refuse, wrong_key
from bargein.server.api.services import Reach, Services, services_of
from bargein.server.api.sockets import CarrierSocket
from bargein.wire.client_controls import EndCall, parse_inbound
from bargein.wire.errors import WireError
from bargein.wire.plans import MonitorPlan

router = APIRouter(tags=["live calls"])

_LISTENER_BEHIND_MS = 3000
"""A listener who is so far behind is let go."""
_INSIGHT_BUFFER = 500
_INSIGHT_BATCH_S = 0.1


@router.post("/{call_id}/control", responses={200: {"description": "It has been carried out."}})
async def control(call_id: str, request: Request, services: Reach) -> Response:
    """Steer a live call from outside (`monitor.controlUrl`): one bare inbound message.

    A telephone call that still rings can be ended, and nothing else.
    """
    if services.live_calls.session(call_id) is None and services.call_router.find(call_id) is not None:
        if wrong_key(services, request.headers):
            raise WireError(401, "The bearer key is not valid.")
        if not isinstance(parse_inbound(await read_json(request)), EndCall):
            raise WireError(409, "This call has not been answered yet: it can be ended (end-call), and nothing else.")
        await services.call_router.cancel(call_id, "manually-canceled")
        return Response(status_code=200)
    session = _live(services, call_id, request.headers)
    plan = session.setup.assistant.monitor_plan or MonitorPlan()
    if plan.control_enabled is False:
        raise WireError(403, "This call's assistant has monitorPlan.controlEnabled false.")
    if plan.control_authentication_enabled and key_of(services.settings, request.headers) is None:
        raise WireError(401, "This call's assistant wants a bearer key here.")
    session.control(parse_inbound(await read_json(request)), by_caller=False)
    return Response(status_code=200)


@router.websocket("/{call_id}/listen")
async def listen(socket: WebSocket, call_id: str) -> None:
    """Listen in on a live call (`monitor.listenUrl`): interleaved stereo in binary frames, its messages in text frames.

    The customer is on the left, the assistant on the right, 16-bit little-endian at 16 kHz; Vapi documents no layout.
    """
    services = services_of(socket)
    await socket.accept()
    try:
        session = _audible(services, call_id, socket.headers)
    except WireError as error:
        await refuse(socket, call_id, POLICY_VIOLATION, str(error.messages))
        return
    leg = WebsocketLeg(CarrierSocket(socket), "pcm_s16le", AUDIENCE_RATE_HZ, _LISTENER_BEHIND_MS // AUDIENCE_FRAME_MS)
    # A moment later, so that a carrier is told to be silent before anybody hears of the interruption.
    loop = asyncio.get_running_loop()

    def read(text: str) -> None:
        loop.call_soon(leg.send_text, text)

    leave = session.listeners.join(Listener(leg.send_audio, read))
    session.on_end(lambda: _later(loop, leg.hang_up))
    try:
        with services.metrics.listeners.track_inprogress():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_until_gone, socket, tasks.cancel_scope)
                # A listener who takes too little is let go by the leg; the call never waits for one.
                await leg.run(leave)
                tasks.cancel_scope.cancel()
    finally:
        leave()


def _later(loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
    loop.call_soon(action)


def _audible(services: Services, call_id: str, headers: Headers) -> CallSession:
    session = _live(services, call_id, headers)
    plan = session.setup.assistant.monitor_plan or MonitorPlan()
    if plan.listen_enabled is False:
        raise WireError(403, "This call's assistant has monitorPlan.listenEnabled false.")
    if plan.listen_authentication_enabled and key_of(services.settings, headers) is None:
        raise WireError(401, "This call's assistant wants a bearer key here.")
    return session


async def _until_gone(socket: WebSocket, scope: anyio.CancelScope) -> None:
    """A listener has nothing to say; what it sends is passed over."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while (await socket.receive())["type"] == "websocket.receive":
            pass
    scope.cancel()


@router.get("/{call_id}/insight", response_class=StreamingResponse)
async def insight(call_id: str, request: Request, services: Reach) -> StreamingResponse:
    """What goes on in a live call, for people: voice probability and decisions (server-sent events; not Vapi's)."""
    session = _live(services, call_id, request.headers)
    return StreamingResponse(_insights(session), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _insights(session: CallSession) -> AsyncGenerator[str]:
    send, receive = anyio.create_memory_object_stream[dict[str, Any]](_INSIGHT_BUFFER)

    def watcher(what: dict[str, Any]) -> None:
        # Somebody who watches too slowly misses something; the call goes on.
        with suppress(anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            send.send_nowait(what)

    stop = session.insight.watch(watcher)
    session.on_end(send.close)
    try:
        yield _event({"kind": "clock", "at_ms": round(session.now_ms())})
        async for what in receive:
            batch = [what]
            if what["kind"] == "voice":
                await anyio.sleep(_INSIGHT_BATCH_S)
            while True:
                try:
                    batch.append(receive.receive_nowait())
                except (anyio.WouldBlock, anyio.EndOfStream):
                    break
            for told in _joined(batch):
                yield _event(told)
    finally:
        stop()
        send.close()
        receive.close()


def _joined(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Windows of voice that follow each other become one event."""
    joined: list[dict[str, Any]] = []
    for told in batch:
        if told["kind"] == "voice" and joined and joined[-1]["kind"] == "voice":
            joined[-1]["at_ms"] += told["at_ms"]
            joined[-1]["probability"] += told["probability"]
        else:
            joined.append(told)
    return joined


def _event(told: dict[str, Any]) -> str:
    return f"data: {json.dumps(told)}\n\n"


def _live(services: Services, call_id: str, headers: Headers) -> CallSession:
    if wrong_key(services, headers):
        raise WireError(401, "The bearer key is not valid.")
    session = services.live_calls.session(call_id)
    if session is None:
        raise WireError(404, f"There is no live call with the id {call_id[:80]}.")
    return session
