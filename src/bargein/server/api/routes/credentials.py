"""`/credential`: keys and logins for other services. Secrets are stored encrypted and never returned.

A PATCH that does not name a secret leaves it as it is; an object that it names (`authenticationPlan`) is replaced as a
whole, including the secret in it.
"""

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from bargein.carriers.registry import CREDENTIALS
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_json, read_object
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import request_body_of
from bargein.server.api.resource import BODY_ERRORS, Resource, check_unchanged, unknown_fields
from bargein.server.api.services import ServicesDep
from bargein.wire.base import JsonObject
from bargein.wire.credentials import public_credential

router = APIRouter(prefix="/credential", tags=["credentials"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="credential",
    router=router,
    records=lambda store: store.credentials,
    view=lambda _services, credential: public_credential(credential),
)

_SCHEMA: JsonObject = {
    "type": "object",
    "required": ["provider"],
    "properties": {
        "provider": {"type": "string", "enum": sorted(CREDENTIALS.kinds)},
        "name": {"type": "string", "minLength": 1, "maxLength": 40},
        "apiKey": {"type": "string"},
        "authenticationPlan": {"type": "object"},
    },
}


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body_of(_SCHEMA)
)
async def create_credential(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a credential."""
    return await RESOURCE.create(services, CREDENTIALS.parse(await read_json(request)))


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_credentials(query: ListQuery, services: ServicesDep, provider: str | None = None) -> JSONResponse:
    """List the credentials, newest first."""
    return await RESOURCE.list(services, replace(query, where={} if provider is None else {"provider": provider}))


@router.get("/{credential_id}", responses=RESOURCE.responses(200, 404))
async def get_credential(credential_id: str, services: ServicesDep) -> JSONResponse:
    """Return a credential."""
    return await RESOURCE.get(services, credential_id)


@router.patch(
    "/{credential_id}",
    responses=RESOURCE.responses(200, 404, *BODY_ERRORS),
    openapi_extra=request_body_of({**_SCHEMA, "required": []}),
)
async def update_credential(credential_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields, each as a whole; one that is null is removed. The provider cannot change."""
    body = await read_object(request)

    def check(before: JsonObject, after: JsonObject) -> None:
        check_unchanged("provider", before, after)
        CREDENTIALS.parse(after | unknown_fields(body, CREDENTIALS.fields_of(before["provider"])))

    return await RESOURCE.update(services, credential_id, body, check=check)


@router.delete("/{credential_id}", responses=RESOURCE.responses(200, 404))
async def delete_credential(credential_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a credential."""
    return await RESOURCE.delete(services, credential_id)
