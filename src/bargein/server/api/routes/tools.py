"""`/tool`: the tools that assistants share (`model.toolIds`), with Vapi's semantics."""

from typing import cast

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_json
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import answers, body_of
from bargein.server.api.services import Reach
from bargein.wire import contract
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, bad_request, one_of, parse_request
from bargein.wire.tools import TOOLS, parse_tool, tidied

router = APIRouter(prefix="/tool", tags=["tools"], dependencies=[Depends(require_private)])

_BODY = (400, 408, 413, 415)
_KINDS = tuple(dict.fromkeys(TOOLS.values()))


@router.post("", status_code=201, responses=answers(201, *_BODY), openapi_extra=body_of(*_KINDS))
async def create_tool(request: Request, services: Reach) -> JSONResponse:
    """Keep a tool."""
    body = await read_json(request)
    parse_tool(body)
    return JSONResponse(_shown(await services.store.tools.create(tidied(cast("JsonObject", body)))), 201)


@router.get("", responses=answers(200, 400, many=True))
async def list_tools(query: ListQuery, services: Reach) -> JSONResponse:
    """The tools, newest first."""
    return JSONResponse([_shown(tool) for tool in await services.store.tools.list(query)])


@router.get("/{tool_id}", responses=answers(200, 404))
async def get_tool(tool_id: str, services: Reach) -> JSONResponse:
    """One tool."""
    return _found(await services.store.tools.get(tool_id), tool_id)


@router.patch("/{tool_id}", responses=answers(200, 404, *_BODY), openapi_extra=body_of(*_KINDS, partial=True))
async def update_tool(tool_id: str, request: Request, services: Reach) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is taken away. The type stays."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    given = cast("JsonObject", body)

    def check(before: JsonObject, after: JsonObject) -> None:
        kind = before["type"]
        if after.get("type", kind) != kind:
            raise bad_request(f"type {one_of([kind])}")  # one model may stand for many types
        model = TOOLS[kind]
        # a name that is unknown, or the server's own, is refused whatever it holds
        unknown = dict.fromkeys(name for name in given if name not in model.wire_names())
        parse_request(model, after | unknown)

    changes = {**dict.fromkeys(given), **tidied(given)}
    return _found(await services.store.tools.patch(tool_id, changes, check=check), tool_id)


@router.delete("/{tool_id}", responses=answers(200, 404))
async def delete_tool(tool_id: str, services: Reach) -> JSONResponse:
    """Forget a tool."""
    return _found(await services.store.tools.delete(tool_id), tool_id)


def _found(tool: JsonObject | None, tool_id: str) -> JSONResponse:
    if tool is None:
        raise WireError(404, f"There is no tool with the id {tool_id[:80]}.")
    return JSONResponse(_shown(tool))


def _shown(tool: JsonObject) -> object:
    """A stored tool without the fields that were given as null and may not be."""
    return contract.without_nulls("Tool", tool)
