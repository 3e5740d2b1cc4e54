"""Webhooks of carriers (`bargein.carriers.interface`), each authenticated by the carrier's own signature."""

from fastapi import APIRouter, Request, Response

from bargein.carriers.interface import WebhookRequest
from bargein.server.api.bodies import read_bytes
from bargein.server.api.services import Services, ServicesDep
from bargein.server.api.urls import base_url

router = APIRouter(prefix="/carrier", include_in_schema=False)


@router.api_route("/{provider}/{number_id}/voice", methods=["GET", "POST"])
async def voice(provider: str, number_id: str, request: Request, services: ServicesDep) -> Response:
    """Respond to a call that comes in or was answered with the carrier's instructions."""
    return await _webhook(provider, number_id, request, services, at_voice=True)


@router.api_route("/{provider}/{number_id}/status", methods=["GET", "POST"])
async def status(provider: str, number_id: str, request: Request, services: ServicesDep) -> Response:
    """Receive the status of a call."""
    return await _webhook(provider, number_id, request, services, at_voice=False)


async def _webhook(provider: str, number_id: str, request: Request, services: Services, *, at_voice: bool) -> Response:
    base = base_url(services, request)
    query = f"?{request.url.query}" if request.url.query else ""
    webhook = WebhookRequest(
        request.method,
        f"{base}{request.url.path}{query}",
        dict(request.headers.items()),
        await read_bytes(request),
    )
    answer = await services.call_router.webhook(provider, number_id, webhook, base, at_voice=at_voice)
    return Response(answer.body, answer.status, media_type=answer.content_type)
