"""Responses with a file, whole or one range of it (RFC 9110, section 14), streamed in chunks."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from typing_extensions import override

from bargein.wire.errors import WireError

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_CHUNK_BYTES = 1 << 16


class Content(Protocol):
    """Content with random access."""

    @property
    def size(self) -> int:
        """The size in bytes."""
        ...

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Return the bytes from `start` up to `end` in chunks. Runs outside the event loop's thread."""
        ...


class FileContent(Content):
    """The content of a file.

    Raises:
        FileNotFoundError: the file does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size

    @property
    @override
    def size(self) -> int:
        return self._size

    @override
    def read(self, start: int, end: int) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            while start < end and (data := file.read(min(_CHUNK_BYTES, end - start))):
                start += len(data)
                yield data


def download(request: Request, content: Content, *, media_type: str, filename: str, finished: bool) -> Response:
    """Return the response to a GET.

    Args:
        request: the request; if its `Range` has one range of bytes, these are sent, if several, the whole.
        content: the content.
        media_type: its media type.
        filename: the name under which a browser saves it.
        finished: whether the content will not change any more; only then it gets an ETag, which `If-Range` needs.
    """
    size = content.size
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="{filename}"',
    }
    tag = f'"{size:x}"' if finished else None
    if tag is not None:
        headers["ETag"] = tag
    wanted = _range_of(request, size, tag)
    if wanted is None:
        headers["Content-Length"] = str(size)
        return StreamingResponse(content.read(0, size), 200, headers, media_type)
    start, end = wanted
    if start >= end:
        refused = WireError(416, f"There are {size} bytes, and none of the requested ones.")
        return JSONResponse(refused.body(), 416, {"Content-Range": f"bytes */{size}"})
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    return StreamingResponse(content.read(start, end), 206, headers, media_type)


def _range_of(request: Request, size: int, tag: str | None) -> tuple[int, int] | None:
    """Return the first byte to send and the one after the last, or None for all."""
    found = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if found is None or request.headers.get("if-range", tag) != tag:
        return None
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size
