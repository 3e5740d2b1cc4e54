"""`/tool`: stored tools, which assistants name in `model.toolIds`."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.agents.problems import Problem, problem_of_tool
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_json, read_object
from bargein.server.api.filters import ListQuery
from bargein.server.api.importing import Importer, ImportParameter
from bargein.server.api.openapi import request_body
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of, check_unchanged, check_updated
from bargein.server.api.services import Services, ServicesDep
from bargein.server.api.warnings import warning_of
from bargein.wire import contract
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_string
from bargein.wire.tools import TOOLS, parse_tool, without_null_fields

router = APIRouter(prefix="/tool", tags=["tools"], dependencies=[Depends(require_private)])

_MODELS = tuple(dict.fromkeys(TOOLS.values()))

RESOURCE = Resource(
    name="tool",
    router=router,
    records=lambda store: store.tools,
    # a stored tool can hold nulls that Vapi's type does not allow
    view=lambda _services, tool: contract.without_nulls("Tool", tool),
    schema="Tool",
    published=("Tool", "CreateToolDTO", "UpdateToolDTO"),
)


@router.post("", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(*_MODELS))
async def create_tool(request: Request, services: ServicesDep, *, is_import: ImportParameter = False) -> JSONResponse:
    """Create a tool. With `import=true` the body may be an export of one."""
    importer = Importer(wanted=is_import)
    body = await read_json(request)
    if (model := TOOLS.get(as_string(as_object(body).get("type")) or "")) is not None:
        body = importer.body(model, body)
    parse_tool(body)
    response = await RESOURCE.create(services, without_null_fields(as_object(body)))
    response.headers.update(warning_of([*importer.problems, *_problems(services, as_object(body))]))
    return response


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_tools(query: ListQuery, services: ServicesDep) -> JSONResponse:
    """List the tools, newest first."""
    return await RESOURCE.list(services, query)


@router.get("/{tool_id}", responses=RESOURCE.responses(200, 404))
async def get_tool(tool_id: str, services: ServicesDep) -> JSONResponse:
    """Return a tool."""
    return await RESOURCE.get(services, tool_id)


@router.patch(
    "/{tool_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(*_MODELS, partial=True),
)
async def update_tool(tool_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed. The type cannot change."""
    body = await read_object(request)

    def check(before: JsonObject, after: JsonObject) -> None:
        check_unchanged("type", before, after)  # one model can stand for several types
        check_updated(TOOLS[before["type"]], after, body)

    return await RESOURCE.update(services, tool_id, changes_of(body, without_null_fields), check=check)


@router.delete("/{tool_id}", responses=RESOURCE.responses(200, 404))
async def delete_tool(tool_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a tool."""
    return await RESOURCE.delete(services, tool_id)


def _problems(services: Services, tool: JsonObject) -> list[Problem]:
    """Return why this server cannot run the tool; an assistant may still have a server for it."""
    problem = problem_of_tool(tool, services.settings, owned=True)
    return [] if problem is None else [Problem("type", problem)]
