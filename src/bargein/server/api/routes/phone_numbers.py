"""`/phone-number`: the numbers of inbound and outbound calls.

Secrets of a number (`PhoneNumberBase.secrets`) are stored for the calls and never returned, not even to the private
key. A PATCH that does not name such a field leaves it as it is. `server` is returned as it was given, as an assistant's
is.
"""

from dataclasses import replace
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from fastapi import Query as Parameter
from starlette.responses import JSONResponse

from bargein.carriers.registry import NUMBER_TYPES, PHONE_NUMBERS
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_object, read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.importing import Importer, ImportParameter
from bargein.server.api.openapi import request_body, responses
from bargein.server.api.paging import PagingQuery
from bargein.server.api.references import check_references
from bargein.server.api.resource import BODY_ERRORS, Resource, changes_of, check_updated
from bargein.server.api.services import Services, ServicesDep
from bargein.server.api.urls import base_url
from bargein.server.api.warnings import warning_header
from bargein.server.telephony.provisioning import with_webhooks_configured
from bargein.store import Query
from bargein.wire import contract
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import CallUrls, Ring, new_inbound_call, public_call
from bargein.wire.errors import bad_request, parse_request, unknown_id
from bargein.wire.json import as_object, as_string
from bargein.wire.ownership import made_by

router = APIRouter(tags=["phone numbers"], dependencies=[Depends(require_private)])

_ONLY_ON_CREATION = "numberDesiredAreaCode"
_STATUS = "status"
_MAX_SEARCH = 100


def _without_secrets(_services: Services, number: JsonObject) -> JsonObject:
    tidy = as_object(contract.without_nulls("PhoneNumber", number))
    return {name: value for name, value in tidy.items() if name not in PHONE_NUMBERS.secrets}


RESOURCE = Resource(
    name="phone number",
    router=router,
    records=lambda store: store.phone_numbers,
    view=_without_secrets,
    schema="PhoneNumber",
    page_schema="PhoneNumberPaginatedResponse",
    published=("PhoneNumber", "CreatePhoneNumberDTO", "UpdatePhoneNumberDTO", "PhoneNumberPaginatedResponse"),
)


@router.post(
    "/phone-number",
    status_code=201,
    responses=RESOURCE.responses(201, *BODY_ERRORS),
    openapi_extra=request_body(*NUMBER_TYPES.values()),
)
async def create_phone_number(
    request: Request, services: ServicesDep, *, is_import: ImportParameter = False
) -> JSONResponse:
    """Create a phone number. Its provider's secrets are stored and not returned.

    With BARGEIN_PUBLIC_URL set, the number's webhooks are pointed at this server. If that fails the number is stored
    with `status` blocked and the header `X-Bargein-Warning` says why; a PATCH tries again. With `import=true` the body
    may be an export of one, to which its secrets have to be added.
    """
    body = await read_object(request)
    if (model := NUMBER_TYPES.get(as_string(body.get("provider")) or "")) is not None:
        body = as_object(Importer(wanted=is_import).body(model, body))
    _check(body)
    number = without_nulls(body)
    await check_references(services.store, number, "assistantId", "squadId")
    made = await services.store.phone_numbers.create({**number, _STATUS: "active"})
    return await _respond_configured(services, made, 201)


async def _respond_configured(services: Services, number: JsonObject, status: int) -> JSONResponse:
    """Point a number's webhooks at this server, and return the response that shows it."""
    problem = await with_webhooks_configured(services.settings, services.call_router, number)
    new_status = "active" if problem is None else "blocked"
    if number.get(_STATUS) != new_status:
        number = await services.store.phone_numbers.patch(str(number["id"]), {_STATUS: new_status}) or number
    headers = warning_header([] if problem is None else [problem])
    return RESOURCE.respond(services, number, status, headers)


@router.get("/phone-number", responses=RESOURCE.responses(200, 400, many=True))
async def list_phone_numbers(query: ListQuery, services: ServicesDep) -> JSONResponse:
    """List the phone numbers, newest first."""
    return await RESOURCE.list(services, query)


