"""`GET /health` and `GET /ready`: liveness and readiness."""

import anyio
import anyio.to_thread
from fastapi import APIRouter

from bargein import __version__
from bargein.ports import StoreError
from bargein.server.api.services import ServicesDep
from bargein.store.opening import write_error
from bargein.wire.errors import WireError

router = APIRouter(tags=["health"])

_DATABASE_SECONDS = 2
_DISK_SECONDS = 2


@router.get("/health")
async def health() -> dict[str, str]:
    """Return 200 while the process runs."""
    return {"status": "ok", "version": __version__}


@router.get("/ready", responses={503: {"description": "Not ready: the message has the reasons"}})
async def ready(services: ServicesDep) -> dict[str, str]:
    """Return 200 if the server can take calls, else 503 with the reasons."""
    missing = [f"{name}: {reason}" for name, reason in services.readiness.missing.items()]
    missing += [native.problem for native in services.call_router.carriers.natives() if native.problem is not None]
    try:
        with anyio.fail_after(_DATABASE_SECONDS):
            await services.store.ping()
    except (StoreError, TimeoutError):
        missing.append("the database does not answer")
    with anyio.move_on_after(_DISK_SECONDS) as disk:
        folder = services.settings.storage.data_dir
        problem = await anyio.to_thread.run_sync(write_error, folder, abandon_on_cancel=True)
        missing += [] if problem is None else [problem]
    if disk.cancelled_caught:
        missing.append("the data folder does not answer")
    if missing:
        raise WireError(503, missing)
    return {"status": "ready"}
