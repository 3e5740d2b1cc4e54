"""Error responses in Vapi's format, with one log line for each."""

import re
import traceback
from typing import Any, cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bargein.ports import StoreError, StoreFullError
from bargein.wire.errors import WireError, bad_request, phrase

_log = structlog.get_logger("bargein.server")

_QUERY_TEXTS = {
    "missing": "should not be null or undefined",
    "int_parsing": "must be an integer number",
    "greater_than_equal": "must not be less than {ge:g}",
    "less_than_equal": "must not be greater than {le:g}",
}
_RETRY_AFTER_S = "5"
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def install(app: FastAPI) -> None:
    """Add handlers for every exception that a request can end with to `app`."""
    app.add_exception_handler(WireError, _on_wire_error)
    app.add_exception_handler(StoreError, _on_store_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_middleware(ErrorBoundary)


def _respond(request: Request, error: WireError, headers: dict[str, str] | None = None) -> Response:
    _log.info(
        "refused",
        method=request.method,
        path=_CONTROL_CHARACTERS.sub("?", request.url.path),
        status=error.status,
        reason=error.messages,
    )
    if error.status == 401:
        headers = {"WWW-Authenticate": "Bearer", **(headers or {})}
    if error.retry_after_s is not None:
        headers = {"Retry-After": str(error.retry_after_s), **(headers or {})}
    if error.status in (408, 413):
        headers = {"Connection": "close", **(headers or {})}  # the rest of the body is not read
    return JSONResponse(error.body(), error.status, headers)


def _on_wire_error(request: Request, error: Exception) -> Response:
    return _respond(request, cast("WireError", error))


def _on_store_error(request: Request, error: Exception) -> Response:
    """Respond 507 if the database's disk is full (RFC 4918), else 503."""
    if isinstance(error, StoreFullError):
        return _respond(request, WireError(507, str(error)))
    return _respond(request, WireError(503, str(error)), {"Retry-After": _RETRY_AFTER_S})


def _on_http_exception(request: Request, error: Exception) -> Response:
    found = cast("HTTPException", error)
    message = str(found.detail)
    if found.status_code in (404, 405) and message == phrase(found.status_code):
        message = f"Cannot {request.method} {request.url.path}"
    headers = dict(found.headers) if found.headers else None
    return _respond(request, WireError(found.status_code, message), headers)


def _on_validation_error(request: Request, error: Exception) -> Response:
    found: list[str] = []
    for detail in cast("RequestValidationError", error).errors():
        context: dict[str, Any] = detail.get("ctx") or {}
        name = str(detail["loc"][-1])
        text = _QUERY_TEXTS.get(detail["type"])
        found.append(f"{name} {text.format(**context) if text else 'is not valid'}")
    return _respond(request, bad_request(*found))


class ErrorBoundary:
    """Middleware that responds 500 to unhandled exceptions, and logs where they were raised but not their text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and catch its exceptions."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception as error:  # noqa: BLE001  # the outermost frame of a request: other requests go on
            log_unexpected(error, method=scope["method"], path=_CONTROL_CHARACTERS.sub("?", scope["path"]))
            if begun:
                return  # headers were sent already; the client gets an incomplete response
            await JSONResponse(WireError(500, phrase(500)).body(), 500)(scope, receive, send)


def log_unexpected(error: Exception, **where: str) -> None:
    """Log an unexpected error: its type and traceback, not its text, which can contain data of a client."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    _log.error("unexpected", error=type(error).__name__, at=places, **where)
