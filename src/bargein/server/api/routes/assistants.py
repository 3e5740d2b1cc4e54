"""`/assistant`: the stored assistants, with Vapi's semantics."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_rules
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import answers, body_of
from bargein.server.api.services import Reach
from bargein.wire.assistant import Assistant, without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError

router = APIRouter(prefix="/assistant", tags=["assistants"], dependencies=[Depends(require_private)])

_BODY = (400, 408, 413, 415)


@router.post("", status_code=201, responses=answers(201, *_BODY), openapi_extra=body_of(Assistant))
async def create_assistant(request: Request, services: Reach) -> JSONResponse:
    """Keep an assistant."""
    assistant, body = await read_request(request, Assistant)
    check_rules(assistant)
    return JSONResponse(await services.store.assistants.create(without_nulls(body)), 201)


@router.get("", responses=answers(200, 400, many=True))
async def list_assistants(query: ListQuery, services: Reach) -> JSONResponse:
    """The assistants, newest first."""
    return JSONResponse(await services.store.assistants.list(query))


@router.get("/{assistant_id}", responses=answers(200, 404))
async def get_assistant(assistant_id: str, services: Reach) -> JSONResponse:
    """One assistant."""
    return _found(await services.store.assistants.get(assistant_id), assistant_id)


@router.patch("/{assistant_id}", responses=answers(200, 404, *_BODY), openapi_extra=body_of(Assistant))
async def update_assistant(assistant_id: str, request: Request, services: Reach) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is taken away."""
    assistant, body = await read_request(request, Assistant)
    check_rules(assistant)
    changes = {**dict.fromkeys(body), **without_nulls(body)}
    return _found(await services.store.assistants.patch(assistant_id, changes), assistant_id)


@router.delete("/{assistant_id}", responses=answers(200, 404))
async def delete_assistant(assistant_id: str, services: Reach) -> JSONResponse:
    """Forget an assistant; calls that have begun keep theirs."""
    return _found(await services.store.assistants.delete(assistant_id), assistant_id)


def _found(assistant: JsonObject | None, assistant_id: str) -> JSONResponse:
    if assistant is None:
        raise WireError(404, f"There is no assistant with the id {assistant_id[:80]}.")
    return JSONResponse(assistant)
