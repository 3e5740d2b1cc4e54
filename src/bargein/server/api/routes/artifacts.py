"""`/call/{id}/…`: a call's recordings, log and journal.

Vapi redirects to a URL that needs no key; this server responds with the file itself.
"""

import gzip
from typing import Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from bargein.server.api.auth import require_private
from bargein.server.api.downloads import Content, FileContent, download
from bargein.server.api.openapi import error_responses
from bargein.server.api.services import Services, ServicesDep, services_of
from bargein.store.journals import call_log_path, journal_path
from bargein.store.waves import Part
from bargein.wire.artifact_urls import is_signed
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, unknown_id

_WAV, _MP3, _GZIP, _LINES = "audio/wav", "audio/mpeg", "application/gzip", "application/x-ndjson"


def _file_of(*media_types: str, ranges: bool = True) -> dict[int | str, dict[str, Any]]:
    content: JsonObject = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}
    whole: dict[int | str, dict[str, Any]] = {200: {"description": "The whole file", "content": content}}
    part: dict[int | str, dict[str, Any]] = {206: {"description": "The requested part of the file"}}
    return whole | (part | error_responses(404, 416, 503) if ranges else error_responses(404))


def require_private_or_signature(
    request: Request, call_id: str, expires: str | None = None, signature: str | None = None
) -> None:
    """Accept the private key, or the signature of a presigned URL that has not expired.

    Raises:
        WireError: 401 or 403.
    """
    settings, clock = services_of(request).settings, services_of(request).clock
    name = request.url.path.rpartition("/")[2]
    if settings.keys.api_key is not None and expires is not None and signature is not None:
        now_s = clock.epoch_ms() // 1000
        if is_signed(call_id, name, settings.keys.api_key, expires=expires, signature=signature, now_s=now_s):
            return
        raise WireError(403, "The address is not signed by this server, or has expired.")
    require_private(request)


router = APIRouter(prefix="/call", tags=["artifacts"])
_signed = [Depends(require_private_or_signature)]
_sound = _file_of(_WAV, _MP3)


@router.get("/{call_id}/mono-recording", response_class=Response, responses=_sound, dependencies=_signed)
async def mono_recording(call_id: str, request: Request, services: ServicesDep) -> Response:
    """Return the recording of both sides, mixed into one channel."""
    return await _recording(services, request, call_id, "mono")


@router.get("/{call_id}/stereo-recording", response_class=Response, responses=_sound, dependencies=_signed)
async def stereo_recording(call_id: str, request: Request, services: ServicesDep) -> Response:
    """Return the recording of both sides: the customer on the left channel, the assistant on the right."""
    return await _recording(services, request, call_id, "stereo")


@router.get("/{call_id}/customer-recording", response_class=Response, responses=_sound, dependencies=_signed)
async def customer_recording(call_id: str, request: Request, services: ServicesDep) -> Response:
    """Return the recording of the customer."""
    return await _recording(services, request, call_id, "customer")


@router.get("/{call_id}/assistant-recording", response_class=Response, responses=_sound, dependencies=_signed)
async def assistant_recording(call_id: str, request: Request, services: ServicesDep) -> Response:
    """Return the recording of the assistant, as the customer heard it."""
    return await _recording(services, request, call_id, "assistant")


@router.get(
    "/{call_id}/call-logs", response_class=Response, responses=_file_of(_GZIP, ranges=False), dependencies=_signed
)
async def call_logs(call_id: str, services: ServicesDep) -> Response:
    """Return the call's log as a gzip file of JSON lines, as Vapi does: events, decisions and their reasons."""
    await _call(services, call_id)
    path = call_log_path(services.settings.storage.data_dir, call_id)
    try:
        packed = await anyio.to_thread.run_sync(lambda: gzip.compress(path.read_bytes(), mtime=0))
    except FileNotFoundError:
        raise WireError(404, "There are no logs of this call.") from None
    headers = {
        "Content-Disposition": f'attachment; filename="{call_id}.jsonl.gz"',
        "Cache-Control": "private, no-store",
    }
    return Response(packed, 200, headers, _GZIP)


_private = [Depends(require_private)]


@router.get("/{call_id}/journal", response_class=Response, responses=_file_of(_LINES), dependencies=_private)
async def journal(call_id: str, request: Request, services: ServicesDep) -> Response:
    """Return the call's journal for `bargein replay` (JSON lines; an addition to Vapi's API)."""
    await _call(services, call_id)
    try:
        content = await anyio.to_thread.run_sync(FileContent, journal_path(services.settings.storage.data_dir, call_id))
    except FileNotFoundError:
        raise WireError(404, "There is no journal of this call.") from None
    finished = services.live_calls.session(call_id) is None
    return download(request, content, media_type=_LINES, filename=f"{call_id}.jsonl", finished=finished)


@router.get("/{call_id}/video-recording", status_code=404, responses=error_responses(404), dependencies=_private)
async def video_recording(call_id: str, services: ServicesDep) -> Response:
    """Respond 404: this server has no video."""
    await _call(services, call_id)
    raise WireError(404, "There is no video recording of this call: this server carries sound alone.")


@router.get("/{call_id}/pcap", status_code=404, responses=error_responses(404), dependencies=_private)
async def pcap(call_id: str, services: ServicesDep) -> Response:
    """Respond 404: this server captures no packets."""
    await _call(services, call_id)
    raise WireError(404, "There is no packet capture of this call: this server makes none.")


async def _recording(services: Services, request: Request, call_id: str, part: Part) -> Response:
    call = await _call(services, call_id)
    finished = services.live_calls.session(call_id) is None
    plan: JsonObject = call.get("artifactPlan") or {}
    mp3 = plan.get("recordingFormat") == "mp3"
    if mp3 and not finished:
        raise WireError(404, "The mp3 recording is made once the call is over.")
    try:
        content: Content = (
            await anyio.to_thread.run_sync(FileContent, await services.recordings.mp3(call_id, part))
            if mp3
            else await services.recordings.wave(call_id, part)
        )
    except FileNotFoundError:
        raise WireError(404, "There is no recording of this call.") from None
    except OSError as error:
        raise WireError(503, f"The recording could not be read: {error.strerror or error}.") from None
    kind, suffix = (_MP3, "mp3") if mp3 else (_WAV, "wav")
    return download(request, content, media_type=kind, filename=f"{call_id}-{part}.{suffix}", finished=finished)


async def _call(services: Services, call_id: str) -> JsonObject:
    call = await services.store.calls.get(call_id)
    if call is None:
        raise unknown_id("call", call_id)
    return call
