"""The composition root: here the parts of the server meet."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import anyio
import structlog
from fastapi import FastAPI

from bargein import __version__
from bargein.clock import Clock, LoopClock
from bargein.ports import ProviderError, StoreError, StoreFullError
from bargein.providers.embedded import Embedded
from bargein.providers.http import new_client
from bargein.server import errors, media, monitor, openapi, pages
from bargein.server.auth import LoopbackGuard
from bargein.server.casting import Casting
from bargein.server.chatting import Chats
from bargein.server.cors import Cors
from bargein.server.desk import Desk
from bargein.server.durable import CALL_ENDED, Durable
from bargein.server.errors import log_unexpected
from bargein.server.inbound import Reception
from bargein.server.metrics import Metrics
from bargein.server.notices import Notices
from bargein.server.outside import outside
from bargein.server.reporting import CALL_QUEUED, SERVER_MESSAGE, Reporting
from bargein.server.routes import (
    absent,
    artifacts,
    assistants,
    calls,
    carriers,
    chats,
    credentials,
    files,
    health,
    phone_numbers,
    prometheus,
    schemas,
    sessions,
    squads,
    tools,
    v2,
)
from bargein.server.scheduling import Scheduler
from bargein.server.services import Readiness, Services, Warmable
from bargein.server.telephony import media as carrier_media
from bargein.server.telephony.arrivals import Arrivals
from bargein.server.telephony.dialling import Dialling
from bargein.server.telephony.exchange import Exchange
from bargein.server.telephony.lines import Lines
from bargein.server.toolroom import toolroom
from bargein.settings import Settings
from bargein.store import Store
from bargein.store.files import UploadedFiles
from bargein.store.recordings import Recordings

__all__ = ["Services", "create_app"]

_log = structlog.get_logger("bargein.server")

DATABASE = "bargein.db"
_EMBEDDED = "embedded providers"
_SETTLE_S = 3.0


def create_app(settings: Settings, *, clock: Clock | None = None, embedded: Warmable | None = None) -> FastAPI:
    """Put the server together. Nothing is opened before its lifespan begins.

    Args:
        settings: what a person has set.
        clock: the one clock; the running loop's if not given.
        embedded: the models inside the package; they are loaded while the server listens already.
    """
    app = FastAPI(
        title="bargein",
        version=__version__,
        lifespan=_lifespan(settings, clock or LoopClock(), embedded),
        docs_url=None,  # these pages load their code from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    # the last one added is the outermost
    app.add_middleware(Cors, settings=settings)
    errors.install(app)
    if settings.open_to_loopback_only:
        app.add_middleware(LoopbackGuard)
    resources = (
        assistants,
        artifacts,
        calls,
        carriers,
        chats,
        credentials,
        files,
        sessions,
        squads,
        phone_numbers,
        tools,
        v2,
        schemas,
        prometheus,
        absent,
    )
    for router in (
        health.router,
        *(found.router for found in resources),
        media.router,
        monitor.router,
        carrier_media.router,
    ):
        app.include_router(router)
    pages.install(app)
    openapi.install(app)
    return app


def _lifespan(
    settings: Settings, clock: Clock, embedded: Warmable | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        readiness = Readiness()
        async with AsyncExitStack() as stack:
            store = await _opened(app, settings, clock)
            stack.push_async_callback(_shielded, store.close)
            client = await stack.enter_async_context(new_client())
            providers = embedded or Embedded(clock, settings.turn_model)
            stack.callback(providers.close)
            recordings, metrics = Recordings(settings.data_dir), Metrics()
            way_out = await stack.enter_async_context(outside(settings, clock, store.credentials, metrics.delivered))
            files = UploadedFiles(store.files, settings.data_dir)
            room = await stack.enter_async_context(toolroom(files, way_out, clock))
            reporting = Reporting(store, way_out.switchboard, clock, settings.api_key)
            durable = await Durable.open(store, settings, clock)
            stack.push_async_callback(durable.close)
            casting = Casting(settings, clock, client, providers, way_out)
            async with anyio.create_task_group() as tasks:
                handlers = {
                    CALL_ENDED: reporting.begin,
                    CALL_QUEUED: reporting.waits,
                    SERVER_MESSAGE: reporting.deliver,
                }
                durable.start(tasks, handlers)
                notices = Notices(store, way_out.switchboard, reporting)
                reception = Reception(store, way_out.switchboard, clock)
                desk = Desk(
                    settings,
                    clock,
                    store,
                    casting,
                    recordings=recordings,
                    metrics=metrics,
                    outside=way_out,
                    reporting=reporting,
                    records=durable.ledger,
                    reception=reception,
                    toolroom=room,
                )
                records = durable.ledger
                exchange = Exchange(
                    settings,
                    clock,
                    desk=desk,
                    arrivals=Arrivals(settings, store, clock, reception=reception, records=records, metrics=metrics),
                    lines=Lines(store, settings),
                    reporting=reporting,
                    records=records,
                    metrics=metrics,
                    tasks=tasks,
                )
                dialling = Dialling(store, exchange, records, tasks, settings.public_url)
                scheduler = Scheduler(store, clock, metrics, dialling.dial)
                tasks.start_soon(scheduler.run)
                tasks.start_soon(exchange.warm_up)
                for native in exchange.carriers.natives():
                    tasks.start_soon(native.run, exchange)
                app.state.services = Services(
                    settings=settings,
                    clock=clock,
                    store=store,
                    embedded=embedded,
                    readiness=readiness,
                    desk=desk,
                    exchange=exchange,
                    dialling=dialling,
                    chats=Chats(clock, store, casting, switchboard=way_out.switchboard, toolroom=room, notices=notices),
                    notices=notices,
                    scheduler=scheduler,
                    recordings=recordings,
                    metrics=metrics,
                )
                if embedded is not None:
                    readiness.missing[_EMBEDDED] = "still loading"
                    tasks.start_soon(_warm_up, embedded, readiness)
                yield
                await exchange.close()
                await durable.settle(_SETTLE_S)
                tasks.cancel_scope.cancel()

    return lifespan


async def _opened(app: FastAPI, settings: Settings, clock: Clock) -> Store:
    """Open the store; a database that starts beside this server is waited for."""
    path = settings.data_dir / DATABASE
    until_ms = clock.monotonic_ms() + settings.database_wait_s * 1000
    while True:
        try:
            return await Store.open(path, clock, url=settings.database_url, secret_keys=settings.secret_keys)
        except StoreError as error:
            if isinstance(error, StoreFullError) or clock.monotonic_ms() > until_ms:
                app.state.start_error = str(error)
                raise
            _log.warning("waiting for the database", reason=str(error))
            await anyio.sleep(1)


async def _shielded(close: Callable[[], Awaitable[None]]) -> None:
    with anyio.CancelScope(shield=True):
        await close()


async def _warm_up(embedded: Warmable, readiness: Readiness) -> None:
    try:
        await embedded.warm_up()
    except ProviderError as error:
        # calls that bring their own providers still work; /ready and the log say what does not
        readiness.missing[_EMBEDDED] = str(error)
        _log.error("embedded providers failed to load", reason=str(error))
    except Exception as error:  # noqa: BLE001  # whatever a model's library raises: the rest of the server goes on
        readiness.missing[_EMBEDDED] = "failed to load"
        log_unexpected(error, during="warm-up")
    else:
        del readiness.missing[_EMBEDDED]
        _log.info("embedded providers are ready")