@router.get("/v2/phone-number", responses=RESOURCE.responses(200, 400, paged=True))
async def page_phone_numbers(
    paging: PagingQuery,
    services: ServicesDep,
    search: Annotated[str | None, Parameter(json_schema_extra={"maxLength": _MAX_SEARCH})] = None,
) -> JSONResponse:
    """List the phone numbers in pages; `search` looks for a text in their numbers, SIP addresses and names."""
    if search is not None and len(search) > _MAX_SEARCH:
        raise bad_request(f"search must be shorter than or equal to {_MAX_SEARCH} characters")
    return await RESOURCE.page(services, replace(paging, query=replace(paging.query, search=search)))


@router.get("/phone-number/{phone_number_id}", responses=RESOURCE.responses(200, 404))
async def get_phone_number(phone_number_id: str, services: ServicesDep) -> JSONResponse:
    """Return a phone number."""
    return await RESOURCE.get(services, phone_number_id)


@router.patch(
    "/phone-number/{phone_number_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body(*NUMBER_TYPES.values(), partial=True),
)
async def update_phone_number(phone_number_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed. The provider cannot change."""
    body = await read_object(request)

    def check(before: JsonObject, after: JsonObject) -> None:
        if _ONLY_ON_CREATION in body:
            raise bad_request(f"property {_ONLY_ON_CREATION} should not exist")
        given_by_client = {name: after[name] for name in after if name != _STATUS}
        check_updated(NUMBER_TYPES[before["provider"]], given_by_client, body)

    await check_references(services.store, body, "assistantId", "squadId")
    number = await RESOURCE.patch(services, phone_number_id, changes_of(body), check=check)
    if number.get(_STATUS) != "blocked":
        return RESOURCE.respond(services, number)
    return await _respond_configured(services, number, 200)


@router.delete("/phone-number/{phone_number_id}", responses=RESOURCE.responses(200, 404))
async def delete_phone_number(phone_number_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a phone number."""
    return await RESOURCE.delete(services, phone_number_id)


@router.post(
    "/phone-number/{phone_number_id}/ring",
    status_code=201,
    responses=responses(201, 404, *BODY_ERRORS, schema="Call"),
    openapi_extra=request_body(Ring),
)
async def ring(phone_number_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Start an inbound call to a stored number without a telephone; the caller joins it over a WebSocket.

    The path has the number's id or the number itself. The response comes once the assistant is known, which takes as
    long as the owner's server needs to answer an `assistant-request`; if there is no assistant, the call has ended.
    """
    parsed, _ = await read_request(request, Ring)
    number = await _by_id_or_number(services, phone_number_id)
    call_id = str(uuid4())
    new = new_inbound_call(parsed, str(number["id"]), CallUrls.of(base_url(services, request), call_id))
    call = await services.store.calls.create_live(made_by(new, "owner"), record_id=call_id)
    await services.inbound_calls.receive(call, number)
    return JSONResponse(public_call(await services.store.calls.get(call_id) or call), 201)


async def _by_id_or_number(services: Services, name: str) -> JsonObject:
    """Return the phone number with this id or, if there is none, with this number or SIP address.

    Raises:
        WireError: 404.
    """
    found = await services.store.phone_numbers.get(name)
    if found is not None:
        return found
    for number in await services.store.phone_numbers.list(Query(limit=1000)):
        if name in (number.get("number"), number.get("sipUri")):
            return number
    raise unknown_id(RESOURCE.name, name)


def _check(number: JsonObject) -> None:
    provider: object = number.get("provider")
    if provider is None:
        raise bad_request("provider should not be null or undefined")
    if isinstance(provider, str) and provider in NUMBER_TYPES:
        parse_request(NUMBER_TYPES[provider], number)
    else:
        PHONE_NUMBERS.parse(number)  # raises with the list of providers
