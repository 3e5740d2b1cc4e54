"""`/assistant`: stored assistants."""

from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.agents.problems import Problem
from bargein.server.agents.validate import check_rules
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.importing import Importer, ImportParameter
from bargein.server.api.openapi import request_body
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of
from bargein.server.api.services import Services, ServicesDep
from bargein.server.api.warnings import participants_warning
from bargein.wire.assistant import Assistant, without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.ownership import made_by

router = APIRouter(prefix="/assistant", tags=["assistants"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="assistant",
    router=router,
    records=lambda store: store.assistants,
    schema="Assistant",
    published=("Assistant", "CreateAssistantDTO", "UpdateAssistantDTO", "AssistantOverrides"),
)


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(Assistant)
)
async def create_assistant(
    request: Request, services: ServicesDep, *, is_import: ImportParameter = False
) -> JSONResponse:
    """Create an assistant. With `import=true` the body may be an export of one."""
    importer = Importer(wanted=is_import)
    assistant, body = await read_request(request, Assistant, partial(importer.body, Assistant))
    check_rules(assistant)
    response = await RESOURCE.create(services, without_nulls(body))
    response.headers.update(await _warning(services, body, importer.problems))
    return response


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_assistants(query: ListQuery, services: ServicesDep) -> JSONResponse:
    """List the assistants, newest first."""
    return await RESOURCE.list(services, query)


@router.get("/{assistant_id}", responses=RESOURCE.responses(200, 404))
async def get_assistant(assistant_id: str, services: ServicesDep) -> JSONResponse:
    """Return an assistant."""
    record = await RESOURCE.find(services, assistant_id)
    return RESOURCE.respond(services, record, headers=await _warning(services, record))


@router.patch(
    "/{assistant_id}", responses=RESOURCE.responses(200, 404, *BODY_ERRORS), openapi_extra=request_body(Assistant)
)
async def update_assistant(assistant_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed."""
    assistant, body = await read_request(request, Assistant)
    check_rules(assistant)
    record = await RESOURCE.patch(services, assistant_id, changes_of(body))
    return RESOURCE.respond(services, record, headers=await _warning(services, record))


@router.delete("/{assistant_id}", responses=RESOURCE.responses(200, 404))
async def delete_assistant(assistant_id: str, services: ServicesDep) -> JSONResponse:
    """Delete an assistant; calls that have begun keep theirs."""
    return await RESOURCE.delete(services, assistant_id)


async def _warning(services: Services, assistant_json: JsonObject, more: Sequence[Problem] = ()) -> dict[str, str]:
    """Return the header that says what will not work in a call with the assistant."""
    return await participants_warning(services, made_by({"assistant": assistant_json}, "owner"), more)
