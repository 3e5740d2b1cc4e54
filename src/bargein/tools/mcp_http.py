"""The MCP library's requests, sent through the guarded client that sends all requests to addresses others name.

The library has an HTTP client of its own. A second client would need a second guard against private addresses, so its
transport passes each request on.
"""

from collections.abc import AsyncIterator

import httpx
import httpx2
from typing_extensions import override

from bargein.ports import ServerError

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Limit of an answer that is not an event stream.

The library limits each event of a stream, and the client the stream as a whole (`bargein.http_client`).
"""


class Bridge(httpx2.AsyncBaseTransport):
    """Sends the library's requests through our client.

    Args:
        client: sends the requests; its owner closes it.
        auth: authenticates the requests; None adds nothing to their headers.
    """

    def __init__(self, client: httpx.AsyncClient, auth: httpx.Auth | None) -> None:
        self._client = client
        self._auth = auth

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request, and return the answer as soon as its headers have arrived.

        Raises:
            httpx2.TransportError: it could not be sent, or its address is not allowed.
        """
        outgoing = httpx.Request(
            request.method,
            str(request.url),
            headers=[(name, value) for name, value in request.headers.raw if name.lower() != b"transfer-encoding"],
            content=await request.aread(),
        )
        try:
            response = await self._client.send(outgoing, auth=self._auth, stream=True, follow_redirects=False)
        except (httpx.HTTPError, ServerError) as error:
            # the error's text may hold the address
            raise httpx2.TransportError(type(error).__name__) from None
        return httpx2.Response(
            response.status_code, headers=response.headers.raw, stream=_Body(response), request=request
        )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        kind = response.headers.get("content-type", "")
        self._limit = None if kind.startswith("text/event-stream") else MAX_BODY_BYTES

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._response.aiter_raw():
                size += len(chunk)
                if self._limit is not None and size > self._limit:
                    raise httpx2.ReadError("the answer is too long")
                yield chunk
        except httpx.HTTPError as error:
            raise httpx2.ReadError(type(error).__name__) from None

    @override
    async def aclose(self) -> None:
        await self._response.aclose()
