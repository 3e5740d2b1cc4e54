"""`GET /metrics` for Prometheus, an addition to Vapi's API."""

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from bargein.server.api.auth import require_private
from bargein.server.api.openapi import error_responses
from bargein.server.api.services import ServicesDep

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format"}, **error_responses()},
    dependencies=[Depends(require_private)],
)
async def metrics(services: ServicesDep) -> Response:
    """Return live calls, interruptions, latencies and refusals since the server started."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)
