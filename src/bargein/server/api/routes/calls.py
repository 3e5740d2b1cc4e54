"""`/call`: creating, listing and deleting calls. The audio goes over the call's socket (`call_socket`)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast
from uuid import uuid4

import anyio
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_rules, check_squad
from bargein.server.api.artifacts import erase_artifacts, with_presigned
from bargein.server.api.auth import PermissionsDep, require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import request_body
from bargein.server.api.paging import PagingQuery
from bargein.server.api.resource import BODY_ERRORS, Resource
from bargein.server.api.services import Services, ServicesDep
from bargein.server.api.urls import base_url
from bargein.server.telephony.outbound_requests import ordered, wants_a_phone
from bargein.wire.assistant import Assistant, without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import (
    CallUrls,
    CreateCall,
    CreateWebCall,
    DeleteCalls,
    UpdateCall,
    WebsocketTransport,
    as_told,
    effective_assistant,
    for_customer,
    named_by_widget,
    new_web_call,
    new_websocket_call,
)
from bargein.wire.errors import WireError, bad_request, parse_request, unknown_id
from bargein.wire.redact import without_secrets
from bargein.wire.schedule import check_schedule, first_status
from bargein.wire.squad import Squad

router = APIRouter(tags=["calls"])
_private = [Depends(require_private)]

RESOURCE = Resource(
    name="call",
    router=router,
    records=lambda store: store.calls,
    view=lambda _services, call: as_told(call),
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

END_SECONDS = 5.0
"""How long a live call may take to end before its deletion is given up."""
_POLL_SECONDS = 0.02

_MADE: JsonObject = {
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
_PHONE = ("phone_number", "phone_number_id")
_SOMEBODY_ELSE = ("workflow_id", "workflow")
_MOST_CUSTOMERS = 1000
_ERASED_AT_ONCE = 20


@router.post(
    "/call",
    status_code=201,
    responses={
        **RESOURCE.responses(201, *_ERRORS),
        201: {"description": "Done", "content": {"application/json": {"schema": _MADE}}},
    },
    openapi_extra=request_body(CreateCall),
    dependencies=_private,
)
async def create_call(request: Request, services: ServicesDep) -> JSONResponse:
    """Make a call, over a WebSocket or by a phone number.

    Over a WebSocket it begins when its socket is opened; by a number the customer is rung at once. With a
    `schedulePlan` neither happens before its time.
    """
    asked, body = await read_request(request, CreateCall)
    _refuse_what_is_not_here(asked)
    _check_transport(asked)
    url = base_url(services, request)
    if asked.customers is not None:
        return JSONResponse(await _batch(services, asked, body, url), 201)
    return JSONResponse(await _make(services, asked, body, url), 201)


async def _make(services: Services, asked: CreateCall, body: JsonObject, url: str) -> JsonObject:
    await _check_assistant(services, asked, body)
    call_id = str(uuid4())
    urls, phone = CallUrls.of(url, call_id), wants_a_phone(asked)
    if phone:
        call = await ordered(services.store, services.call_router, asked, body, urls)
    else:
        call = new_websocket_call(asked, body, urls)
    now_ms = services.clock.epoch_ms()
    check_schedule(call, now_ms)
    made = await services.store.calls.create({**call, "status": first_status(call, now_ms)}, record_id=call_id)
    services.scheduler.wake()
    if phone and made["status"] == "queued":
        services.outbound_calls.dial(call_id)
    return as_told(made)


async def _batch(services: Services, asked: CreateCall, body: JsonObject, url: str) -> JsonObject:
    """A call for each of the customers, and who gets none, and why (Vapi's `CallBatchResponse`).

    Raises:
        WireError: 400: there are none, or too many, or `customer` is given too.
    """
    customers = cast("list[JsonObject]", body["customers"])
    if asked.customer is not None or asked.customer_id is not None:
        raise bad_request("customer and customers must not be given together")
    if not 1 <= len(customers) <= _MOST_CUSTOMERS:
        raise bad_request(f"customers must contain 1 to {_MOST_CUSTOMERS} elements")
    results: list[JsonObject] = []
    errors: list[JsonObject] = []
    for customer in customers:
        one = for_customer(body, customer)
        try:
            results.append(await _make(services, parse_request(CreateCall, one), one, url))
        except WireError as error:
            errors.append({"customer": customer, "error": str(error)})
    return {"results": results, "errors": errors}


@router.post(
    "/call/web", status_code=201, responses=RESOURCE.responses(201, *_ERRORS), openapi_extra=request_body(CreateWebCall)
)
async def create_web_call(request: Request, permissions: PermissionsDep, services: ServicesDep) -> JSONResponse:
    """Create a call from a page, with the public key."""
    asked, body = await read_request(request, CreateWebCall, named_by_widget)
    permissions.check_assistant(body)
    _refuse_what_is_not_here(asked)
    await _check_assistant(services, asked, body)
    call_id = str(uuid4())
    call = new_web_call(body, CallUrls.of(base_url(services, request), call_id))
    made = await services.store.calls.create(call, record_id=call_id)
    return JSONResponse(made if permissions.key == "private" else without_secrets(made), 201)


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
    return RESOURCE.respond(services, with_presigned(services, await RESOURCE.find(services, call_id)))


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
    asked, _ = await read_request(request, DeleteCalls) if _has_body(request) else (DeleteCalls(), {})
    if asked.ids is None:
        return JSONResponse(await _erase(services, call_id))
    return JSONResponse(await _erase_all(services, tuple(dict.fromkeys(asked.ids))))


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


async def _erase(services: Services, call_id: str) -> JsonObject:
    call = await services.store.calls.get(call_id)
    try:
        await _end_if_live(services, call_id)
        if call is not None:
            # the artifacts go first: if that fails, the record is still there and the request can be repeated
            await erase_artifacts(services, call_id)
        gone = await services.store.calls.delete(call_id)
    except WireError:
        if call is not None:
            await services.owner_events.call(call, "call.delete.failed")
        raise
    if gone is None:
        raise unknown_id(RESOURCE.name, call_id)
    await services.owner_events.call(gone, "call.deleted")
    return as_told(gone)


async def _erase_all(services: Services, call_ids: Sequence[str]) -> JsonObject:
    """Delete calls, `_ERASED_AT_ONCE` at a time, and return the first that was deleted.

    Raises:
        WireError: none could be deleted; this is the error of the first.
    """
    erased: dict[str, JsonObject | WireError] = {}
    limit = anyio.CapacityLimiter(_ERASED_AT_ONCE)

    async def erase(call_id: str) -> None:
        async with limit:
            try:
                erased[call_id] = await _erase(services, call_id)
            except WireError as error:
                erased[call_id] = error

    async with anyio.create_task_group() as tasks:
        for call_id in call_ids:
            tasks.start_soon(erase, call_id)
    outcomes = [erased[call_id] for call_id in call_ids]
    done = next((one for one in outcomes if not isinstance(one, WireError)), None)
    if done is None:
        raise cast("WireError", outcomes[0])
    return done


async def _end_if_live(services: Services, call_id: str) -> None:
    """End a live call and wait until its last write, so that nothing is written after it was deleted.

    Raises:
        WireError: 503: it has not ended within `END_SECONDS`.
    """
    await services.call_router.cancel(call_id, "manually-canceled")
    session = services.live_calls.session(call_id)
    if session is None:
        return
    session.hang_up("manually-canceled")
    with anyio.move_on_after(END_SECONDS):
        while services.live_calls.session(call_id) is not None:  # noqa: ASYNC110  # a session announces its end before its last write
            await anyio.sleep(_POLL_SECONDS)
    if services.live_calls.session(call_id) is not None:
        raise WireError(503, "The call could not be ended, and was not deleted. Try again.")


def _check_transport(asked: CreateCall) -> None:
    given = [field for field in _PHONE if getattr(asked, field) is not None]
    if isinstance(asked.transport, WebsocketTransport):
        if given:
            names = " and ".join(map(_wire_name, given))
            raise bad_request(f"{names} is not permitted with transport.provider vapi.websocket")
    elif given:
        return
    elif _called(asked):
        raise WireError(400, "Need either `phoneNumber` or `phoneNumberId`.")
    elif asked.transport is None:
        raise bad_request("transport should not be null or undefined")
    else:
        raise WireError(
            501,
            "Without a phone number this server carries calls over transport.provider vapi.websocket and "
            "POST /call/web.",
        )


def _called(asked: CreateCall) -> bool:
    return any(one is not None for one in (asked.customer, asked.customer_id, asked.customers))


def _refuse_what_is_not_here(asked: CreateCall | CreateWebCall) -> None:
    for field in _SOMEBODY_ELSE:
        if getattr(asked, field, None) is not None:
            raise WireError(501, f"{_wire_name(field)} is not supported by this server.")


async def _check_assistant(services: Services, asked: CreateCall | CreateWebCall, body: JsonObject) -> None:
    """See that the call will have an assistant, and that this is valid with its overrides laid over it."""
    stored: JsonObject | None = None
    if asked.squad is not None or asked.squad_id is not None:
        await _check_squad(services, asked)
        return
    if asked.assistant is None:
        if asked.assistant_id is None:
            raise WireError(400, "Need either `assistant` or `assistantId`.")
        stored = await services.store.assistants.get(asked.assistant_id)
        if stored is None:
            raise unknown_id("assistant", asked.assistant_id, 400)
    if asked.assistant is not None:
        check_rules(asked.assistant, "assistant.")
    if asked.assistant_overrides is not None:
        check_rules(asked.assistant_overrides, "assistantOverrides.")
        parse_request(Assistant, _known_only(effective_assistant(body, stored)))


async def _check_squad(services: Services, asked: CreateCall | CreateWebCall) -> None:
    if asked.assistant is not None or asked.assistant_id is not None:
        raise WireError(400, "Need either an assistant or a squad, not both.")
    if asked.squad is not None:
        await check_squad(services.store, parse_request(Squad, asked.squad))
    elif await services.store.squads.get(str(asked.squad_id)) is None:
        raise unknown_id("squad", str(asked.squad_id), 400)


def _known_only(assistant: JsonObject) -> JsonObject:
    """Without the fields that only an inline assistant, as an object inside of a request, may bring along."""
    known = Assistant.wire_names()
    return {name: value for name, value in without_nulls(assistant).items() if name in known}


def _wire_name(field: str) -> str:
    alias = CreateCall.model_fields[field].alias
    return alias or field
