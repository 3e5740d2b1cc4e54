"""`/schema`: the types of the API's messages and resources, to validate with or to generate code from. Needs no key."""

import hashlib

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from bargein.server.api.schemas import names, schema_text
from bargein.wire.errors import WireError

router = APIRouter(prefix="/schema", tags=["schemas"])

_HEADERS = {"Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}
_JSON_SCHEMA = "application/schema+json"


@router.get("", response_model=list[str])
async def list_schemas() -> JSONResponse:
    """List the names of the published types."""
    return JSONResponse(names(), headers=_HEADERS)


@router.get(
    "/{name}.json",
    response_class=Response,
    responses={
        200: {"description": "The schema", "content": {_JSON_SCHEMA: {"schema": {"type": "object"}}}},
        304: {"description": "The client has the current schema"},
        404: {"description": "No such type"},
    },
)
async def get_schema(name: str, request: Request) -> Response:
    """Return a type as JSON Schema 2020-12, with all types that it refers to in `$defs`."""
    if name not in names():
        raise WireError(404, f"There is no schema with the name {name[:80]}.")
    text = schema_text(name)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
    headers = {**_HEADERS, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(text, media_type=_JSON_SCHEMA, headers=headers)
