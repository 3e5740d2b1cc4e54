"""File uploads as forms (multipart/form-data, RFC 7578), written to disk in chunks as they arrive."""

import contextlib
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from bargein.store.private import make_folder, private
from bargein.wire.errors import WireError, bad_request

MAX_FILE_BYTES = 50 * 1024 * 1024
"""The limit for an uploaded file."""
MAX_FIELD_BYTES = 16 * 1024
"""The limit for one field of a form beside its file."""
MAX_FORM_BYTES = 64 * 1024
"""The limit for the fields of a form beside its file, together, and for its heads and boundaries."""
MAX_PARTS = 32
"""The limit for the parts of a form."""
MAX_BOUNDARY_BYTES = 70
"""The limit for a form's boundary (RFC 2046, section 5.1.1)."""
_CHUNK_TIMEOUT_S = 30
"""The time limit for the next chunk of a form to arrive."""
MAX_UPLOAD_S = 600
"""The time limit for a whole form."""
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(slots=True)
class Upload:
    """A received form.

    Attributes:
        name: the file's name as the client sent it, without folders.
        mimetype: the file's media type as the client sent it; may be empty.
        size: the file's size in bytes.
        fields: the other fields.
    """

    name: str = ""
    mimetype: str = ""
    size: int = 0
    fields: dict[str, str] = field(default_factory=dict[str, str])


class _Form:
    """The state of a form that is being parsed; the parser calls the methods `on_…`."""

    def __init__(self) -> None:
        self.upload: Upload | None = None
        self.fields: dict[str, str] = {}
        self.pending = bytearray()
        self.complete = False
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        self._field: str | None = None
        self._text = bytearray()
        self._parts = self._field_bytes = 0

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise bad_request(f"the form must not have more than {MAX_PARTS} parts")
        self._headers, self._field = {}, None
        self._text.clear()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            self._field = name
            return
        if name != "file":
            raise bad_request(f"property {name[:80]} should not exist")
        if self.upload is not None:
            raise bad_request("file must be one file")
        given = options[b"filename"].decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
        kind = self._headers.get(b"content-type", b"").decode("ascii", "replace")
        if _CONTROL_CHARACTERS.search(given):
            raise bad_request("the name of the file must not contain control characters")
        if _CONTROL_CHARACTERS.search(kind) or not kind.isascii():
            raise bad_request("the Content-Type of the file is not valid")
        self.upload = Upload(name=given[:255], mimetype=kind[:255])

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self.pending += data[start:end]
        elif len(self._text) + end - start > MAX_FIELD_BYTES:
            raise WireError(413, f"a field must not be larger than {MAX_FIELD_BYTES} bytes")
        else:
            self._text += data[start:end]
            self._field_bytes += end - start
            if self._field_bytes > MAX_FORM_BYTES:
                raise WireError(413, f"the fields must not be larger than {MAX_FORM_BYTES} bytes together")

    def on_part_end(self) -> None:
        if self._field is not None:
            self.fields[self._field] = self._text.decode("utf-8", "replace").replace("\0", "\ufffd")

    def on_end(self) -> None:
        self.complete = True


async def receive_file(request: Request, path: Path) -> Upload:
    """Write the file of a form (its field `file`) to `path`. If the form is refused, `path` is deleted.

    Raises:
        WireError: 400, 408, 413 or 415.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data":
        raise WireError(415, "Content-Type must be multipart/form-data")
    if not boundary:
        raise bad_request("the form has no boundary")
    if len(boundary) > MAX_BOUNDARY_BYTES:
        raise bad_request(f"the boundary of the form must not be longer than {MAX_BOUNDARY_BYTES} characters")
    try:
        return await _receive(request, path, boundary)
    except BaseException:
        with anyio.CancelScope(shield=True), contextlib.suppress(OSError):
            await anyio.Path(path).unlink(missing_ok=True)
        raise


async def _receive(request: Request, path: Path, boundary: bytes) -> Upload:
    form = _Form()
    parser = MultipartParser(boundary, {
        "on_part_begin": form.on_part_begin,
        "on_part_data": form.on_part_data,
        "on_part_end": form.on_part_end,
        "on_header_field": form.on_header_field,
        "on_header_value": form.on_header_value,
        "on_header_end": form.on_header_end,
        "on_headers_finished": form.on_headers_finished,
        "on_end": form.on_end,
    })  # fmt: skip
    await anyio.to_thread.run_sync(make_folder, path.parent)
    size = 0
    with await anyio.to_thread.run_sync(partial(open, path, "xb", opener=private)) as file:
        try:
            with anyio.fail_after(MAX_UPLOAD_S):
                size = await _write_file(request, parser, form, file)
        except FormParserError:
            raise bad_request("the body is not a valid form") from None
        except TimeoutError:
            raise WireError(
                408, f"nothing more came within {_CHUNK_TIMEOUT_S} s, or not all within {MAX_UPLOAD_S} s"
            ) from None
        except ClientDisconnect:
            raise bad_request("the body was cut off") from None
    if not form.complete:
        raise bad_request("the form was cut off")
    if form.upload is None:
        raise bad_request("file should not be null or undefined")
    form.upload.size, form.upload.fields = size, form.fields
    return form.upload


async def _write_file(request: Request, parser: MultipartParser, form: _Form, file: IO[bytes]) -> int:
    size = got = 0
    stream = aiter(request.stream())
    while True:
        with anyio.fail_after(_CHUNK_TIMEOUT_S):
            chunk = await anext(stream, None)
        if chunk is None:
            return size
        got += len(chunk)
        parser.write(chunk)
        size += len(form.pending)
        if size > MAX_FILE_BYTES or got > MAX_FILE_BYTES + MAX_FORM_BYTES:
            raise WireError(413, f"the file must not be larger than {MAX_FILE_BYTES} bytes")
        if form.pending:
            await anyio.to_thread.run_sync(file.write, bytes(form.pending))
            form.pending.clear()
