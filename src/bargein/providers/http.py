"""HTTP as the vendors of a live call need it: one careful client, and streams of lines and events.

What is special about a call: nothing is retried behind its back, nothing follows a redirect with a secret in its
headers, no cookie of one call goes out with another, and a body is never read faster than it is wanted.
"""

import json
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol, cast

import httpx

from bargein.errors import BargeinError
from bargein.ports import ProviderError

MAX_LINE_BYTES = 4 * 1024 * 1024
"""No line of a stream may be longer: whoever sends more is not speaking the protocol."""

_SSE_FIELDS = frozenset({b"data", b"event", b"id", b"retry"})


class StreamError(BargeinError):
    """A stream does not hold what its protocol promises. Its text quotes nothing that the peer sent."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, and what goes with them.

    Attributes:
        url: an http or https URL.
        headers: sent with each request; they may hold secrets.
    """

    url: httpx.URL
    headers: httpx.Headers = field(repr=False)

    @property
    def name(self) -> str:
        """The host and port: what may be told of a URL, whose path and query may hold a key."""
        return self.url.netloc.decode("ascii")


def endpoint(url: str, headers: Mapping[str, str], *, ended_reason: str) -> Endpoint:
    """Check a URL and headers that came from an assistant.

    Args:
        url: where requests go.
        headers: sent with each request.
        ended_reason: for the error.

    Raises:
        ProviderError: no request can be made of them.
    """
    try:
        parsed, checked = httpx.URL(url), httpx.Headers(dict(headers))
    except (httpx.InvalidURL, ValueError, TypeError):
        # the error's own text may quote a header's value
        raise ProviderError(
            "its URL or one of its headers cannot be used in a request", ended_reason=ended_reason
        ) from None
    if parsed.scheme not in {"http", "https"} or not parsed.host or (parsed.port or 0) > 65535:
        raise ProviderError("its URL must be one of http or https with a host", ended_reason=ended_reason)
    return Endpoint(parsed, checked)


def with_secret(headers: Mapping[str, str], secret: str | None) -> dict[str, str]:
    """Add `X-Vapi-Secret`, with which Vapi proves itself to a server URL (`server.secret`)."""
    if secret is None:
        return dict(headers)
    kept = {name: value for name, value in headers.items() if name.lower() != "x-vapi-secret"}
    return {**kept, "X-Vapi-Secret": secret}


class Addresses(Protocol):
    """Says where a host may be connected to."""

    async def address(self, host: str, port: int) -> str:
        """An address of a host.

        Raises:
            OSError: there is none, or it may not be connected to.
        """
        ...


async def handshake_headers(auth: httpx.Auth | None, url: str) -> dict[str, str]:
    """The headers with which `auth` proves who opens a WebSocket: those of a GET without a body.

    Raises:
        ServerError: what it takes for that cannot be had.
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


@cache
def _tls() -> ssl.SSLContext:
    """What all clients of the process trust; the authorities are read once."""
    return httpx.create_ssl_context(trust_env=False)


def new_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Make a client that all calls of a process share; its owner closes it.

    Args:
        transport: how it connects; httpx's own way if not given.

    It has no time limits of its own (every provider puts its own around each await), keeps no cookies, follows no
    redirects and reads nothing from the environment.
    """
    return httpx.AsyncClient(
        timeout=None,  # noqa: S113 - each await of a provider has its own limit, tighter than one for all
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=30),
        transport=transport,
        verify=_tls(),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": "bargein"},
        follow_redirects=False,
        trust_env=False,
    )


async def lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    r"""Cut a body into lines at LF, CR or CR LF, whatever pieces it comes in; the last line may lack its end.

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


def json_object(data: bytes | str) -> dict[str, object]:
    """Read one JSON object that a peer sent.

    Raises:
        StreamError: it is something else, or nested beyond reason.
    """
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        raise StreamError("it is not JSON") from None
    return as_object(value)


def as_object(value: object) -> dict[str, object]:
    """Take a JSON value for an object.

    Raises:
        StreamError: it is none.
    """
    if not isinstance(value, dict):
        raise StreamError("it is not a JSON object")
    return cast("dict[str, object]", value)


async def sse_data(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Read server-sent events (WHATWG HTML §9.2) and yield the data of each.

    Unlike a browser it is strict: a line that is no field of an event means that the peer speaks something else (an
    HTML error page, a plain JSON answer), and that is an error. An event may end with the body instead of a blank line.

    Raises:
        StreamError: a line is not part of an event, or too long.
    """
    data: list[bytes] = []
    async for line in lines(chunks):
        if not line:
            if data:
                yield b"\n".join(data)
                data.clear()
            continue
        name, _, value = line.partition(b":")
        if name and name not in _SSE_FIELDS:
            raise StreamError("it is not a stream of server-sent events")
        if name == b"data":
            data.append(value.removeprefix(b" "))
    if data:
        yield b"\n".join(data)
