"""`/phone-number`: the numbers that calls come in and go out by, with Vapi's semantics.

What proves to a provider or a caller who one is (`twilioAuthToken`, `twilioApiSecret`, and `authentication` as a
whole, whose password Vapi's schema would not let be left out alone) is kept for the calls and never given back, not
even to the private key. A PATCH that does not name such a field leaves it as it is. `server` comes back as it was
given, as it does with an assistant.
"""

from typing import cast
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_json, read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import answers, body_of
from bargein.server.api.routes.calls import base_url
from bargein.server.api.services import Reach, Services
from bargein.server.telephony.provisioning import with_webhooks_configured
from bargein.store import Query
from bargein.wire import contract
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.call import CallUrls, Ring, new_inbound_call
from bargein.wire.errors import WireError, bad_request, parse_request
from bargein.wire.phone_number import (
    ByoPhoneNumber,
    TelnyxPhoneNumber,
    TwilioPhoneNumber,
    VapiPhoneNumber,
    VonagePhoneNumber,
    parse_phone_number,
)

router = APIRouter(prefix="/phone-number", tags=["phone numbers"], dependencies=[Depends(require_private)])

_BODY = (400, 408, 413, 415)
_KINDS: dict[str, type[WireModel]] = {
    "byo-phone-number": ByoPhoneNumber,
    "twilio": TwilioPhoneNumber,
    "vonage": VonagePhoneNumber,
    "vapi": VapiPhoneNumber,
    "telnyx": TelnyxPhoneNumber,
}
_SECRET = frozenset({"twilioAuthToken", "twilioApiSecret", "authentication"})
_ONLY_WHEN_MADE = "numberDesiredAreaCode"
_STATUS = "status"
_WARNING = "X-Bargein-Warning"


@router.post("", status_code=201, responses=answers(201, *_BODY), openapi_extra=body_of(*_KINDS.values()))
async def create_phone_number(request: Request, services: Reach) -> JSONResponse:
    """Keep a phone number. Its provider's secrets are kept and not given back.

    Where the settings say how carriers reach this server, the number's webhooks are pointed here. If that fails the
    number is kept with `status` blocked, and the header `X-Bargein-Warning` says why; a PATCH tries again.
    """
    body = await _body(request)
    _check(body)
    number = without_nulls(body)
    await _check_taker(services, number)
    made = await services.store.phone_numbers.create({**number, _STATUS: "active"})
    return await _pointed_here(services, made, 201)


async def _pointed_here(services: Services, number: JsonObject, status: int) -> JSONResponse:
    """The answer with a number, once its carrier has been told where its calls go."""
    why = await with_webhooks_configured(services.settings, services.call_router, number)
    stands = "active" if why is None else "blocked"
    if number.get(_STATUS) != stands:
        number = await services.store.phone_numbers.patch(str(number["id"]), {_STATUS: stands}) or number
    return JSONResponse(shown(number), status, {} if why is None else {_WARNING: " ".join(why.split())})


@router.get("", responses=answers(200, 400, many=True))
async def list_phone_numbers(query: ListQuery, services: Reach) -> JSONResponse:
    """The phone numbers, newest first."""
    return JSONResponse([shown(number) for number in await services.store.phone_numbers.list(query)])


@router.get("/{phone_number_id}", responses=answers(200, 404))
async def get_phone_number(phone_number_id: str, services: Reach) -> JSONResponse:
    """One phone number."""
    return _found(await services.store.phone_numbers.get(phone_number_id), phone_number_id)


