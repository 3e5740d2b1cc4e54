"""The page at `/` and its files, under a policy that lets nothing in from elsewhere."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bargein.wire.errors import WireError

PAGE = Path(__file__).parent / "page"

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
"""Said here because a system's own table may be missing or wrong, and a browser refuses a module of another type."""

router = APIRouter(include_in_schema=False)


class PageFiles(StaticFiles):
    """The page's files with their headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        if kind := _TYPES.get(Path(path).suffix.lower()):
            response.headers["Content-Type"] = kind
        return response


@router.get("/")
async def page() -> Response:
    """The page."""
    index = PAGE / "index.html"
    if not index.is_file():
        raise WireError(404, "This installation has no page.")
    return FileResponse(index, media_type=_TYPES[".html"], headers=HEADERS)


def install(app: FastAPI) -> None:
    """Serve the page and its files."""
    app.include_router(router)
    app.mount("/page", PageFiles(directory=PAGE, check_dir=False), name="page")
