"""`/file`: uploaded files, for the query tool's knowledge bases or to be downloaded again."""

import json
from dataclasses import replace
from typing import Annotated, ClassVar
from uuid import uuid4

import anyio
from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import FileResponse, JSONResponse, Response

from bargein.server.api.auth import require_private
from bargein.server.api.bodies import parse_json, read_request
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import request_body, request_body_of
from bargein.server.api.resource import BODY_ERRORS, Resource
from bargein.server.api.services import ServicesDep
from bargein.server.api.uploads import Upload, receive_file
from bargein.server.api.urls import base_url
from bargein.store.files import file_path
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import WireError, bad_request, one_of, unknown_id
from bargein.wire.json import as_object_or_none

router = APIRouter(prefix="/file", tags=["files"], dependencies=[Depends(require_private)])

RESOURCE = Resource(
    name="file",
    router=router,
    records=lambda store: store.files,
    schema="File",
    published=("File", "UpdateFileDTO"),
)

_PURPOSES = ("assistant", "composer-attachment", "knowledge-base-v2")
_MAX_METADATA = 4096
_FORM: JsonObject = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"type": "string", "enum": [*_PURPOSES]},
        "metadata": {"type": "string", "maxLength": _MAX_METADATA},
    },
    "additionalProperties": False,
}
_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class UpdateFile(WireModel):
    """The body of `PATCH /file/{id}`."""

    contract: ClassVar[str | None] = "UpdateFileDTO"

    name: Annotated[str, Field(min_length=1, max_length=40)] | None = None


@router.post(
    "",
    status_code=201,
    responses=RESOURCE.responses(201, *BODY_ERRORS),
    openapi_extra=request_body_of(_FORM, "multipart/form-data"),
)
async def create_file(request: Request, services: ServicesDep) -> JSONResponse:
    """Upload a file: the field `file` of a form."""
    url = base_url(services, request)
    file_id = str(uuid4())
    path = file_path(services.settings.storage.data_dir, file_id)
    upload = await receive_file(request, path)
    try:
        record = {**_record_of(upload), "url": f"{url}/file/{file_id}/content"}
        return await RESOURCE.create(services, record, record_id=file_id)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await anyio.Path(path).unlink(missing_ok=True)
        raise


@router.get("", responses=RESOURCE.responses(200, 400, many=True))
async def list_files(query: ListQuery, services: ServicesDep, purpose: str | None = None) -> JSONResponse:
    """List the files, newest first."""
    return await RESOURCE.list(services, replace(query, where={} if purpose is None else {"purpose": purpose}))


@router.get("/{file_id}", responses=RESOURCE.responses(200, 404))
async def get_file(file_id: str, services: ServicesDep) -> JSONResponse:
    """Return the record of a file."""
    return await RESOURCE.get(services, file_id)


@router.get(
    "/{file_id}/content",
    response_class=Response,
    responses={
        **RESOURCE.responses(200, 404),
        200: {"description": "The file", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def get_content(file_id: str, services: ServicesDep) -> Response:
    """Return the file itself, always as a download: a browser that displayed it could run a script inside it."""
    record = await RESOURCE.find(services, file_id)
    path = file_path(services.settings.storage.data_dir, file_id)
    if not await anyio.Path(path).is_file():
        raise unknown_id(RESOURCE.name, file_id)
    name = str(record.get("originalName") or file_id)
    return FileResponse(path, media_type="application/octet-stream", filename=name, headers=_HEADERS)


@router.patch(
    "/{file_id}", responses=RESOURCE.responses(200, 404, *BODY_ERRORS), openapi_extra=request_body(UpdateFile)
)
async def update_file(file_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Rename a file."""
    _, body = await read_request(request, UpdateFile)
    return await RESOURCE.update(services, file_id, body)


@router.delete("/{file_id}", responses=RESOURCE.responses(200, 404))
async def delete_file(file_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a file."""
    record = await RESOURCE.find(services, file_id)
    # the file goes first: if that fails, the record is still there and the request can be repeated
    await anyio.Path(file_path(services.settings.storage.data_dir, file_id)).unlink(missing_ok=True)
    await services.store.files.delete(file_id)
    return RESOURCE.respond(services, record)


def _record_of(upload: Upload) -> JsonObject:
    """Return Vapi's `File` for an upload.

    Raises:
        WireError: 400: the form has an unknown field or an invalid value.
    """
    given = upload.fields
    found = [f"property {name[:80]} should not exist" for name in given if name not in ("purpose", "metadata")]
    if "purpose" in given and given["purpose"] not in _PURPOSES:
        found.append(f"purpose {one_of(_PURPOSES)}")
    if len(given.get("metadata", "")) > _MAX_METADATA:
        found.append(f"metadata must be shorter than or equal to {_MAX_METADATA} characters")
    if found:
        raise bad_request(*found)
    record: JsonObject = {
        "object": "file",
        "status": "done",
        "name": upload.name[:40] or "file",
        "originalName": upload.name,
        "bytes": upload.size,
        "mimetype": upload.mimetype or "application/octet-stream",
    }
    if "purpose" in given:
        record["purpose"] = given["purpose"]
    if "metadata" in given:
        record["metadata"] = _metadata(given["metadata"])
    return record


def _metadata(text: str) -> JsonObject:
    try:
        data = parse_json(text)
    except WireError:
        data = None
    if as_object_or_none(data) is None:
        raise bad_request("metadata must be a JSON object")
    return json.loads(text)  # whole numbers beyond 2^53 are kept as they are here, which `parse_json` does not
