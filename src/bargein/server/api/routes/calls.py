"""`/call`: creating, listing and deleting calls. The audio goes over the call's socket (`call_socket`)."""

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.api import call_deletion
from bargein.server.api.artifacts import with_presigned
from bargein.server.api.auth import PermissionsDep, require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import request_body
from bargein.server.api.paging import PagingQuery
from bargein.server.api.resource import BODY_ERRORS, Resource
from bargein.server.api.services import ServicesDep
from bargein.server.api.urls import base_url
from bargein.server.api.warnings import participants_warning
from bargein.wire.base import JsonObject
from bargein.wire.call import CreateCall, CreateWebCall, DeleteCalls, UpdateCall, normalize_widget_body, public_call
from bargein.wire.ownership import made_by
from bargein.wire.redact import without_secrets

router = APIRouter(tags=["calls"])
_private = [Depends(require_private)]

RESOURCE = Resource(
    name="call",
    router=router,
    records=lambda store: store.calls,
    view=lambda _services, call: public_call(call),
    schema="Call",
    page_schema="CallPaginatedResponse",
    published=(
        "Call",
        "CreateCallDTO",
        "UpdateCallDTO",
        "CallBatchResponse",
        "CallPaginatedResponse",
        "CreateCustomerDTO",
    ),
)

_ERRORS = (*BODY_ERRORS, 501)

_CREATED: JsonObject = {
    "anyOf": [
        {"$ref": "#/components/schemas/Call"},
        {
            "type": "object",
            "required": ["results", "errors"],
            "properties": {
                "results": {"type": "array", "items": {"$ref": "#/components/schemas/Call"}},
                "errors": {"type": "array", "items": {"type": "object", "required": ["customer", "error"]}},
            },
        },
    ]
}


@router.post(
    "/call",
    status_code=201,
    responses={
        **RESOURCE.responses(201, *_ERRORS),
        201: {"description": "Done", "content": {"application/json": {"schema": _CREATED}}},
    },
    openapi_extra=request_body(CreateCall),
    dependencies=_private,
)
async def create_call(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a call, over a WebSocket or by a phone number.

    Over a WebSocket it begins when its socket is opened; by a number the customer is rung at once. With a
    `schedulePlan` neither happens before its time.
    """
    parsed, body = await read_request(request, CreateCall)
    created = await services.call_creation.create(parsed, body, base_url(services, request))
    return JSONResponse(created, 201, await participants_warning(services, made_by(body, "owner")))


@router.post(
    "/call/phone",
    status_code=201,
    responses={
        **RESOURCE.responses(201, *_ERRORS),
        201: {"description": "Done", "content": {"application/json": {"schema": _CREATED}}},
    },
    openapi_extra=request_body(CreateCall),
    dependencies=_private,
)
async def create_phone_call(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a call by a phone number: the older path, which Vapi's pages on SIP still use."""
    parsed, body = await read_request(request, CreateCall)
    created = await services.call_creation.create(parsed, body, base_url(services, request), by_phone=True)
    return JSONResponse(created, 201, await participants_warning(services, made_by(body, "owner")))


@router.post(
    "/call/web",
    status_code=201,
    responses=RESOURCE.responses(201, *_ERRORS, 429),
    openapi_extra=request_body(CreateWebCall),
)
async def create_web_call(request: Request, permissions: PermissionsDep, services: ServicesDep) -> JSONResponse:
    """Create a call from a page, with the public key."""
    services.rate_limits.check_call(request, permissions, services.live_calls.callers_own)
    _, body = await read_request(request, CreateWebCall, normalize_widget_body)
    permissions.check_assistant(body)
    created = await services.call_creation.create_web(
        body, base_url(services, request), permissions.author, permissions.limits
    )
    if permissions.key == "private":
        return JSONResponse(created, 201, await participants_warning(services, made_by(body, permissions.author)))
    # which stored assistant lacks what is no business of a page; its own assistant is
    own = {name: body[name] for name in ("assistant", "assistantOverrides") if body.get(name) is not None}
    headers = await participants_warning(services, made_by(own, permissions.author)) if "assistant" in own else {}
    return JSONResponse(without_secrets(created), 201, headers)


@router.get("/call", responses=RESOURCE.responses(200, 400, many=True), dependencies=_private)
async def list_calls(
    query: ListQuery,
    services: ServicesDep,
    id: str | None = None,  # noqa: A002  # Vapi's name of the filter
    assistantId: str | None = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    phoneNumberId: str | None = None,  # noqa: N803  # the same
) -> JSONResponse:
    """List the calls, newest first."""
    wanted = replace(query, id=id, assistant_id=assistantId, phone_number_id=phoneNumberId)
    return await RESOURCE.list(services, wanted)


@router.get("/v2/call", responses=RESOURCE.responses(200, 400, paged=True), dependencies=_private)
async def page_calls(
    paging: PagingQuery,
    services: ServicesDep,
    id: str | None = None,  # noqa: A002  # Vapi's name of the filter
    assistantId: str | None = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    phoneNumberId: str | None = None,  # noqa: N803  # the same
) -> JSONResponse:
    """List the calls in pages."""
    wanted = replace(paging.query, id=id, assistant_id=assistantId, phone_number_id=phoneNumberId)
    if paging.by_duration:
        wanted = replace(wanted, order_by="duration_ms")
    return await RESOURCE.page(services, replace(paging, query=wanted))


@router.get("/call/{call_id}", responses=RESOURCE.responses(200, 404), dependencies=_private)
async def get_call(call_id: str, services: ServicesDep) -> JSONResponse:
    """Return a call: how it was created, its state, and its artifacts once it has ended."""
    call = await RESOURCE.find(services, call_id)
    headers = {} if call.get("status") == "ended" else await participants_warning(services, call)
    return RESOURCE.respond(services, with_presigned(services, call), headers=headers)


@router.patch(
    "/call/{call_id}",
    responses=RESOURCE.responses(200, 404, *_ERRORS),
    openapi_extra=request_body(UpdateCall),
    dependencies=_private,
)
async def update_call(call_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Rename a call."""
    _, body = await read_request(request, UpdateCall)
    return await RESOURCE.update(services, call_id, body)


@router.delete(
    "/call/{call_id}",
    responses=RESOURCE.responses(200, 404, 503, *_ERRORS),
    openapi_extra=request_body(DeleteCalls, required=False),
    dependencies=_private,
)
async def delete_call(call_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Delete a call and its artifacts; a live call is ended first. With `ids` in the body those calls instead."""
    parsed, _ = await read_request(request, DeleteCalls) if _has_body(request) else (DeleteCalls(), {})
    if parsed.ids is None:
        return JSONResponse(await call_deletion.delete_call(services, call_id))
    return JSONResponse(await call_deletion.delete_calls(services, tuple(dict.fromkeys(parsed.ids))))


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
