"""Whether the process lives, and whether it can take calls."""

import anyio
from fastapi import APIRouter

from bargein import __version__
from bargein.ports import StoreError
from bargein.server.api.services import Reach
from bargein.wire.errors import WireError

router = APIRouter(tags=["health"])

_DATABASE_SECONDS = 2


@router.get("/health")
async def health() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok", "version": __version__}


@router.get("/ready", responses={503: {"description": "Not ready: the message says what is missing"}})
async def ready(services: Reach) -> dict[str, str]:
    """The server can take calls: 200, or 503 with what is missing."""
    missing = [f"{name}: {what}" for name, what in services.readiness.missing.items()]
    missing += [native.problem for native in services.call_router.carriers.natives() if native.problem is not None]
    try:
        with anyio.fail_after(_DATABASE_SECONDS):
            await services.store.ping()
    except (StoreError, TimeoutError):
        missing.append("the database does not answer")
    if missing:
        raise WireError(503, missing)
    return {"status": "ready"}
