"""The MCP library's requests, sent through the client that guards and counts all requests to strangers' servers.

The library has an HTTP client of its own. Two clients would be two guards against private addresses, and two places for
a mistake; so its transport hands each request on.
"""

from collections.abc import AsyncIterator

import httpx
import httpx2

from bargein.ports import ServerError

MOST_BODY_BYTES = 4 * 1024 * 1024
"""Of an answer that is no stream of events (the events of a stream are bounded by the library, each)."""


class Bridge(httpx2.AsyncBaseTransport):
    """Sends the library's requests through a client of ours.

    Args:
        client: sends them; its owner closes it.
        auth: proves to the server who is asking; None: nothing does, beyond the request's own headers.
    """

    def __init__(self, client: httpx.AsyncClient, auth: httpx.Auth | None) -> None:
        self._client = client
        self._auth = auth

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; gives the answer as soon as its headers are there.

        Raises:
            httpx2.TransportError: it could not be sent, or not to that address.
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
            # the error's own words may hold the address
            raise httpx2.TransportError(type(error).__name__) from None
        return httpx2.Response(
            response.status_code, headers=response.headers.raw, stream=_Body(response), request=request
        )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        kind = response.headers.get("content-type", "")
        self._most = None if kind.startswith("text/event-stream") else MOST_BODY_BYTES

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._response.aiter_raw():
                size += len(chunk)
                if self._most is not None and size > self._most:
                    raise httpx2.ReadError("the answer is too long")
                yield chunk
        except httpx.HTTPError as error:
            raise httpx2.ReadError(type(error).__name__) from None

    async def aclose(self) -> None:
        await self._response.aclose()
