"""Server-sent events as an answer: an error before the first event is an ordinary refusal."""

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
    """One event (WHATWG HTML §9.2)."""
    head = f"event: {name}\n" if name is not None else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class EventStream(Response):
    """Sends what a generator of events yields; the generator is closed at once when the client goes."""

    media_type = "text/event-stream"

    def __init__(self, events: Callable[[], AsyncGenerator[bytes]]) -> None:
        """Set up; nothing of the generator runs before the answer is sent.

        Args:
            events: what it raises before its first event (a `WireError`) is the answer.
        """
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            await self._answer(scope, receive, send)
            tasks.cancel_scope.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
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
