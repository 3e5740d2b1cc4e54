"""`/eval/simulation/suite`: groups of simulations."""

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_object, read_request
from bargein.server.api.openapi import request_body
from bargein.server.api.paging import PagingQuery
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of, check_updated
from bargein.server.api.services import ServicesDep
from bargein.server.simulations.references import check_references_of
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.simulations import CreateSimulationSuite

router = APIRouter(prefix="/eval/simulation/suite", tags=["simulations"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="simulation suite",
    router=router,
    records=lambda store: store.simulation_suites,
    schema="SimulationSuite",
    published=("SimulationSuite", "CreateSimulationSuiteDTO", "UpdateSimulationSuiteDTO"),
)


@router.post(
    "",
    status_code=201,
    responses=RESOURCE.responses(201, *BODY_ERRORS),
    openapi_extra=request_body(CreateSimulationSuite),
)
async def create_suite(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a suite."""
    _, body = await read_request(request, CreateSimulationSuite)
    await check_references_of(services.store, body)
    return await RESOURCE.create(services, {"targetAssignments": [], **without_nulls(body)})


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_suites(paging: PagingQuery, services: ServicesDep, name: str | None = None) -> JSONResponse:
    """List the suites, newest first."""
    return await RESOURCE.list(services, replace(paging.query, where={"name": name} if name else {}))


@router.get("/{suite_id}", responses=RESOURCE.responses(200, 404))
async def get_suite(suite_id: str, services: ServicesDep) -> JSONResponse:
    """Return a suite."""
    return await RESOURCE.get(services, suite_id)


@router.patch(
    "/{suite_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(CreateSimulationSuite, partial=True),
)
async def update_suite(suite_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed."""
    body = await read_object(request)
    await check_references_of(services.store, body)

    def check(_before: JsonObject, after: JsonObject) -> None:
        check_updated(CreateSimulationSuite, after, body)

    return await RESOURCE.update(services, suite_id, changes_of(body), check=check)


@router.delete("/{suite_id}", responses=RESOURCE.responses(200, 404))
async def delete_suite(suite_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a suite; runs keep what they were begun with."""
    return await RESOURCE.delete(services, suite_id)
