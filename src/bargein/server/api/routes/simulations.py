"""`/eval/simulation`: pairs of a scenario and a personality."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import Query as Parameter
from starlette.responses import JSONResponse

from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_object, read_request
from bargein.server.api.openapi import request_body, responses
from bargein.server.api.paging import PagingQuery
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of, check_updated
from bargein.server.api.services import ServicesDep
from bargein.server.simulations.references import check_references_of
from bargein.server.simulations.runs import SLOTS
from bargein.store import Query
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.json import as_strings
from bargein.wire.simulations import CreateSimulation

router = APIRouter(prefix="/eval/simulation", tags=["simulations"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="simulation",
    router=router,
    records=lambda store: store.simulations,
    schema="Simulation",
    published=("Simulation", "CreateSimulationDTO", "UpdateSimulationDTO"),
)


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(CreateSimulation)
)
async def create_simulation(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a simulation."""
    _, body = await read_request(request, CreateSimulation)
    await check_references_of(services.store, body)
    return await RESOURCE.create(services, without_nulls(body))


@router.get("/concurrency", responses=responses(200, schema="SimulationConcurrencyResponse"))
async def get_concurrency(services: ServicesDep) -> JSONResponse:
    """Return how many conversations this server holds at once, and how many it holds now."""
    active = await services.simulation_runs.active()
    return JSONResponse(
        {
            "orgId": services.store.org_id,
            "concurrencyLimit": SLOTS,
            "activeSimulations": active,
            "availableToStart": max(0, SLOTS - active) // 2,
            "createdAt": None,
            "updatedAt": None,
            "isDefault": True,
        }
    )


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_simulations(
    paging: PagingQuery,
    services: ServicesDep,
    idAny: Annotated[list[str] | None, Parameter()] = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    standaloneOnly: bool | None = None,  # noqa: N803, FBT001  # the same
) -> JSONResponse:
    """List the simulations, newest first; with `standaloneOnly` those that are in no suite."""
    query = replace(paging.query, where={"id": idAny} if idAny else {})
    if standaloneOnly is not True:
        return await RESOURCE.list(services, query)
    suites = await services.store.simulation_suites.list(Query(limit=1000))
    grouped = {one for suite in suites for one in as_strings(suite.get("simulationIds"))}
    found = await services.store.simulations.list(query)
    return JSONResponse([one for one in found if one["id"] not in grouped])


@router.get("/{simulation_id}", responses=RESOURCE.responses(200, 404))
async def get_simulation(simulation_id: str, services: ServicesDep) -> JSONResponse:
    """Return a simulation."""
    return await RESOURCE.get(services, simulation_id)


@router.patch(
    "/{simulation_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(CreateSimulation, partial=True),
)
async def update_simulation(simulation_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed."""
    body = await read_object(request)
    await check_references_of(services.store, body)

    def check(_before: JsonObject, after: JsonObject) -> None:
        check_updated(CreateSimulation, after, body)

    return await RESOURCE.update(services, simulation_id, changes_of(body), check=check)


@router.delete("/{simulation_id}", responses=RESOURCE.responses(200, 404))
async def delete_simulation(simulation_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a simulation; runs keep what they were begun with."""
    return await RESOURCE.delete(services, simulation_id)
