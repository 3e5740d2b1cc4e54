"""What carriers ask and tell; see `bargein.carriers.interface`. Each proves by its own signature who it is."""

from fastapi import APIRouter, Request, Response

from bargein.carriers.interface import WebhookRequest
from bargein.server.api.bodies import read_bytes
from bargein.server.api.routes.calls import base_url
from bargein.server.api.services import Reach, Services

router = APIRouter(prefix="/carrier", include_in_schema=False)


@router.api_route("/{provider}/{number_id}/voice", methods=["GET", "POST"])
async def voice(provider: str, number_id: str, request: Request, services: Reach) -> Response:
    """A call comes in, or was answered: what is to be done with it?"""
    return await _answered(provider, number_id, request, services, at_voice=True)


@router.api_route("/{provider}/{number_id}/status", methods=["GET", "POST"])
async def status(provider: str, number_id: str, request: Request, services: Reach) -> Response:
    """How a call fares."""
    return await _answered(provider, number_id, request, services, at_voice=False)


async def _answered(provider: str, number_id: str, request: Request, services: Services, *, at_voice: bool) -> Response:
    base = base_url(services, request)
    query = f"?{request.url.query}" if request.url.query else ""
    asked = WebhookRequest(
        request.method,
        f"{base}{request.url.path}{query}",
        dict(request.headers.items()),
        await read_bytes(request),
    )
    answer = await services.call_router.webhook(provider, number_id, asked, base, at_voice=at_voice)
    return Response(answer.body, answer.status, media_type=answer.content_type)
