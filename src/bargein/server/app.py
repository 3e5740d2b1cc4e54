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
from bargein.server.agents.egress import open_egress
from bargein.server.agents.providers import ProviderFactory
from bargein.server.agents.tool_runners import open_tool_runners
from bargein.server.api import errors, openapi
from bargein.server.api.auth import LoopbackGuard
from bargein.server.api.cors import Cors
from bargein.server.api.errors import log_unexpected
from bargein.server.api.routes import (
    artifacts,
    assistants,
    call_socket,
    calls,
    carriers,
    chats,
    credentials,
    files,
    health,
    monitor,
    page,
    phone_numbers,
    prometheus,
    schemas,
    sessions,
    squads,
    tools,
    unsupported,
    v2,
)
from bargein.server.api.routes import carrier_socket as carrier_media
from bargein.server.api.services import Readiness, Services, Warmable
from bargein.server.calls.durable import CALL_ENDED, Durable
from bargein.server.calls.inbound import InboundResolver
from bargein.server.calls.live_calls import LiveCalls
from bargein.server.calls.owner_events import OwnerEvents
from bargein.server.calls.owner_jobs import CALL_QUEUED, SERVER_MESSAGE, OwnerJobs
from bargein.server.calls.scheduler import Scheduler
from bargein.server.chats.service import ChatService
from bargein.server.ops.metrics import Metrics
from bargein.server.telephony.call_router import PhoneCallRouter
from bargein.server.telephony.inbound import InboundPhoneCalls
from bargein.server.telephony.numbers import PhoneNumbers
from bargein.server.telephony.outbound import OutboundPhoneCalls
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
        unsupported,
    )
    for router in (
        health.router,
        *(found.router for found in resources),
        call_socket.router,
        monitor.router,
        carrier_media.router,
    ):
        app.include_router(router)
    page.install(app)
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
            providers = embedded or Embedded(clock, settings.calls.turn_model)
            stack.callback(providers.close)
            recordings, metrics = Recordings(settings.storage.data_dir), Metrics()
            way_out = await stack.enter_async_context(
                open_egress(settings, clock, store.credentials, metrics.delivered)
            )
            files = UploadedFiles(store.files, settings.storage.data_dir)
            room = await stack.enter_async_context(open_tool_runners(files, way_out, clock))
            owner_jobs = OwnerJobs(store, way_out.switchboard, clock, settings.keys.api_key)
            durable = await Durable.open(store, settings, clock)
            stack.push_async_callback(durable.close)
            provider_factory = ProviderFactory(settings, clock, client, providers, way_out)
            async with anyio.create_task_group() as tasks:
                handlers = {
                    CALL_ENDED: owner_jobs.begin,
                    CALL_QUEUED: owner_jobs.waits,
                    SERVER_MESSAGE: owner_jobs.deliver,
                }
                durable.start(tasks, handlers)
                owner_events = OwnerEvents(store, way_out.switchboard, owner_jobs)
                inbound_resolver = InboundResolver(store, way_out.switchboard, clock)
                live_calls = LiveCalls(
                    settings,
                    clock,
                    store,
                    provider_factory,
                    recordings=recordings,
                    metrics=metrics,
                    egress=way_out,
                    owner_jobs=owner_jobs,
                    records=durable.ledger,
                    inbound_resolver=inbound_resolver,
                    tool_runners=room,
                )
                records = durable.ledger
                call_router = PhoneCallRouter(
                    settings,
                    clock,
                    live_calls=live_calls,
                    inbound_calls=InboundPhoneCalls(
                        settings, store, clock, inbound_resolver=inbound_resolver, records=records, metrics=metrics
                    ),
                    lines=PhoneNumbers(store, settings),
                    owner_jobs=owner_jobs,
                    records=records,
                    metrics=metrics,
                    tasks=tasks,
                )
                outbound_calls = OutboundPhoneCalls(store, call_router, records, tasks, settings.server.public_url)
                scheduler = Scheduler(store, clock, metrics, outbound_calls.dial)
                tasks.start_soon(scheduler.run)
                tasks.start_soon(call_router.warm_up)
                for native in call_router.carriers.natives():
                    tasks.start_soon(native.run, call_router)
                app.state.services = Services(
                    settings=settings,
                    clock=clock,
                    store=store,
                    embedded=embedded,
                    readiness=readiness,
                    live_calls=live_calls,
                    call_router=call_router,
                    outbound_calls=outbound_calls,
                    chats=ChatService(
                        clock,
                        store,
                        provider_factory,
                        switchboard=way_out.switchboard,
                        tool_runners=room,
                        owner_events=owner_events,
                    ),
                    owner_events=owner_events,
                    scheduler=scheduler,
                    recordings=recordings,
                    metrics=metrics,
                )
                if embedded is not None:
                    readiness.missing[_EMBEDDED] = "still loading"
                    tasks.start_soon(_warm_up, embedded, readiness)
                yield
                await call_router.close()
                await durable.settle(_SETTLE_S)
                tasks.cancel_scope.cancel()

    return lifespan


async def _opened(app: FastAPI, settings: Settings, clock: Clock) -> Store:
    """Open the store; a database that starts beside this server is waited for."""
    path = settings.storage.data_dir / DATABASE
    until_ms = clock.monotonic_ms() + settings.storage.database_wait_s * 1000
    while True:
        try:
            return await Store.open(
                path, clock, url=settings.storage.database_url, secret_keys=settings.keys.secret_keys
            )
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
