"""Cross-origin requests (CORS)."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from bargein.server.api.warnings import WARNING_HEADER
from bargein.settings import Settings

_LOOPBACK_ORIGIN = r"https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?"
_PUBLIC_PATHS = frozenset({"/call/web", "/chat/web"})
_HEADERS = ("Authorization", "Content-Type", "X-Client-ID")
"""The request headers that a page may set; the last is set by Vapi's React widget."""


class Cors:
    """Middleware that answers cross-origin requests.

    With keys set, pages of all origins may start web calls and web chats. Without keys, pages of loopback origins may
    use the whole API. Cookies are not used: a page sends the key itself.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._everywhere = settings.open_to_loopback_only
        self._allowed = CORSMiddleware(
            app,
            allow_origins=() if self._everywhere else ("*",),
            allow_origin_regex=_LOOPBACK_ORIGIN if self._everywhere else None,
            allow_methods=("GET", "POST", "PATCH", "DELETE") if self._everywhere else ("POST",),
            allow_headers=_HEADERS,
            expose_headers=(WARNING_HEADER,),
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, through Starlette's CORS middleware where its path allows other origins."""
        allowed = scope["type"] == "http" and (self._everywhere or scope["path"] in _PUBLIC_PATHS)
        await (self._allowed if allowed else self._app)(scope, receive, send)
