"""Paths with a slash at their end, which Vapi's API takes for those without: its documentation posts to `/tool/`."""

from starlette.types import ASGIApp, Receive, Scope, Send

_FILES = "/page"
"""The folder of static files, whose address is the one that ends with a slash."""


class TrailingSlash:
    """Middleware that removes one slash from the end of a path, for HTTP requests and WebSockets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its path."""
        if scope["type"] in ("http", "websocket"):
            path: str = scope["path"]
            if len(path) > 1 and path.endswith("/") and not path.startswith(f"{_FILES}/"):
                scope = {**scope, "path": path[:-1]}
        await self._app(scope, receive, send)
