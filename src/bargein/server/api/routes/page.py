"""`GET /` and `/page/…`: the static page and its files, with a Content-Security-Policy that admits only this server."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

import bargein.server
from bargein.wire.errors import WireError

PAGE = Path(bargein.server.__file__).parent / "page"

HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; worker-src 'self'; img-src 'self' data:; "
        "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""Content types by suffix. Python's `mimetypes` reads the system's table, which may be missing or wrong, and a browser
refuses a JavaScript module of another type."""

router = APIRouter(include_in_schema=False)


class PageFiles(StaticFiles):
    """The page's static files, each sent with `HEADERS`."""

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        if kind := _TYPES.get(Path(path).suffix.lower()):
            response.headers["Content-Type"] = kind
        return response


@router.get("/")
async def page() -> Response:
    """Return the page."""
    index = PAGE / "index.html"
    if not index.is_file():
        raise WireError(404, "This installation has no page.")
    return FileResponse(index, media_type=_TYPES[".html"], headers=HEADERS)


def mount_files(app: FastAPI) -> None:
    """Add the page's folder of static files to `app`."""
    app.mount("/page", PageFiles(directory=PAGE, check_dir=False), name="page")
