"""`/structured-output`: values that are extracted from calls after their end, and extracting one from past calls."""

from dataclasses import replace
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.analysis.outputs import check_output
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_object, read_request
from bargein.server.api.openapi import request_body, responses
from bargein.server.api.paging import PagingQuery
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of, check_updated
from bargein.server.api.services import Services, ServicesDep
from bargein.server.calls.analysis_jobs import STRUCTURED_OUTPUT
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, unknown_id
from bargein.wire.json import as_object, as_string
from bargein.wire.structured_output import StructuredOutput, StructuredOutputRun

router = APIRouter(prefix="/structured-output", tags=["structured outputs"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="structured output",
    router=router,
    records=lambda store: store.structured_outputs,
    schema="StructuredOutput",
    page_schema="StructuredOutputPaginatedResponse",
    published=(
        "StructuredOutput",
        "CreateStructuredOutputDTO",
        "UpdateStructuredOutputDTO",
        "StructuredOutputPaginatedResponse",
        "StructuredOutputRunDTO",
    ),
)


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(StructuredOutput)
)
async def create_structured_output(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a structured output."""
    _, body = await read_request(request, StructuredOutput)
    document = without_nulls(body)
    check_output(document)
    return await RESOURCE.create(services, {"type": "ai", **document})


@router.get("", responses=RESOURCE.responses(200, 400, paged=True))
async def list_structured_outputs(
    paging: PagingQuery,
    services: ServicesDep,
    id: str | None = None,  # noqa: A002  # Vapi's name of the filter
    name: str | None = None,
) -> JSONResponse:
    """List the structured outputs in pages."""
    where = {} if name is None else {"name": name}
    return await RESOURCE.page(services, replace(paging, query=replace(paging.query, id=id, where=where)))


@router.post("/run", responses=responses(200, 404, 502, *BODY_ERRORS), openapi_extra=request_body(StructuredOutputRun))
async def run_structured_output(request: Request, services: ServicesDep) -> JSONResponse:
    """Extract a structured output from calls that are over.

    With `previewEnabled` the response has the value, and the call stays as it is. Without, the values replace those in
    the calls' artifacts, soon after the response.
    """
    run, body = await read_request(request, StructuredOutputRun)
    run.check()
    output_id = run.structured_output_id
    output = await _output_of(services, output_id, as_object(body.get("structuredOutput")))
    for call_id in run.call_ids:
        await _ended_call(services, call_id)
    if run.preview_enabled:
        return await _preview(services, output, run.call_ids[0])
    for call_id in dict.fromkeys(run.call_ids):
        job: JsonObject = {"call": call_id, **({"output": output} if output_id is None else {"outputId": output_id})}
        await services.store.jobs.submit(STRUCTURED_OUTPUT, job, key=f"{call_id}:{output['id']}:{uuid4()}")
    return JSONResponse({"message": f"the structured output is being extracted from {len(set(run.call_ids))} calls"})


async def _output_of(services: Services, output_id: str | None, given: JsonObject) -> JsonObject:
    if output_id is None:
        output = without_nulls(given)
        check_output(output)
        return {**output, "id": str(uuid4())}
    stored = await services.store.structured_outputs.get(output_id)
    if stored is None:
        raise unknown_id("structured output", output_id, 400)
    return stored


async def _ended_call(services: Services, call_id: str) -> JsonObject:
    call = await services.store.calls.get(call_id)
    if call is None:
        raise unknown_id("call", call_id, 400)
    if call.get("status") != "ended":
        raise WireError(400, f"The call {call_id[:80]} is not over.")
    return call


async def _preview(services: Services, output: JsonObject, call_id: str) -> JSONResponse:
    """Return the value of one call as Vapi's `StructuredOutputRunPreviewResponse`.

    Raises:
        WireError: 502: the model failed.
    """
    found = await services.analysis_jobs.extract(output, await _ended_call(services, call_id))
    artifact = as_object(found.get("artifact"))
    for problem in as_object(found.get("analysis")).get("problems") or ():
        raise WireError(502, as_string(problem.get("reason")) or "the model failed")
    skipped = artifact.get("skippedStructuredOutputs")
    return JSONResponse({**as_object(artifact.get("structuredOutputs")), **({"skipped": skipped} if skipped else {})})


@router.get("/{output_id}", responses=RESOURCE.responses(200, 404))
async def get_structured_output(output_id: str, services: ServicesDep) -> JSONResponse:
    """Return a structured output."""
    return await RESOURCE.get(services, output_id)


@router.patch(
    "/{output_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(StructuredOutput, partial=True),
)
async def update_structured_output(output_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed."""
    body = await read_object(request)

    def check(_before: JsonObject, after: JsonObject) -> None:
        check_updated(StructuredOutput, after, body)
        check_output(after)

    return await RESOURCE.update(services, output_id, changes_of(body), check=check)


@router.delete("/{output_id}", responses=RESOURCE.responses(200, 404))
async def delete_structured_output(output_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a structured output; the values in past calls stay."""
    return await RESOURCE.delete(services, output_id)
