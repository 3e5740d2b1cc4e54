"""The media sockets on which carriers connect a telephone call."""

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from bargein.carriers.interface import ForgedError, WebhookRequest
from bargein.carriers.stream import StreamLeg
from bargein.clock import Clock
from bargein.ports import CarrierError, StoreError
from bargein.server.api.services import Services, services_of
from bargein.server.api.sockets import POLICY_VIOLATION, TRY_AGAIN_LATER, CarrierSocket, close_refused
from bargein.server.telephony.call_registry import NumberEndpoint, PhoneCall
from bargein.wire.errors import WireError

router = APIRouter()

# A carrier sends about 50 frames of audio a second, and few others.
_FRAMES_PER_S = 500
"""The frames that a carrier may send each second, after some at the start of the call."""
_FRAMES_AT_START = 5000

_log = structlog.get_logger("bargein.server")


class MediaSocket(CarrierSocket):
    """A WebSocket for `bargein.carriers.stream`; a peer that sends too many frames counts as disconnected."""

    def __init__(self, socket: WebSocket, clock: Clock) -> None:
        super().__init__(socket)
        self._frames = socket
        self._clock = clock
        self._began_ms = clock.monotonic_ms()
        self._count = 0

    async def receive(self) -> str | bytes | None:
        """Return the next frame; None once the peer has disconnected."""
        self._count += 1
        if self._count > _FRAMES_AT_START + _FRAMES_PER_S * (self._clock.monotonic_ms() - self._began_ms) / 1000:
            return None
        try:
            frame = await self._frames.receive()
        except (WebSocketDisconnect, RuntimeError):
            return None
        if frame["type"] != "websocket.receive":
            return None
        data: bytes | None = frame.get("bytes")
        return str(frame.get("text") or "") if data is None else data


@router.websocket("/carrier/{provider}/{number_id}/media/{call_id}/{token}")
async def media(socket: WebSocket, provider: str, number_id: str, call_id: str, token: str) -> None:
    """Carry one call's audio in the carrier's own frames. A refused socket is closed before it is accepted."""
    services = services_of(socket)
    try:
        call = await _admitted(
            services, socket, await services.call_router.endpoint(provider, number_id), call_id, token
        )
    except WireError as error:
        _log.warning("a carrier's socket was refused", provider=provider[:40], reason=str(error))
        await socket.close()
        return
    except StoreError as error:
        await close_refused(socket, call_id, TRY_AGAIN_LATER, str(error))
        return
    await socket.accept(_protocol(socket))

    def on_bad_input(reason: str) -> None:
        services.call_router.count_refusal(provider, reason)

    codec = call.endpoint.carrier.codec()
    leg = StreamLeg(MediaSocket(socket, services.clock), codec, call.control(), on_bad_input=on_bad_input)
    try:
        await services.call_router.run_call(call.id, leg)
    except CarrierError as error:
        await close_refused(socket, call_id, POLICY_VIOLATION, str(error))


def _protocol(socket: WebSocket) -> str | None:
    """Return the first subprotocol that the carrier offers, or None (RFC 6455, section 4.2.2)."""
    offered = socket.headers.get("sec-websocket-protocol", "").partition(",")[0].strip()
    return offered or None


async def _admitted(
    services: Services, socket: WebSocket, endpoint: NumberEndpoint, call_id: str, token: str
) -> PhoneCall:
    """Return the call that a socket may carry.

    Raises:
        WireError: it may carry none; that has been counted.
    """
    call_router, provider = services.call_router, endpoint.provider
    call = call_router.find(call_id)
    if call is None or call.ended_reason is not None or call.endpoint.number_id != endpoint.number_id:
        call_router.count_refusal(provider, "no-such-call")
        raise WireError(404, "there is no such call, or it is over")
    if not call_router.tokens.is_valid(call_id, token):
        call_router.count_refusal(provider, "token")
        raise WireError(403, "the token is not good, or was used")
    if call.carrier_call_id is None:
        call_router.count_refusal(provider, "not-placed")
        raise WireError(409, "the call has not been placed yet")
    query = f"?{socket.url.query}" if socket.url.query else ""
    url = f"{(call.addresses.media or '').rpartition('/')[0]}/{token}{query}"
    request = WebhookRequest("GET", url, dict(socket.headers.items()), b"")
    try:
        endpoint.carrier.verify_socket(endpoint.phone_line, request, token)
    except ForgedError as error:
        call_router.count_refusal(provider, "forged")
        raise WireError(403, str(error)) from None
    if not call_router.tokens.redeem(call_id, token):
        call_router.count_refusal(provider, "token")
        raise WireError(403, "the token was used")
    return call
