"""`GET /metrics`, for Prometheus (not Vapi's)."""

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from bargein.server.api.auth import require_private
from bargein.server.api.openapi import refusals_of
from bargein.server.api.services import Reach

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format"}, **refusals_of()},
    dependencies=[Depends(require_private)],
)
async def metrics(services: Reach) -> Response:
    """Live calls, interruptions, latencies and refusals since the server began."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)
