"""`/squad`: assistants that hand a call to each other, with Vapi's semantics."""

from dataclasses import replace
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from fastapi import Query as Parameter
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_squad
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_json, read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import answers, body_of
from bargein.server.api.services import Reach
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, bad_request, parse_request
from bargein.wire.squad import Squad

router = APIRouter(prefix="/squad", tags=["squads"], dependencies=[Depends(require_private)])

_BODY = (400, 408, 413, 415)


@router.post("", status_code=201, responses=answers(201, *_BODY), openapi_extra=body_of(Squad))
async def create_squad(request: Request, services: Reach) -> JSONResponse:
    """Keep a squad."""
    squad, body = await read_request(request, Squad)
    await check_squad(services.store, squad)
    return JSONResponse(await services.store.squads.create(without_nulls(body)), 201)


@router.get("", responses=answers(200, 400, many=True))
async def list_squads(
    query: ListQuery,
    services: Reach,
    idAny: Annotated[list[str] | None, Parameter()] = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
) -> JSONResponse:
    """The squads, newest first."""
    return JSONResponse(await services.store.squads.list(replace(query, where={"id": idAny} if idAny else {})))


@router.get("/{squad_id}", responses=answers(200, 404))
async def get_squad(squad_id: str, services: Reach) -> JSONResponse:
    """One squad."""
    return _found(await services.store.squads.get(squad_id), squad_id)


@router.patch("/{squad_id}", responses=answers(200, 404, *_BODY), openapi_extra=body_of(Squad, partial=True))
async def update_squad(squad_id: str, request: Request, services: Reach) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is taken away."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    given = cast("JsonObject", body)
    if given.get("members") is not None:
        await check_squad(services.store, parse_request(Squad, given))

    def check(_: JsonObject, after: JsonObject) -> None:
        # a name that is unknown, or the server's own, is refused whatever it holds
        parse_request(Squad, after | dict.fromkeys(name for name in given if name not in Squad.wire_names()))

    changes = {**dict.fromkeys(given), **without_nulls(given)}
    return _found(await services.store.squads.patch(squad_id, changes, check=check), squad_id)


@router.delete("/{squad_id}", responses=answers(200, 404))
async def delete_squad(squad_id: str, services: Reach) -> JSONResponse:
    """Forget a squad."""
    return _found(await services.store.squads.delete(squad_id), squad_id)


def _found(squad: JsonObject | None, squad_id: str) -> JSONResponse:
    if squad is None:
        raise WireError(404, f"There is no squad with the id {squad_id[:80]}.")
    return JSONResponse(squad)
