"""The parts of Vapi's API that only its cloud has: each path and method responds 501 in the error format."""

from fastapi import APIRouter, Depends, Request

from bargein.server.api.auth import require_private
from bargein.wire.errors import WireError

ABSENT: dict[str, tuple[str, ...]] = {
    "/campaign": ("GET", "POST"),
    "/campaign/{id}": ("GET", "PATCH", "DELETE"),
    "/v2/campaign": ("GET", "POST"),
    "/v2/campaign/{id}": ("GET", "PATCH", "DELETE"),
    "/v2/campaign/{id}/contacts": ("GET",),
    "/v2/knowledge-base": ("GET", "POST"),
    "/v2/knowledge-base/{id}": ("GET", "PATCH", "DELETE"),
    "/v2/knowledge-base/{id}/file": ("GET", "POST"),
    "/v2/knowledge-base/{id}/file/{file_id}": ("DELETE",),
    "/v2/knowledge-base/{id}/file/{file_id}/retry": ("POST",),
    "/reporting/insight": ("GET", "POST"),
    "/reporting/insight/preview": ("POST",),
    "/reporting/insight/{id}": ("GET", "PATCH", "DELETE"),
    "/reporting/insight/{id}/run": ("POST",),
    "/reporting/board": ("GET", "POST"),
    "/reporting/board/default/metrics-overview": ("GET",),
    "/reporting/board/{id}": ("GET", "PATCH", "DELETE"),
    "/observability/scorecard": ("GET", "POST"),
    "/observability/scorecard/{id}": ("GET", "PATCH", "DELETE"),
    "/provider/{provider}/{resource}": ("GET", "POST"),
    "/provider/{provider}/{resource}/{id}": ("GET", "PATCH", "DELETE"),
    "/analytics": ("POST",),
    "/traffic-allocations": ("GET", "POST"),
    "/traffic-allocations/latest": ("GET",),
    "/traffic-allocations/{id}": ("GET",),
}
"""Path -> methods, as in Vapi's OpenAPI document."""

_ALL = ("GET", "POST", "PATCH", "DELETE")
ABSENT_OF_PAGES: dict[str, tuple[str, ...]] = {
    "/knowledge-base": _ALL,
    "/knowledge-base/{path:path}": _ALL,
    "/monitoring/monitor": _ALL,
    "/monitoring/monitor/{path:path}": _ALL,
}
"""The same for paths that Vapi's pages have and its document does not."""

_REASONS = {
    "traffic-allocations": ", which keeps only the latest version of an assistant, so that there are none to split"
    " calls between",
    "knowledge-base": ": its models search files with a tool of type query, whose knowledgeBases name them",
    "monitoring": ", whose calls are watched by its metrics and its messages to servers",
}
"""By the first part of the path: why not, where there is one reason."""

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_private)])


async def _refuse(request: Request) -> None:
    """Respond that this is not supported.

    Raises:
        WireError: 501, always.
    """
    reason = _REASONS.get(request.url.path.split("/")[1], "")
    raise WireError(
        501, f"{request.method} {request.url.path} is not supported by this server{reason}: see `bargein docs api`."
    )


for _path, _methods in (*ABSENT.items(), *ABSENT_OF_PAGES.items()):
    router.add_api_route(_path, _refuse, methods=[*_methods])
