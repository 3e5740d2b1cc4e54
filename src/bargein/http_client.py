"""HTTP clients for servers that others operate, and bounded reading of what those answer.

Every httpx client of the server and of the command line is made by `new_client` (`tests/test_http_client.py` holds
this). An answer may not be compressed: a few kilobytes of gzip unpack to gigabytes, in one step that blocks every call.
"""

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import anyio.lowlevel
import httpx
from typing_extensions import override

from bargein.errors import BargeinError

MAX_BODY_BYTES = 64 * 1024 * 1024
"""The longest body that a client reads, also of a stream; most readers have a lower limit of their own.

The head of an answer is limited by the HTTP library (h11): 100 KiB.
"""


MAX_CHUNKS = 100_000
"""The most pieces of a body: with chunks of one byte, a megabyte takes many seconds to parse."""
_CHUNKS_AT_ONCE = 16
_MAX_PORT = 65535


class RefusedAnswerError(BargeinError, httpx.DecodingError):
    """An answer that is not read: it is compressed or too long. The text may be shown; it quotes nothing."""


class AddressRefusedError(BargeinError, OSError):
    """A host that is not connected to, since it has an address that is not public. The text names no address."""

    def __init__(self) -> None:
        super().__init__("has a private address, which is refused unless BARGEIN_ALLOW_PRIVATE_ADDRESSES=1 is set")


class PrivateAddressError(BargeinError, httpx.ConnectError):
    """The same refusal as a connection error of httpx."""


@cache
def _tls(*, trust_env: bool) -> ssl.SSLContext:
    """Return the TLS context of all clients of the process: reading the certificate authorities takes some 35 ms."""
    return httpx.create_ssl_context(trust_env=trust_env)


def new_client(
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    base_url: str = "",
    headers: dict[str, str] | None = None,
    timeout_s: float | None = None,
    trust_env: bool = False,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> httpx.AsyncClient:
    """Create a client that many requests share; the caller has to close it.

    It asks for no compression and refuses a compressed answer, limits each body, keeps no cookies, follows no redirects
    and retries nothing.

    Args:
        transport: the transport; httpx's own if not given.
        base_url: the URL that relative ones are added to.
        headers: sent with each request.
        timeout_s: the limit of one network operation; None: the users of the client limit each request as a whole.
        trust_env: whether proxies and certificate authorities are read from the environment.
        max_body_bytes: the longest body that is read.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=timeout_s,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=30),
        transport=transport,
        verify=_tls(trust_env=trust_env),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": "bargein", "Accept-Encoding": "identity", **(headers or {})},
        follow_redirects=False,
        trust_env=trust_env,
        event_hooks={"request": [_ask_uncompressed], "response": [_limit(max_body_bytes)]},
    )


def read_url(url: object) -> httpx.URL | None:
    """Return an http or https URL with a host and a port that exist; None for anything else."""
    try:
        parsed = httpx.URL(url) if isinstance(url, str) else None
        # these decode the host, and raise for a malformed international name
        usable = parsed is not None and bool(parsed.host) and 0 <= (parsed.port or 0) <= _MAX_PORT
    except (httpx.InvalidURL, ValueError, TypeError):
        return None
    return parsed if parsed is not None and usable and parsed.scheme in {"http", "https"} else None


def answer_problem(error: Exception) -> str | None:
    """Return why an answer or an address was refused, as what follows a server's name; None for any other error."""
    return str(error) if isinstance(error, RefusedAnswerError | AddressRefusedError | PrivateAddressError) else None


async def read_bounded(response: httpx.Response, max_bytes: int) -> bytes | None:
    """Return a response's body; None if it is longer than `max_bytes`, after which reading stops.

    Raises:
        httpx.HTTPError: it breaks off or is refused.
    """
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


def request_bounded(
    method: str, url: str, *, timeout_s: float, max_bytes: int, trust_env: bool = True
) -> httpx.Response:
    """Send one request without a body, for a command that has no event loop, and return the whole answer.

    Args:
        method: the method.
        url: the URL.
        timeout_s: time limit of one network operation.
        max_bytes: the longest body that is read.
        trust_env: whether the proxies of the environment are used.

    Raises:
        httpx.HTTPError: there is no answer, or it is refused.
    """
    plain = {"Accept-Encoding": "identity"}
    made = httpx.Client(timeout=timeout_s, headers=plain, trust_env=trust_env)
    with made as client, client.stream(method, url) as response:
        _refuse_compressed(response)
        body = b""
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > max_bytes:
                raise _too_long(max_bytes)
        return httpx.Response(response.status_code, headers=response.headers, content=body)


async def _ask_uncompressed(request: httpx.Request) -> None:
    request.headers["Accept-Encoding"] = "identity"  # also where an owner's headers say otherwise


def _limit(max_bytes: int) -> Callable[[httpx.Response], Awaitable[None]]:
    async def limit(response: httpx.Response) -> None:
        _refuse_compressed(response)
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Limited(response.stream, max_bytes)

    return limit


def _refuse_compressed(response: httpx.Response) -> None:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise RefusedAnswerError("sent a compressed answer (Content-Encoding), which was not asked for")


def _too_long(max_bytes: int) -> RefusedAnswerError:
    return RefusedAnswerError(f"sent an answer of more than {max_bytes} bytes")


class _Limited(httpx.AsyncByteStream):
    """A body that ends with an error once it is too long."""

    def __init__(self, stream: httpx.AsyncByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    @override
    async def __aiter__(self) -> AsyncGenerator[bytes]:
        size = count = 0
        async for chunk in self._stream:
            size += len(chunk)
            count += 1
            if size > self._max_bytes:
                raise _too_long(self._max_bytes)
            if count > MAX_CHUNKS:
                raise RefusedAnswerError(f"sent an answer in more than {MAX_CHUNKS} chunks")
            if count % _CHUNKS_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()  # chunks that have arrived are read without one
            yield chunk

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()