@router.patch(
    "/{phone_number_id}", responses=answers(200, 404, *_BODY), openapi_extra=body_of(*_KINDS.values(), partial=True)
)
async def update_phone_number(phone_number_id: str, request: Request, services: Reach) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is taken away. The provider stays."""
    body = await _body(request)
    given = without_nulls(body)

    def check(before: JsonObject, after: JsonObject) -> None:
        if _ONLY_WHEN_MADE in body:
            raise bad_request(f"property {_ONLY_WHEN_MADE} should not exist")
        model = _KINDS[before["provider"]]
        given_by_client = {name: after[name] for name in after if name != _STATUS}
        # a name that is unknown, or the server's own, is refused whatever it holds
        unknown = dict.fromkeys(name for name in body if name not in model.wire_names())
        parse_request(model, given_by_client | unknown)

    await _check_taker(services, given)
    changes = {**dict.fromkeys(body), **given}
    after = await services.store.phone_numbers.patch(phone_number_id, changes, check=check)
    if after is None or after.get(_STATUS) != "blocked":
        return _found(after, phone_number_id)
    return await _pointed_here(services, after, 200)


@router.delete("/{phone_number_id}", responses=answers(200, 404))
async def delete_phone_number(phone_number_id: str, services: Reach) -> JSONResponse:
    """Forget a phone number."""
    return _found(await services.store.phone_numbers.delete(phone_number_id), phone_number_id)


def shown(number: JsonObject) -> JsonObject:
    """A stored phone number as anybody may see it: without its provider's secrets."""
    tidy = cast("JsonObject", contract.without_nulls("PhoneNumber", number))
    return {name: value for name, value in tidy.items() if name not in _SECRET}


@router.post(
    "/{phone_number_id}/ring", status_code=201, responses=answers(201, 404, *_BODY), openapi_extra=body_of(Ring)
)
async def ring(phone_number_id: str, request: Request, services: Reach) -> JSONResponse:
    """Call a stored number without a telephone: a call comes in on it, to be joined over a WebSocket.

    The number is named by its id or by itself. The call is answered once it is known who takes it, which takes as long
    as the owner's server needs to answer an `assistant-request`; where nobody takes it, it comes back ended.
    """
    asked, _ = await read_request(request, Ring)
    number = await _named(services, phone_number_id)
    call_id = str(uuid4())
    new = new_inbound_call(asked, str(number["id"]), CallUrls.of(base_url(services, request), call_id))
    call = await services.store.calls.create(new, record_id=call_id)
    await services.live_calls.receive(call, number)
    return JSONResponse(await services.store.calls.get(call_id), 201)


async def _named(services: Services, name: str) -> JsonObject:
    """A phone number by its id or, where that is none, by the number itself or its SIP address.

    Raises:
        WireError: 404.
    """
    found = await services.store.phone_numbers.get(name)
    if found is not None:
        return found
    for number in await services.store.phone_numbers.list(Query(limit=1000)):
        if name in (number.get("number"), number.get("sipUri")):
            return number
    raise WireError(404, f"There is no phone number with the id {name[:80]}.")


async def _body(request: Request) -> JsonObject:
    data = await read_json(request)
    if not isinstance(data, dict):
        raise bad_request("the body must be a JSON object")
    return cast("JsonObject", data)


def _check(number: JsonObject) -> None:
    provider: object = number.get("provider")
    if provider is None:
        raise bad_request("provider should not be null or undefined")
    if isinstance(provider, str) and provider in _KINDS:
        parse_request(_KINDS[provider], number)
    else:
        parse_phone_number(number)  # says which providers there are


async def _check_taker(services: Services, number: JsonObject) -> None:
    assistant_id: object = number.get("assistantId")
    if isinstance(assistant_id, str) and await services.store.assistants.get(assistant_id) is None:
        raise WireError(400, f"There is no assistant with the id {assistant_id[:80]}.")
    squad_id: object = number.get("squadId")
    if isinstance(squad_id, str) and await services.store.squads.get(squad_id) is None:
        raise WireError(400, f"There is no squad with the id {squad_id[:80]}.")


def _found(number: JsonObject | None, phone_number_id: str) -> JSONResponse:
    if number is None:
        raise WireError(404, f"There is no phone number with the id {phone_number_id[:80]}.")
    return JSONResponse(shown(number))
