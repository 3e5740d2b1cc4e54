"""Who may do what.

With a private key set, it opens everything and the public key opens `POST /call/web` and `POST /chat/web` alone; so do
tokens that are signed with the private key (`bargein.server.api.jwt`), by their tag. With none set, the server
is open to this machine and nobody else: a request must be addressed to a loopback name and, if a browser sent it, come
from a page of this machine. The first stops DNS rebinding, the second a foreign page that posts here.
"""

import hmac
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import Depends
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bargein.server.api.jwt import Grant, Key, read_token
from bargein.server.api.services import services_of
from bargein.settings import Settings, is_loopback
from bargein.wire.errors import WireError

_log = structlog.get_logger("bargein.server")

_POLICY_VIOLATION = 1008


def key_of(settings: Settings, headers: Headers) -> Key | None:
    """Which key a request bears, or which its token stands for: None for none or a wrong one.

    With no key set, everyone is the owner.
    """
    grant = grant_of(settings, headers)
    if grant is None:
        return None
    try:
        grant.check_origin(headers.get("origin"))
    except WireError:
        return None
    return grant.key


def grant_of(settings: Settings, headers: Headers) -> Grant | None:
    """What a request's key or token lets it do, wherever it comes from; None for none or a wrong one.

    Takes the same time whether a key is nearly right or not at all.
    """
    if settings.keys.api_key is None:
        return Grant("private")
    given = bearer(headers)
    private, public = _same(given, settings.keys.api_key), _same(given, settings.keys.public_key)
    if private or public:
        return Grant("private" if private else "public")
    return None if given is None else read_token(given, settings.keys.api_key)


def bearer(headers: Headers) -> str | None:
    """The token of `Authorization: Bearer …` (RFC 6750), if there is one."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _same(given: str | None, key: str | None) -> bool:
    return hmac.compare_digest((given or "").encode(), (key or "").encode()) and bool(given) and bool(key)


def require_private(connection: HTTPConnection) -> None:
    """Let the owner pass.

    Raises:
        WireError: 401 for no key or a wrong one, 403 for the public key, or a token where it may not be used.
    """
    if require_any(connection).key != "private":
        raise WireError(403, "The public key opens POST /call/web and /chat/web alone: this needs the private key.")


def require_any(connection: HTTPConnection) -> Grant:
    """Let the owner and the bearer of the public key pass, and say what the request may do.

    Raises:
        WireError: 401 for no key or a wrong one, 403 for a token where it may not be used.
    """
    grant = grant_of(services_of(connection).settings, connection.headers)
    if grant is None:
        given = bearer(connection.headers) is not None
        raise WireError(401, "The bearer key is not valid." if given else "A bearer key is needed.")
    grant.check_origin(connection.headers.get("origin"))
    return grant


BearerGrant = Annotated[Grant, Depends(require_any)]


class LoopbackGuard:
    """Keeps a server without keys to this machine: HTTP requests get a 403, sockets are not accepted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes from this machine."""
        if scope["type"] not in ("http", "websocket") or comes_from_this_machine(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        _log.warning("refused a request from beyond this machine", kind=scope["type"])
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "loopback only"})
        else:
            refused = WireError(403, "With no key set this server answers only to this machine, under a loopback name.")
            await JSONResponse(refused.body(), refused.status)(scope, receive, send)


def comes_from_this_machine(headers: Headers) -> bool:
    """Whether a request is addressed to a loopback name and, where it has an Origin, comes from one."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_loopback_address("http://" + hosts[0]):
        return False
    return all(_is_loopback_address(origin) for origin in headers.getlist("origin"))


def _is_loopback_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        return False
    plain = parts.username is None and not parts.path and not parts.query and not parts.fragment
    return parts.scheme in ("http", "https") and plain and hostname is not None and is_loopback(hostname)
