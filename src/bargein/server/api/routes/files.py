"""`/file`: uploads, for knowledge bases and as they are, with Vapi's semantics."""

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
from bargein.server.api.openapi import answers, body_like, body_of
from bargein.server.api.routes.calls import base_url
from bargein.server.api.services import Reach
from bargein.server.api.uploads import Upload, receive_file
from bargein.store.files import file_path
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import WireError, bad_request, one_of

router = APIRouter(prefix="/file", tags=["files"], dependencies=[Depends(require_private)])

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
    """What `PATCH /file/{id}` takes."""

    contract: ClassVar[str | None] = "UpdateFileDTO"

    name: Annotated[str, Field(min_length=1, max_length=40)] | None = None


@router.post(
    "",
    status_code=201,
    responses=answers(201, 400, 408, 413, 415),
    openapi_extra=body_like(_FORM, "multipart/form-data"),
)
async def create_file(request: Request, services: Reach) -> JSONResponse:
    """Keep a file: field `file` of a form."""
    url = base_url(services, request)
    file_id = str(uuid4())
    path = file_path(services.settings.storage.data_dir, file_id)
    upload = await receive_file(request, path)
    try:
        about = _about(upload)
        about["url"] = f"{url}/file/{file_id}/content"
        return JSONResponse(await services.store.files.create(about, record_id=file_id), 201)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await anyio.Path(path).unlink(missing_ok=True)
        raise


@router.get("", responses=answers(200, 400, many=True))
async def list_files(query: ListQuery, services: Reach, purpose: str | None = None) -> JSONResponse:
    """The files, newest first."""
    wanted = replace(query, where={} if purpose is None else {"purpose": purpose})
    return JSONResponse(await services.store.files.list(wanted))


@router.get("/{file_id}", responses=answers(200, 404))
async def get_file(file_id: str, services: Reach) -> JSONResponse:
    """What is known of one file."""
    return _found(await services.store.files.get(file_id), file_id)


@router.get(
    "/{file_id}/content",
    response_class=Response,
    responses={
        **answers(200, 404),
        200: {"description": "The file", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def get_content(file_id: str, services: Reach) -> Response:
    """The file itself. It is always to be saved and never shown, because a page could be hidden in it."""
    about = await services.store.files.get(file_id)
    path = None if about is None else file_path(services.settings.storage.data_dir, file_id)
    if about is None or path is None or not await anyio.Path(path).is_file():
        raise WireError(404, f"There is no file with the id {file_id[:80]}.")
    name = str(about.get("originalName") or file_id)
    return FileResponse(path, media_type="application/octet-stream", filename=name, headers=_HEADERS)


@router.patch("/{file_id}", responses=answers(200, 404, 400, 408, 413, 415), openapi_extra=body_of(UpdateFile))
async def update_file(file_id: str, request: Request, services: Reach) -> JSONResponse:
    """Rename a file."""
    _, body = await read_request(request, UpdateFile)
    return _found(await services.store.files.patch(file_id, body), file_id)


@router.delete("/{file_id}", responses=answers(200, 404))
async def delete_file(file_id: str, services: Reach) -> JSONResponse:
    """Erase a file."""
    about = await services.store.files.get(file_id)
    if about is not None:
        # first: without its record nobody could ask for that again
        await anyio.Path(file_path(services.settings.storage.data_dir, file_id)).unlink(missing_ok=True)
        await services.store.files.delete(file_id)
    return _found(about, file_id)


def _about(upload: Upload) -> JsonObject:
    """Vapi's `File` of an upload.

    Raises:
        WireError: 400 for a field that is not one of the form's, or not as it should be.
    """
    given = upload.fields
    found = [f"property {name[:80]} should not exist" for name in given if name not in ("purpose", "metadata")]
    if "purpose" in given and given["purpose"] not in _PURPOSES:
        found.append(f"purpose {one_of(_PURPOSES)}")
    if len(given.get("metadata", "")) > _MAX_METADATA:
        found.append(f"metadata must be shorter than or equal to {_MAX_METADATA} characters")
    if found:
        raise bad_request(*found)
    about: JsonObject = {
        "object": "file",
        "status": "done",
        "name": upload.name[:40] or "file",
        "originalName": upload.name,
        "bytes": upload.size,
        "mimetype": upload.mimetype or "application/octet-stream",
    }
    if "purpose" in given:
        about["purpose"] = given["purpose"]
    if "metadata" in given:
        about["metadata"] = _metadata(given["metadata"])
    return about


def _metadata(text: str) -> JsonObject:
    try:
        data = parse_json(text)
    except WireError:
        data = None
    if not isinstance(data, dict):
        raise bad_request("metadata must be a JSON object")
    return json.loads(text)


def _found(about: JsonObject | None, file_id: str) -> JSONResponse:
    if about is None:
        raise WireError(404, f"There is no file with the id {file_id[:80]}.")
    return JSONResponse(about)
