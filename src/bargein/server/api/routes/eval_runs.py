"""`/eval/run`: runs of evals against an assistant or a squad, with their results."""

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_assistant, check_rules, check_squad
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.openapi import request_body
from bargein.server.api.paging import PagingQuery
from bargein.server.api.references import check_references
from bargein.server.api.resource import BODY_ERRORS, Resource
from bargein.server.api.services import Services, ServicesDep
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request
from bargein.wire.evals import CreateEvalRun, EvalTarget, check_eval, check_target
from bargein.wire.json import as_object, as_object_or_none

router = APIRouter(prefix="/eval/run", tags=["evals"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="eval run",
    router=router,
    records=lambda store: store.eval_runs,
    schema="EvalRun",
    page_schema="EvalRunPaginatedResponse",
    published=("EvalRun", "CreateEvalRunDTO", "EvalRunPaginatedResponse"),
)


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(CreateEvalRun)
)
async def create_eval_run(request: Request, services: ServicesDep) -> JSONResponse:
    """Begin a run of an eval. Its results are in the run once its status is `ended`."""
    parsed, body = await read_request(request, CreateEvalRun)
    if (parsed.eval is None) == (parsed.eval_id is None):
        raise bad_request("Need either `eval` or `evalId`.")
    if parsed.eval is not None:
        check_eval(as_object(body["eval"]), "eval.")
    body = without_nulls(body)
    await _check_target(services, parsed.target, as_object(body["target"]))
    return RESOURCE.respond(services, await services.eval_runs.begin(body), 201)


async def _check_target(services: Services, target: EvalTarget, body: JsonObject) -> None:
    check_target(target)
    inline = as_object_or_none(body.get("assistant"))
    if inline is not None:
        check_assistant(inline, "target.assistant.")
    if target.assistant_overrides is not None:
        check_rules(target.assistant_overrides, "target.assistantOverrides.")
    if target.squad is not None:
        await check_squad(services.store, target.squad, "target.squad.")
    await check_references(services.store, body, "assistantId", "squadId")


@router.get("", responses=RESOURCE.responses(200, 400, paged=True))
async def list_eval_runs(paging: PagingQuery, services: ServicesDep, id: str | None = None) -> JSONResponse:  # noqa: A002  # Vapi's name of the filter
    """List the runs of evals in pages."""
    return await RESOURCE.page(services, replace(paging, query=replace(paging.query, id=id)))


@router.get("/{run_id}", responses=RESOURCE.responses(200, 404))
async def get_eval_run(run_id: str, services: ServicesDep) -> JSONResponse:
    """Return a run of an eval with its results."""
    return await RESOURCE.get(services, run_id)


@router.delete("/{run_id}", responses=RESOURCE.responses(200, 404))
async def delete_eval_run(run_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a run of an eval; one that is not over is cancelled."""
    return await RESOURCE.delete(services, run_id)
