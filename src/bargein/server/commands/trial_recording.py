"""The recording of an exchange with a vendor, taken where it enters and leaves the network, with the keys taken out.

Each line of the file is one JSON object: `at_ms` since the beginning, `way` (`out` or `in`), `kind` and what was said.
Text is kept as `text`, everything else as `base64`. Of the headers only those are kept that hold no secret.
"""

import base64
import json
import re
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, cast

import httpx
from typing_extensions import override
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from bargein.clock import Clock
from bargein.providers.socket import CONNECTION_TYPE
from bargein.settings.section import spellings
from bargein.store.private import private
from bargein.wire.redact import is_secret_name

_MASK = "***"
_SHORTEST_SECRET = 4
_KEPT_HEADERS = frozenset({"accept", "content-type", "retry-after", "transfer-encoding"})
_ELEMENT = re.compile(r"(?P<begin><(?P<name>[A-Za-z]{1,60})>)[^<]+")
"""A value in XML, in which AWS gives the keys of a role."""

_PAIR = re.compile(r'("(?P<name>[^"\\]{1,60})"\s*:\s*")(?P<value>(?:[^"\\]|\\.)*)(?=")')
_QUERY = re.compile(r"(?P<before>[?&](?P<name>[A-Za-z_-]{1,60})=)[^&\s\"]+")


class Recording:
    """A file that an exchange is written to; it can be read by its owner only.

    Args:
        file: where the lines go.
        clock: the time.
        secrets: keys and other secrets; each is masked in every text.
    """

    def __init__(self, file: IO[str], clock: Clock, secrets: Iterable[str]) -> None:
        self._file = file
        self._clock = clock
        self._zero_ms = clock.monotonic_ms()
        written = {one for secret in secrets if len(secret) >= _SHORTEST_SECRET for one in spellings(secret)}
        self._secrets = sorted(written, key=len, reverse=True)

    def add(self, way: Literal["out", "in"], kind: str, data: str | bytes | None = None, **more: object) -> None:
        """Write one event.

        Args:
            way: whether we sent it.
            kind: what it is (`request`, `response`, `body`, `open`, `message`, `close`).
            data: what was sent, if anything.
            more: further fields.
        """
        event: dict[str, object] = {"at_ms": round(self._clock.monotonic_ms() - self._zero_ms, 1), "way": way}
        event |= {"kind": kind, **more}
        if data is not None:
            event |= self._written(data)
        self._file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        text = _PAIR.sub(lambda found: found[1] + _MASK if is_secret_name(found["name"]) else found[0], text)
        text = _ELEMENT.sub(lambda found: found["begin"] + _MASK if is_secret_name(found["name"]) else found[0], text)
        return _QUERY.sub(lambda found: found["before"] + _MASK if is_secret_name(found["name"]) else found[0], text)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return headers as they are written: the values of those that may hold a secret are masked."""
        return {
            name.lower(): self.masked(value) if name.lower() in _KEPT_HEADERS else _MASK
            for name, value in headers.items()
        }

    def _written(self, data: str | bytes) -> dict[str, str]:
        if isinstance(data, str):
            return {"text": self.masked(data)}
        try:
            return {"text": self.masked(data.decode("utf-8"))}
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(data).decode("ascii")}


@contextmanager
def open_recording(path: Path, clock: Clock, secrets: Iterable[str]) -> Generator[Recording]:
    """Open a new file for a recording, and record the sockets that are opened meanwhile.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", opener=private) as file:  # Path.open has no opener
        recording = Recording(file, clock, secrets)
        token = CONNECTION_TYPE.set(_connection_of(recording))
        try:
            yield recording
        finally:
            CONNECTION_TYPE.reset(token)


class RecordedTransport(httpx.AsyncBaseTransport):
    """A transport that records what goes through another one.

    Args:
        inner: sends the requests; it is closed with this one.
        recording: where they are written.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, recording: Recording) -> None:
        self._inner = inner
        self._recording = recording

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        url = self._recording.masked(str(request.url))
        headers = self._recording.headers(request.headers)
        self._recording.add("out", "request", body, method=request.method, url=url, headers=headers)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx.HTTPError as error:
            self._recording.add("in", "error", error=type(error).__name__)
            raise
        headers = self._recording.headers(response.headers)
        self._recording.add("in", "response", status=response.status_code, headers=headers)
        is_whole = "xml" in response.headers.get("content-type", "")
        response.stream = _RecordedBody(response.stream, self._recording, is_whole=is_whole)
        return response

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


class _RecordedBody(httpx.AsyncByteStream):
    """The body of an answer, recorded as it is read.

    Args:
        inner: the body.
        recording: where it is written.
        is_whole: it is written as one piece at its end, since a key may lie across two pieces.
    """

    def __init__(self, inner: object, recording: Recording, *, is_whole: bool) -> None:
        self._inner = cast("httpx.AsyncByteStream", inner)
        self._recording = recording
        self._is_whole = is_whole

    @override
    async def __aiter__(self) -> AsyncGenerator[bytes]:
        pieces = cast("AsyncIterable[bytes]", self._inner)
        kept = bytearray()
        try:
            async for piece in pieces:
                if self._is_whole:
                    kept += piece
                else:
                    self._recording.add("in", "body", piece)
                yield piece
        finally:
            if kept:
                self._recording.add("in", "body", bytes(kept))
        self._recording.add("in", "end")

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


def _connection_of(recording: Recording) -> type[ClientConnection]:
    """Return a type of connection that records its messages."""

    class RecordedConnection(ClientConnection):
        """A WebSocket whose handshake and messages are recorded."""

        @override
        async def handshake(self, *args: Any, **kwargs: Any) -> None:
            try:
                await super().handshake(*args, **kwargs)
            finally:
                if self.request is not None:
                    headers = recording.headers(dict(self.request.headers.raw_items()))
                    recording.add("out", "open", url=recording.masked(self.request.path), headers=headers)
                if self.response is not None:
                    recording.add("in", "opened", bytes(self.response.body or b""), status=self.response.status_code)

        @override
        async def send(self, message: Any, *, text: bool | None = None) -> None:
            recording.add("out", "message", message if isinstance(message, str | bytes) else bytes(message))
            await super().send(message, text=text)

        @override
        async def recv(self, decode: bool | None = None) -> Any:
            try:
                message = await super().recv(decode)
            except ConnectionClosed as error:
                closed = error.rcvd
                recording.add("in", "close", "" if closed is None else closed.reason, code=closed and closed.code)
                raise
            recording.add("in", "message", message)
            return message

    return RecordedConnection
