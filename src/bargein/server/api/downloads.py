"""Answers with a file, whole or in part (RFC 9110, section 14), of which no more than a piece is ever in memory."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bargein.wire.errors import WireError

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_CHUNK_BYTES = 1 << 16


class Content(Protocol):
    """Something that can be read from anywhere."""

    @property
    def size(self) -> int:
        """How many bytes it has."""
        ...

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, in pieces; called off the event loop's thread."""
        ...


class FileContent:
    """A file as it is.

    Raises:
        FileNotFoundError: there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """See `Content.read`."""
        with self._path.open("rb") as file:
            file.seek(start)
            while start < end and (data := file.read(min(_CHUNK_BYTES, end - start))):
                start += len(data)
                yield data


def download(request: Request, content: Content, *, media_type: str, filename: str, finished: bool) -> Response:
    """The answer to a GET.

    Args:
        request: for its `Range`: one range of bytes is honoured, several are answered with the whole.
        content: what is asked for.
        media_type: of it.
        filename: under which a browser keeps it.
        finished: whether it will stay as it is: only then `If-Range` can be relied on.
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
        refused = WireError(416, f"There are {size} bytes, and none of those that were asked for.")
        return JSONResponse(refused.body(), 416, {"Content-Range": f"bytes */{size}"})
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    return StreamingResponse(content.read(start, end), 206, headers, media_type)


def _range_of(request: Request, size: int, tag: str | None) -> tuple[int, int] | None:
    """Which bytes are asked for, from the first up to the second; None: all."""
    found = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if found is None or request.headers.get("if-range", tag) != tag:
        return None
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size
