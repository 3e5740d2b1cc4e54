"""Authentication of requests.

With a private key set, it allows everything, and the public key allows `POST /call/web` and `POST /chat/web` only.
Tokens signed with the private key (`bargein.server.api.jwt`) have the rights of the key that their tag names.

With no private key set, the server answers only to this machine: a request must be addressed to a loopback host and,
if a browser sent it, come from a page of a loopback origin. The first prevents DNS rebinding, the second requests from
pages of other sites.
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

from bargein.server.api.jwt import Key, Permissions, read_token
from bargein.server.api.services import services_of
from bargein.settings import Settings, is_loopback
from bargein.wire.errors import WireError
from bargein.wire.ownership import Author

_log = structlog.get_logger("bargein.server")

_POLICY_VIOLATION = 1008


def key_of(settings: Settings, headers: Headers) -> Key | None:
    """Return the key whose rights a request has, or None if it has no valid key or token, or a token of another origin.

    With no private key set, every request has the rights of the private key.
    """
    permissions = permissions_of(settings, headers)
    if permissions is None:
        return None
    try:
        permissions.check_origin(headers.get("origin"))
    except WireError:
        return None
    return permissions.key


def author_of_request(settings: Settings, headers: Headers) -> Author:
    """Return whose rights a request has: the owner's with the private key or its token, else a caller's."""
    return "owner" if key_of(settings, headers) == "private" else "caller"


def permissions_of(settings: Settings, headers: Headers) -> Permissions | None:
    """Return the permissions of a request's key or token, or None if it has none that is valid.

    The origin is not checked. Keys are compared in constant time.
    """
    if settings.keys.api_key is None:
        return Permissions("private")
    given = bearer_token(headers)
    private, public = _equal(given, settings.keys.api_key), _equal(given, settings.keys.public_key)
    if private or public:
        return Permissions("private" if private else "public")
    return None if given is None else read_token(given, settings.keys.api_key)


def bearer_token(headers: Headers) -> str | None:
    """Return the token of `Authorization: Bearer …` (RFC 6750), or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def has_wrong_key(connection: HTTPConnection) -> bool:
    """Return True if a request has a key or token that is not valid, and count it; a request without one has not.

    Raises:
        WireError: 429: its address has sent too many wrong keys.
    """
    if bearer_token(connection.headers) is None:
        return False
    services = services_of(connection)
    services.rate_limits.check_address(connection)
    if key_of(services.settings, connection.headers) is not None:
        return False
    services.rate_limits.count_wrong_key(connection)
    return True


def _equal(given: str | None, key: str | None) -> bool:
    return hmac.compare_digest((given or "").encode(), (key or "").encode()) and bool(given) and bool(key)


def require_private(connection: HTTPConnection) -> None:
    """Check that a request has the rights of the private key.

    Raises:
        WireError: 401 for no key or a wrong one, 403 for the public key, or a token from another origin.
    """
    if require_any(connection).key != "private":
        raise WireError(403, "The public key opens POST /call/web and /chat/web alone: this needs the private key.")


def require_any(connection: HTTPConnection) -> Permissions:
    """Check that a request has a valid key or token, and return its permissions.

    Raises:
        WireError: 401 for no key or a wrong one, 403 for a token from another origin, 429 for too many requests.
    """
    services = services_of(connection)
    given = bearer_token(connection.headers) is not None
    if given:
        services.rate_limits.check_address(connection)
    permissions = permissions_of(services.settings, connection.headers)
    if permissions is None:
        if given:
            services.rate_limits.count_wrong_key(connection)
        raise WireError(401, "The bearer key is not valid." if given else "A bearer key is needed.")
    permissions.check_origin(connection.headers.get("origin"))
    services.rate_limits.check_request(connection, permissions)
    return permissions


PermissionsDep = Annotated[Permissions, Depends(require_any)]
"""The type of a route's parameter that gets the permissions of a request with either key."""


class LoopbackGuard:
    """Middleware of a server without keys: HTTP requests from elsewhere get a 403, sockets are not accepted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request from this machine; refuse others."""
        if scope["type"] not in ("http", "websocket") or is_local_request(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        _log.warning("refused a request that is not from this machine", kind=scope["type"])
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "loopback only"})
        else:
            refused = WireError(403, "With no key set this server answers only to this machine, under a loopback name.")
            await JSONResponse(refused.body(), refused.status)(scope, receive, send)


def is_local_request(headers: Headers) -> bool:
    """Return True if a request is addressed to a loopback host and has no Origin, or a loopback one."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_loopback_url("http://" + hosts[0]):
        return False
    return all(_is_loopback_url(origin) for origin in headers.getlist("origin"))


def _is_loopback_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        return False
    plain = parts.username is None and not parts.path and not parts.query and not parts.fragment
    return parts.scheme in ("http", "https") and plain and hostname is not None and is_loopback(hostname)
