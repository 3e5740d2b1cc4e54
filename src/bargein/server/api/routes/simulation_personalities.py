"""`/eval/simulation/personality`: testers of simulations."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_assistant
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_object, read_request
from bargein.server.api.openapi import request_body
from bargein.server.api.paging import PagingQuery
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of, check_updated
from bargein.server.api.services import ServicesDep
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object
from bargein.wire.simulations import CreatePersonality

router = APIRouter(prefix="/eval/simulation/personality", tags=["simulations"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="personality",
    router=router,
    records=lambda store: store.personalities,
    schema="Personality",
    published=("Personality", "CreatePersonalityDTO", "UpdatePersonalityDTO"),
)


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(CreatePersonality)
)
async def create_personality(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a personality."""
    _, body = await read_request(request, CreatePersonality)
    check_assistant(as_object(without_nulls(body)["assistant"]), "assistant.")
    return await RESOURCE.create(services, without_nulls(body))


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_personalities(paging: PagingQuery, services: ServicesDep) -> JSONResponse:
    """List the personalities, newest first."""
    return await RESOURCE.list(services, paging.query)


@router.get("/{personality_id}", responses=RESOURCE.responses(200, 404))
async def get_personality(personality_id: str, services: ServicesDep) -> JSONResponse:
    """Return a personality."""
    return await RESOURCE.get(services, personality_id)


@router.patch(
    "/{personality_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(CreatePersonality, partial=True),
)
async def update_personality(personality_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed."""
    body = await read_object(request)

    def check(_before: JsonObject, after: JsonObject) -> None:
        check_updated(CreatePersonality, after, body)
        check_assistant(as_object(after["assistant"]), "assistant.")

    return await RESOURCE.update(services, personality_id, changes_of(body), check=check)


@router.delete("/{personality_id}", responses=RESOURCE.responses(200, 404))
async def delete_personality(personality_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a personality; runs keep what they were begun with."""
    return await RESOURCE.delete(services, personality_id)
