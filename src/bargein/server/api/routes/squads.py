"""`/squad`: squads of assistants that hand a call over to each other."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import Query as Parameter
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_squad
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_object, read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.importing import Importer, ImportParameter
from bargein.server.api.openapi import request_body
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of, check_updated
from bargein.server.api.services import ServicesDep
from bargein.server.api.warnings import warning_of
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import parse_request
from bargein.wire.squad import Squad

router = APIRouter(prefix="/squad", tags=["squads"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="squad",
    router=router,
    records=lambda store: store.squads,
    schema="Squad",
    published=("Squad", "CreateSquadDTO", "UpdateSquadDTO"),
)


@router.post("", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(Squad))
async def create_squad(request: Request, services: ServicesDep, *, is_import: ImportParameter = False) -> JSONResponse:
    """Create a squad. With `import=true` the body may be an export of one; its assistants must be stored before."""
    importer = Importer(wanted=is_import)
    squad, body = await read_request(request, Squad, partial(importer.body, Squad))
    await check_squad(services.store, squad)
    response = await RESOURCE.create(services, without_nulls(body))
    response.headers.update(warning_of(importer.problems))
    return response


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_squads(
    query: ListQuery,
    services: ServicesDep,
    idAny: Annotated[list[str] | None, Parameter()] = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
) -> JSONResponse:
    """List the squads, newest first."""
    return await RESOURCE.list(services, replace(query, where={"id": idAny} if idAny else {}))


@router.get("/{squad_id}", responses=RESOURCE.responses(200, 404))
async def get_squad(squad_id: str, services: ServicesDep) -> JSONResponse:
    """Return a squad."""
    return await RESOURCE.get(services, squad_id)


@router.patch(
    "/{squad_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(Squad, partial=True),
)
async def update_squad(squad_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed."""
    body = await read_object(request)
    if body.get("members") is not None:
        await check_squad(services.store, parse_request(Squad, body))

    def check(_before: JsonObject, after: JsonObject) -> None:
        check_updated(Squad, after, body)

    return await RESOURCE.update(services, squad_id, changes_of(body), check=check)


@router.delete("/{squad_id}", responses=RESOURCE.responses(200, 404))
async def delete_squad(squad_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a squad."""
    return await RESOURCE.delete(services, squad_id)
