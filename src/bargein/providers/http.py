"""HTTP for the vendors of a live call: endpoints, and streams of lines and server-sent events.

A body is never read faster than it is consumed. `bargein.http_client` makes the clients.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

import httpx

from bargein.errors import BargeinError
from bargein.http_client import read_url
from bargein.ports import ProviderError
from bargein.wire.json import read_json, read_json_pieces

MAX_LINE_BYTES = 2 * 1024 * 1024
"""The longest line and the longest event of a stream; a longer one is not part of the protocol."""

_SSE_FIELDS = frozenset({b"data", b"event", b"id", b"retry"})


class StreamError(BargeinError):
    """A stream that does not follow its protocol. The text quotes nothing that the peer sent."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The URL of requests, and their headers.

    Attributes:
        url: an http or https URL.
        headers: sent with each request; they may hold secrets.
    """

    url: httpx.URL
    headers: httpx.Headers = field(repr=False)

    @property
    def name(self) -> str:
        """The host and port, for messages: the path and the query of a URL may hold a key."""
        return self.url.netloc.decode("ascii")


def endpoint(
    url: str, headers: Mapping[str, str], *, ended_reason: str, query: Mapping[str, str] | None = None
) -> Endpoint:
    """Check a URL and headers of an assistant.

    Args:
        url: the URL of requests.
        headers: sent with each request.
        ended_reason: the `endedReason` of the error.
        query: added to the URL.

    Raises:
        ProviderError: they cannot be used in a request.
    """
    try:
        checked = httpx.Headers(dict(headers))
    except (ValueError, TypeError):
        # the error's own text may quote a header's value
        raise ProviderError("one of its headers cannot be used in a request", ended_reason=ended_reason) from None
    parsed = read_url(url)
    if parsed is None:
        raise ProviderError("its URL must be one of http or https with a host", ended_reason=ended_reason)
    return Endpoint(parsed.copy_merge_params(dict(query)) if query else parsed, checked)


def with_secret(headers: Mapping[str, str], secret: str | None) -> dict[str, str]:
    """Return the headers with `X-Vapi-Secret`, which authenticates requests to a server URL (`server.secret`)."""
    if secret is None:
        return dict(headers)
    kept = {name: value for name, value in headers.items() if name.lower() != "x-vapi-secret"}
    return {**kept, "X-Vapi-Secret": secret}


class Addresses(Protocol):
    """A resolver of hosts that refuses addresses that may not be connected to."""

    async def address(self, host: str, port: int) -> str:
        """Return an address of a host.

        Raises:
            OSError: there is none, or it may not be connected to.
        """
        ...


async def handshake_headers(auth: httpx.Auth | None, url: str) -> dict[str, str]:
    """Return the headers with which `auth` signs the opening of a WebSocket: those of a GET without a body.

    Raises:
        ServerError: a token that is needed for that cannot be obtained.
    """
    if auth is None:
        return {}
    flow = auth.async_auth_flow(httpx.Request("GET", url))
    try:
        signed = await anext(flow)
    finally:
        await flow.aclose()
    plain = httpx.Request("GET", url).headers
    return {name: value for name, value in signed.headers.items() if name not in plain}


async def lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    r"""Split a body into lines at LF, CR or CR LF, regardless of its chunks; the last line may lack its end.

    Raises:
        StreamError: a line is longer than `MAX_LINE_BYTES`.
    """
    rest = bytearray()
    after_cr = False
    async for chunk in chunks:
        data = chunk[1:] if after_cr and chunk.startswith(b"\n") else chunk
        after_cr = chunk.endswith(b"\r") or (after_cr and not chunk)
        first, *more = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest += first
        for line in more:
            yield bytes(rest)
            rest = bytearray(line)
        if len(rest) > MAX_LINE_BYTES:
            raise StreamError("a line is too long")
    if rest:
        yield bytes(rest)


def json_object(data: bytes | str, *, pieces: bool = False) -> dict[str, object]:
    """Read one JSON object that a peer sent (`bargein.wire.json.read_json`).

    Args:
        data: the JSON text.
        pieces: whether its texts are pieces of a longer one (`read_json_pieces`).

    Raises:
        StreamError: it is something else, or nested too deeply.
    """
    try:
        return required_object(read_json_pieces(data) if pieces else read_json(data))
    except ValueError:
        raise StreamError("it is not JSON") from None


def required_object(value: object) -> dict[str, object]:
    """Return a JSON value that must be an object.

    Raises:
        StreamError: it is not an object.
    """
    if not isinstance(value, dict):
        raise StreamError("it is not a JSON object")
    return cast("dict[str, object]", value)


async def sse_data(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Read server-sent events (WHATWG HTML §9.2) and yield the data of each.

    Unlike in a browser, a line that is not a field of an event is an error: the peer sends something else (an HTML
    error page, a plain JSON answer). An event may end with the body instead of a blank line.

    Raises:
        StreamError: a line is not part of an event, or an event is longer than `MAX_LINE_BYTES`.
    """
    data: list[bytes] = []
    size = 0
    async for line in lines(chunks):
        if not line:
            if data:
                yield b"\n".join(data)
                data.clear()
            size = 0
            continue
        size += len(line)
        if size > MAX_LINE_BYTES:
            raise StreamError("an event is too long")
        name, _, value = line.partition(b":")
        if name and name not in _SSE_FIELDS:
            raise StreamError("it is not a stream of server-sent events")
        if name == b"data":
            data.append(value.removeprefix(b" "))
    if data:
        yield b"\n".join(data)
