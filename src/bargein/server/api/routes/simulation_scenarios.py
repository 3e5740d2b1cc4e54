"""`/eval/simulation/scenario`: what a tester does, and what is evaluated."""

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
from bargein.server.simulations.references import check_evaluations, check_own_outputs, check_references_of
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.simulations import CreateScenario, GenerateScenarios, check_scenario

router = APIRouter(prefix="/eval/simulation/scenario", tags=["simulations"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="scenario",
    router=router,
    records=lambda store: store.scenarios,
    schema="Scenario",
    published=("Scenario", "CreateScenarioDTO", "UpdateScenarioDTO"),
)


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(CreateScenario)
)
async def create_scenario(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a scenario."""
    _, body = await read_request(request, CreateScenario)
    check_scenario(body)
    await check_evaluations(services.store, body)
    return await RESOURCE.create(services, without_nulls(body))


@router.post(
    "/generate",
    status_code=201,
    responses=responses(201, *BODY_ERRORS, 502, schema="GenerateScenariosResponse"),
    openapi_extra=request_body(GenerateScenarios),
)
async def generate_scenarios(request: Request, services: ServicesDep) -> JSONResponse:
    """Ask the model of an assistant for scenarios with which the assistant can be tested."""
    _, body = await read_request(request, GenerateScenarios)
    return JSONResponse(await services.suggestions.scenarios(without_nulls(body)), 201)


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_scenarios(
    paging: PagingQuery,
    services: ServicesDep,
    idAny: Annotated[list[str] | None, Parameter()] = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    name: str | None = None,
) -> JSONResponse:
    """List the scenarios, newest first."""
    where: dict[str, str | list[str]] = {**({"id": idAny} if idAny else {}), **({"name": name} if name else {})}
    return await RESOURCE.list(services, replace(paging.query, where=where))


@router.get("/{scenario_id}", responses=RESOURCE.responses(200, 404))
async def get_scenario(scenario_id: str, services: ServicesDep) -> JSONResponse:
    """Return a scenario."""
    return await RESOURCE.get(services, scenario_id)


@router.patch(
    "/{scenario_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(CreateScenario, partial=True),
)
async def update_scenario(scenario_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed."""
    body = await read_object(request)
    await check_references_of(services.store, {"evaluations": body.get("evaluations")})

    def check(_before: JsonObject, after: JsonObject) -> None:
        check_updated(CreateScenario, after, body)
        check_scenario(after)
        check_own_outputs(after)

    return await RESOURCE.update(services, scenario_id, changes_of(body), check=check)


@router.delete("/{scenario_id}", responses=RESOURCE.responses(200, 404))
async def delete_scenario(scenario_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a scenario; runs keep what they were begun with."""
    return await RESOURCE.delete(services, scenario_id)
