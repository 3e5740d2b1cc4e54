"""Responses of server-sent events. An error before the first event gives an ordinary error response."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import anyio
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError

DONE = b"data: [DONE]\n\n"


def event(data: JsonObject, name: str | None = None) -> bytes:
    """Return one event as bytes (WHATWG HTML §9.2)."""
    head = f"event: {name}\n" if name is not None else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class EventStream(Response):
    """A response that sends the events of a generator, which is closed as soon as the client disconnects."""

    media_type = "text/event-stream"

    def __init__(self, events: Callable[[], AsyncGenerator[bytes]]) -> None:
        """Create the response; the generator does not run before the response is sent.

        Args:
            events: starts the generator; a `WireError` before its first event becomes the response.
        """
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        async with anyio.create_task_group() as tasks:

            async def watch_disconnect() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch_disconnect)
            await self._send_events(scope, receive, send)
            tasks.cancel_scope.cancel()

    async def _send_events(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events()) as events:
            try:
                first = await anext(events, b"")
            except WireError as error:
                await JSONResponse(error.body(), error.status)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for each in events:
                await send({"type": "http.response.body", "body": each, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
