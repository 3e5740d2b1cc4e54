"""`/eval`: mock conversations with checks, which runs play against assistants and squads."""

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_object, read_request
from bargein.server.api.openapi import request_body
from bargein.server.api.paging import PagingQuery
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of, check_updated
from bargein.server.api.services import ServicesDep
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.evals import CreateEval, check_eval

router = APIRouter(prefix="/eval", tags=["evals"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="eval",
    router=router,
    records=lambda store: store.evals,
    schema="Eval",
    page_schema="EvalPaginatedResponse",
    published=("Eval", "CreateEvalDTO", "UpdateEvalDTO", "EvalPaginatedResponse"),
)


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(CreateEval)
)
async def create_eval(request: Request, services: ServicesDep) -> JSONResponse:
    """Create an eval."""
    _, body = await read_request(request, CreateEval)
    check_eval(body)
    return await RESOURCE.create(services, without_nulls(body))


@router.get("", responses=RESOURCE.responses(200, 400, paged=True))
async def list_evals(paging: PagingQuery, services: ServicesDep, id: str | None = None) -> JSONResponse:  # noqa: A002  # Vapi's name of the filter
    """List the evals in pages."""
    return await RESOURCE.page(services, replace(paging, query=replace(paging.query, id=id)))


@router.get("/{eval_id}", responses=RESOURCE.responses(200, 404))
async def get_eval(eval_id: str, services: ServicesDep) -> JSONResponse:
    """Return an eval."""
    return await RESOURCE.get(services, eval_id)


@router.patch(
    "/{eval_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(CreateEval, partial=True),
)
async def update_eval(eval_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed."""
    body = await read_object(request)

    def check(_before: JsonObject, after: JsonObject) -> None:
        check_updated(CreateEval, after, body)
        check_eval(after)

    return await RESOURCE.update(services, eval_id, changes_of(body), check=check)


@router.delete("/{eval_id}", responses=RESOURCE.responses(200, 404))
async def delete_eval(eval_id: str, services: ServicesDep) -> JSONResponse:
    """Delete an eval; its runs stay."""
    return await RESOURCE.delete(services, eval_id)
