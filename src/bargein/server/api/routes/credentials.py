"""`/credential`: what proves to others who the owner is. Secrets are kept encrypted and never given back.

A PATCH that does not name a secret leaves it as it is; an object that it names (`authenticationPlan`) is replaced as a
whole, its secret too.
"""

from dataclasses import replace
from typing import cast

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_json
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import answers, body_like
from bargein.server.api.services import Reach
from bargein.wire import validation_text
from bargein.wire.base import JsonObject
from bargein.wire.credentials import fields_of, kinds, parse_credential, shown
from bargein.wire.errors import WireError, bad_request

router = APIRouter(prefix="/credential", tags=["credentials"], dependencies=[Depends(require_private)])

_BODY = (400, 408, 413, 415)
_SCHEMA: JsonObject = {
    "type": "object",
    "required": ["provider"],
    "properties": {
        "provider": {"type": "string", "enum": sorted(kinds())},
        "name": {"type": "string", "minLength": 1, "maxLength": 40},
        "apiKey": {"type": "string"},
        "authenticationPlan": {"type": "object"},
    },
}


@router.post("", status_code=201, responses=answers(201, *_BODY), openapi_extra=body_like(_SCHEMA))
async def create_credential(request: Request, services: Reach) -> JSONResponse:
    """Keep a credential."""
    given = parse_credential(await read_json(request))
    return JSONResponse(shown(await services.store.credentials.create(given)), 201)


@router.get("", responses=answers(200, 400, many=True))
async def list_credentials(query: ListQuery, services: Reach, provider: str | None = None) -> JSONResponse:
    """The credentials, newest first."""
    wanted = replace(query, where={} if provider is None else {"provider": provider})
    return JSONResponse([shown(found) for found in await services.store.credentials.list(wanted)])


@router.get("/{credential_id}", responses=answers(200, 404))
async def get_credential(credential_id: str, services: Reach) -> JSONResponse:
    """One credential."""
    return _found(await services.store.credentials.get(credential_id), credential_id)


@router.patch(
    "/{credential_id}", responses=answers(200, 404, *_BODY), openapi_extra=body_like({**_SCHEMA, "required": []})
)
async def update_credential(credential_id: str, request: Request, services: Reach) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is taken away. The provider stays."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    given = cast("JsonObject", body)

    def check(before: JsonObject, after: JsonObject) -> None:
        if after.get("provider", before["provider"]) != before["provider"]:
            raise bad_request(validation_text.sentence("provider", validation_text.one_of([before["provider"]])))
        known = fields_of(before["provider"])
        # a name that is unknown, or the server's own, is refused whatever it holds
        parse_credential(after | dict.fromkeys(name for name in given if name not in known))

    return _found(await services.store.credentials.patch(credential_id, given, check=check), credential_id)


@router.delete("/{credential_id}", responses=answers(200, 404))
async def delete_credential(credential_id: str, services: Reach) -> JSONResponse:
    """Forget a credential."""
    return _found(await services.store.credentials.delete(credential_id), credential_id)


def _found(credential: JsonObject | None, credential_id: str) -> JSONResponse:
    if credential is None:
        raise WireError(404, f"There is no credential with the id {credential_id[:80]}.")
    return JSONResponse(shown(credential))
