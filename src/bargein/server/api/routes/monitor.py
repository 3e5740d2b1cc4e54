"""Monitoring and controlling a live call: `monitor.listenUrl`, `monitor.controlUrl`, and the page's insight."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response, WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection
from starlette.responses import StreamingResponse

from bargein.call.clients.listeners import LISTENER_FRAME_MS, LISTENER_RATE_HZ, Listener
from bargein.call.session import CallSession
from bargein.carriers.websocket import WebsocketLeg
from bargein.server.api.auth import author_of_request, has_wrong_key, key_of
from bargein.server.api.bodies import read_json
from bargein.server.api.services import Services, ServicesDep, services_of
from bargein.server.api.sockets import POLICY_VIOLATION, CarrierSocket, close_refused
from bargein.wire.client_controls import EndCall, parse_client_control
from bargein.wire.errors import WireError, unknown_id
from bargein.wire.ownership import Author
from bargein.wire.plans import MonitorPlan

router = APIRouter(tags=["live calls"])

_LISTENER_BEHIND_MS = 3000
"""A listener that falls so far behind is disconnected."""
_INSIGHT_BUFFER = 500
_INSIGHT_BATCH_S = 0.1


@router.post("/{call_id}/control", responses={200: {"description": "Done"}})
async def control(call_id: str, request: Request, services: ServicesDep) -> Response:
    """Control a live call (`monitor.controlUrl`) with one inbound message.

    Whoever knows a call's id knows this address, and a page knows the id of its own call: without the private key a
    message has the rights of a caller. A telephone call that still rings can only be ended.
    """
    if services.live_calls.session(call_id) is None and services.call_router.find(call_id) is not None:
        if has_wrong_key(request):
            raise WireError(401, "The bearer key is not valid.")
        if not isinstance(parse_client_control(await read_json(request)), EndCall):
            raise WireError(409, "This call has not been answered yet: it can be ended (end-call), and nothing else.")
        await services.call_router.cancel(call_id, "manually-canceled")
        return Response(status_code=200)
    session = _live(services, call_id, request)
    plan = session.setup.assistant.monitor_plan or MonitorPlan()
    if plan.control_enabled is False:
        raise WireError(403, "This call's assistant has monitorPlan.controlEnabled false.")
    if plan.control_authentication_enabled and key_of(services.settings, request.headers) is None:
        raise WireError(401, "This call's assistant wants a bearer key here.")
    author = author_of_request(services.settings, request.headers)
    session.control(parse_client_control(await read_json(request)), by_caller=False, author=author)
    return Response(status_code=200)


@router.websocket("/{call_id}/listen")
async def listen(socket: WebSocket, call_id: str) -> None:
    """Listen to a live call (`monitor.listenUrl`): interleaved stereo in binary frames, its messages in text frames.

    The customer is on the left, the assistant on the right, 16-bit little-endian at 16 kHz; Vapi documents no layout.
    """
    services = services_of(socket)
    await socket.accept()
    try:
        session = _audible(services, call_id, socket)
    except WireError as error:
        await close_refused(socket, call_id, POLICY_VIOLATION, str(error.messages))
        return
    leg = WebsocketLeg(CarrierSocket(socket), "pcm_s16le", LISTENER_RATE_HZ, _LISTENER_BEHIND_MS // LISTENER_FRAME_MS)
    # Sent in the next cycle of the loop, so that the carrier is told to clear its audio first.
    loop = asyncio.get_running_loop()

    def read(text: str) -> None:
        loop.call_soon(leg.send_text, text)

    leave = session.listeners.add(Listener(leg.send_audio, read))
    session.on_end(lambda: _later(loop, leg.hang_up))
    try:
        with services.metrics.listeners.track_inprogress():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_until_gone, socket, tasks.cancel_scope)
                # The leg disconnects a listener that reads too slowly; the call does not wait for it.
                await leg.run(leave)
                tasks.cancel_scope.cancel()
    finally:
        leave()


def _later(loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
    loop.call_soon(action)


def _audible(services: Services, call_id: str, connection: HTTPConnection) -> CallSession:
    session = _live(services, call_id, connection)
    plan = session.setup.assistant.monitor_plan or MonitorPlan()
    if plan.listen_enabled is False:
        raise WireError(403, "This call's assistant has monitorPlan.listenEnabled false.")
    if plan.listen_authentication_enabled and key_of(services.settings, connection.headers) is None:
        raise WireError(401, "This call's assistant wants a bearer key here.")
    return session


async def _until_gone(socket: WebSocket, scope: anyio.CancelScope) -> None:
    """Wait until a listener disconnects; what it sends is ignored."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while (await socket.receive())["type"] == "websocket.receive":
            pass
    scope.cancel()


@router.get("/{call_id}/insight", response_class=StreamingResponse)
async def insight(call_id: str, request: Request, services: ServicesDep) -> StreamingResponse:
    """Stream a live call's voice probability and decisions (server-sent events; an addition to Vapi's API).

    Without the private key the reasons do not name the assistant's hooks.
    """
    session = _live(services, call_id, request)
    author = author_of_request(services.settings, request.headers)
    return StreamingResponse(
        _insights(session, author), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _insights(session: CallSession, author: Author) -> AsyncGenerator[str]:
    send, receive = anyio.create_memory_object_stream[dict[str, Any]](_INSIGHT_BUFFER)

    def watcher(item: dict[str, Any]) -> None:
        if author == "caller" and item.get("what") == "hook":
            item = {**item, "why": "a hook triggers"}
        # a client that reads too slowly misses items; the call does not wait for it
        with suppress(anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            send.send_nowait(item)

    stop = session.insight.watch(watcher)
    session.on_end(send.close)
    try:
        yield _event({"kind": "clock", "at_ms": round(session.now_ms())})
        async for item in receive:
            batch = [item]
            if item["kind"] == "voice":
                await anyio.sleep(_INSIGHT_BATCH_S)
            while True:
                try:
                    batch.append(receive.receive_nowait())
                except (anyio.WouldBlock, anyio.EndOfStream):
                    break
            for joined in _joined(batch):
                yield _event(joined)
    finally:
        stop()
        send.close()
        receive.close()


def _joined(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items with consecutive windows of voice probability joined into one."""
    joined: list[dict[str, Any]] = []
    for item in batch:
        if item["kind"] == "voice" and joined and joined[-1]["kind"] == "voice":
            joined[-1]["at_ms"] += item["at_ms"]
            joined[-1]["probability"] += item["probability"]
        else:
            joined.append(item)
    return joined


def _event(item: dict[str, Any]) -> str:
    return f"data: {json.dumps(item)}\n\n"


def _live(services: Services, call_id: str, connection: HTTPConnection) -> CallSession:
    if has_wrong_key(connection):
        raise WireError(401, "The bearer key is not valid.")
    session = services.live_calls.session(call_id)
    if session is None:
        raise unknown_id("live call", call_id)
    return session
