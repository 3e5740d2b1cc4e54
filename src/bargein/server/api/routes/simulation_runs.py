"""`/eval/simulation/run`: runs of simulations against an assistant or a squad, and their single conversations."""

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_assistant, check_squad
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.openapi import request_body, responses
from bargein.server.api.paging import PagingQuery
from bargein.server.api.references import check_references
from bargein.server.api.resource import BODY_ERRORS, Resource
from bargein.server.api.services import Services, ServicesDep
from bargein.server.api.urls import base_url
from bargein.server.simulations.references import check_evaluations
from bargein.store import Store
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import unknown_id
from bargein.wire.evals import EvalTarget, check_target
from bargein.wire.json import as_object, as_object_or_none, as_objects
from bargein.wire.simulations import CreateSimulationRun, check_run_entry, check_scenario

router = APIRouter(prefix="/eval/simulation/run", tags=["simulations"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="simulation run",
    router=router,
    records=lambda store: store.simulation_runs,
    schema="SimulationRun",
    published=(
        "SimulationRun", "CreateSimulationRunDTO", "CreateSimulationRunResponse", "SimulationRunItem",
        "SimulationRunsPaginatedResponse", "SimulationConcurrencyResponse",
    ),
)  # fmt: skip


@router.post(
    "",
    status_code=201,
    responses=responses(201, *BODY_ERRORS, schema="CreateSimulationRunResponse"),
    openapi_extra=request_body(CreateSimulationRun),
)
async def create_simulation_run(request: Request, services: ServicesDep) -> JSONResponse:
    """Begin a run: each simulation is a conversation of its own, `iterations` times."""
    parsed, body = await read_request(request, CreateSimulationRun)
    body = without_nulls(body)
    for index, entry in enumerate(parsed.simulations):
        check_run_entry(entry, f"simulations.{index}.")
    for index, given in enumerate(as_objects(body["simulations"])):
        await _check_inline(services.store, given, f"simulations.{index}.")
    target = as_object(body["target"])
    check_target(EvalTarget.from_json(target))
    if (inline := as_object_or_none(target.get("assistant"))) is not None:
        check_assistant(inline, "target.assistant.")
    if parsed.target.squad is not None:
        await check_squad(services.store, parsed.target.squad, "target.squad.")
    await check_references(services.store, target, "assistantId", "squadId")
    return JSONResponse(await services.simulation_runs.begin(body, base_url(services, request)), 201)


async def _check_inline(store: Store, given: JsonObject, within: str) -> None:
    if (scenario := as_object_or_none(given.get("scenario"))) is not None:
        check_scenario(scenario, f"{within}scenario.")
        await check_evaluations(store, scenario, f"{within}scenario.")
    if (personality := as_object_or_none(given.get("personality"))) is not None:
        check_assistant(as_object(personality.get("assistant")), f"{within}personality.assistant.")


@router.get("", responses=responses(200, 400, schema="SimulationRun", many=True))
async def list_simulation_runs(  # noqa: PLR0917  # one parameter for each of Vapi's filters; FastAPI passes them by name
    request: Request,
    paging: PagingQuery,
    services: ServicesDep,
    status: str | None = None,
    filterStatus: str | None = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    targetType: str | None = None,  # noqa: N803  # the same
    targetId: str | None = None,  # noqa: N803  # the same
) -> JSONResponse:
    """List the runs, newest first; with `page` in pages."""
    given = {"status": status or filterStatus, "target_type": targetType, "target_id": targetId}
    where = {name: value for name, value in given.items() if value is not None}
    query = replace(paging.query, where=where)
    runs = services.simulation_runs
    if "page" not in request.query_params:
        return JSONResponse(await runs.with_counts(await services.store.simulation_runs.list(query)))
    page = await services.store.simulation_runs.page(query)
    shown = [{**one, "summary": _summary(one)} for one in await runs.with_counts(page.records)]
    return JSONResponse(replace(paging, query=query).body(shown, page.total))


def _summary(run: JsonObject) -> JsonObject:
    """Return Vapi's `SimulationRunListSummary`."""
    entries = as_objects(run.get("simulations"))
    ids = [str(one["simulationId"]) for one in entries if "simulationId" in one]
    suite = next((one for one in entries if one.get("type") == "simulationSuite"), None)
    kind = "suite" if suite is not None else "simulation" if ids else "adHoc"
    name = str((suite or entries[0]).get("name") or kind)
    source: JsonObject = {"type": kind, "name": name, "linkable": kind != "adHoc", "simulationIds": ids}
    if suite is not None:
        source["id"] = suite.get("simulationSuiteId") or suite.get("suiteId")
    return {"source": source, "simulationCount": len(entries)}


@router.get("/{run_id}", responses=RESOURCE.responses(200, 404))
async def get_simulation_run(run_id: str, services: ServicesDep) -> JSONResponse:
    """Return a run with the numbers of its conversations by status."""
    (run,) = await services.simulation_runs.with_counts([await RESOURCE.find(services, run_id)])
    return JSONResponse(run)


@router.patch("/{run_id}", responses=RESOURCE.responses(200, 404))
async def cancel_simulation_run(run_id: str, services: ServicesDep) -> JSONResponse:
    """Cancel the conversations of a run that are not over."""
    await RESOURCE.find(services, run_id)
    await services.simulation_runs.cancel(run_id)
    return await get_simulation_run(run_id, services)


@router.get("/{run_id}/item", responses=responses(200, 400, 404, schema="SimulationRunItem", many=True))
async def list_simulation_run_items(  # one parameter for each of Vapi's filters; FastAPI passes them by name
    run_id: str,
    paging: PagingQuery,
    services: ServicesDep,
    simulationId: str | None = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    status: str | None = None,
) -> JSONResponse:
    """List the conversations of a run, newest first."""
    await RESOURCE.find(services, run_id)
    given = {"run_id": run_id, "simulation_id": simulationId, "status": status}
    where = {name: value for name, value in given.items() if value is not None}
    found = await services.store.simulation_items.list(replace(paging.query, where=where))
    return JSONResponse([_shown(one) for one in found])


@router.get("/{run_id}/item/{item_id}", responses=responses(200, 404, schema="SimulationRunItem"))
async def get_simulation_run_item(run_id: str, item_id: str, services: ServicesDep) -> JSONResponse:
    """Return a conversation of a run with its results."""
    return JSONResponse(_shown(await _item(services, run_id, item_id)))


@router.patch("/{run_id}/item/{item_id}", responses=responses(200, 404, schema="SimulationRunItem"))
async def cancel_simulation_run_item(run_id: str, item_id: str, services: ServicesDep) -> JSONResponse:
    """Cancel a conversation that is not over."""
    await _item(services, run_id, item_id)
    await services.simulation_runs.cancel_item(item_id)
    return await get_simulation_run_item(run_id, item_id, services)


@router.post("/{run_id}/item/{item_id}/generate", status_code=201, responses=responses(201, 400, 404, 502))
async def generate_improvements(
    run_id: str,
    item_id: str,
    services: ServicesDep,
    force: bool = False,  # noqa: FBT001, FBT002  # a query parameter
    persist: bool = True,  # noqa: FBT001, FBT002  # the same
) -> JSONResponse:
    """Ask the assistant's model how a conversation that has failed could pass (`improvementSuggestions`)."""
    item = await _item(services, run_id, item_id)
    if "improvementSuggestions" in item and not force:
        return JSONResponse(item["improvementSuggestions"], 201)
    made = await services.suggestions.improvements(item)
    if persist:
        await services.store.simulation_items.patch(item_id, {"improvementSuggestions": made})
    return JSONResponse(made, 201)


async def _item(services: Services, run_id: str, item_id: str) -> JsonObject:
    item = await services.store.simulation_items.get(item_id)
    if item is None or item.get("runId") != run_id:
        raise unknown_id("simulation run item", item_id)
    return item


def _shown(item: JsonObject) -> JsonObject:
    return {name: value for name, value in item.items() if name != "target"}
