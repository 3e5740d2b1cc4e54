"""The lifespan of the app: opens the database, builds the parts of the server and starts its background tasks."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import anyio
import structlog
from anyio.abc import TaskGroup
from fastapi import FastAPI

from bargein.clock import Clock
from bargein.errors import BargeinError
from bargein.fleet.jobs import LONG_JOBS, Handler, WorkerLimits
from bargein.http_client import new_client
from bargein.ports import ProviderError, StoreUnavailableError
from bargein.providers.registry import open_embedded
from bargein.server.agents.assemble import AgentAssembler
from bargein.server.agents.egress import Egress, open_egress
from bargein.server.agents.providers import ProviderFactory
from bargein.server.agents.tool_runners import open_tool_runners
from bargein.server.analysis.analyst import Analyst
from bargein.server.api.errors import log_unexpected
from bargein.server.api.rate_limits import RateLimits
from bargein.server.api.services import Readiness, Services, Warmable
from bargein.server.calls.analysis_jobs import CALL_ANALYSIS, STRUCTURED_OUTPUT, AnalysisJobs
from bargein.server.calls.creation import CallCreation
from bargein.server.calls.durable import Durable
from bargein.server.calls.inbound import InboundCalls, InboundResolver
from bargein.server.calls.langfuse import TRACE, LangfuseTraces
from bargein.server.calls.live_calls import LiveCalls
from bargein.server.calls.owner_events import OwnerEvents
from bargein.server.calls.owner_jobs import CALL_ENDED, CALL_QUEUED, SERVER_MESSAGE, OwnerJobs
from bargein.server.calls.prices import read_prices
from bargein.server.calls.private_calls import PrivateCallMemory
from bargein.server.calls.scheduler import Scheduler
from bargein.server.chats.service import ChatService
from bargein.server.evals.runs import EVAL_RUN, EvalRuns
from bargein.server.ops.metrics import Metrics
from bargein.server.simulations.evaluator import Evaluator
from bargein.server.simulations.items import SimulationRunner
from bargein.server.simulations.runs import SIMULATION_ITEM, SIMULATION_LIMITS, SimulationRuns
from bargein.server.simulations.suggestions import Suggestions
from bargein.server.telephony.call_router import PhoneCallRouter
from bargein.server.telephony.inbound import InboundPhoneCalls
from bargein.server.telephony.numbers import PhoneNumbers
from bargein.server.telephony.outbound import OutboundPhoneCalls
from bargein.server.telephony.outbound_requests import OutboundRequests
from bargein.settings import Settings
from bargein.store import Store
from bargein.store.files import UploadedFiles
from bargein.store.opening import folder_error
from bargein.store.recordings import Recordings
from bargein.wire.prices import Prices

_log = structlog.get_logger("bargein.server")

DATABASE = "bargein.db"
"""The name of the SQLite database in the data folder."""

_EMBEDDED = "embedded providers"
_SETTLE_S = 3.0
"""The time limit for pending writes when the server stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """The parts that are opened when the server starts and closed when it stops."""

    settings: Settings
    clock: Clock
    store: Store
    recordings: Recordings
    metrics: Metrics
    egress: Egress
    durable: Durable
    owner_jobs: OwnerJobs
    private_calls: PrivateCallMemory
    assembler: AgentAssembler
    prices: Prices | None
    analyst: Analyst
    analysis_jobs: AnalysisJobs


def lifespan_of(
    settings: Settings, clock: Clock, embedded: Warmable | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan of an app.

    Args:
        settings: the settings.
        clock: the clock of all parts.
        embedded: the embedded models, which are loaded in the background.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            with _start_errors(app, settings):
                store = await _open_store(settings, clock)
                stack.push_async_callback(_shielded, store.close)
                opened = await _open(stack, settings, clock, store, embedded)
            async with anyio.create_task_group() as tasks:
                services = _start(opened, tasks, embedded)
                app.state.services = services
                yield
                await services.call_router.close()
                await opened.durable.settle(_SETTLE_S)
                tasks.cancel_scope.cancel()

    return lifespan


@contextmanager
def _start_errors(app: FastAPI, settings: Settings) -> Generator[None]:
    """Keep the reason why the server cannot start for the one who starts it (`bargein.server.serving.serve`)."""
    try:
        yield
    except BargeinError as error:
        app.state.start_error = str(error)
        raise
    except OSError as error:
        app.state.start_error = folder_error(error, settings.storage.data_dir)
        raise


async def _open_store(settings: Settings, clock: Clock) -> Store:
    """Open the store; wait for a database that is starting."""
    path = settings.storage.data_dir / DATABASE
    until_ms = clock.monotonic_ms() + settings.storage.database_wait_s * 1000
    while True:
        try:
            return await Store.open(
                path, clock, url=settings.storage.database_url, secret_keys=settings.keys.secret_keys
            )
        except StoreUnavailableError as error:
            if clock.monotonic_ms() > until_ms:
                raise
            _log.warning("waiting for the database", reason=str(error))
            await anyio.sleep(1)


async def _open(
    stack: AsyncExitStack, settings: Settings, clock: Clock, store: Store, embedded: Warmable | None
) -> _Opened:
    client = await stack.enter_async_context(new_client())
    providers = embedded or open_embedded(clock, settings.calls.turn_model)
    stack.callback(providers.close)
    metrics = Metrics()
    egress = await stack.enter_async_context(open_egress(settings, clock, store.credentials, metrics.delivered))
    files = UploadedFiles(store.files, settings.storage.data_dir)
    runners = open_tool_runners(files, egress, clock, settings.calls.code_runtime)
    tool_runners = await stack.enter_async_context(runners)
    provider_factory = ProviderFactory(settings, clock, client, providers, egress)
    private_calls = PrivateCallMemory()
    prices = await anyio.to_thread.run_sync(read_prices, settings.calls.prices)
    analyses_all = settings.calls.analyze_all
    owner_jobs = OwnerJobs(
        store, egress.owner_channels, clock, settings.keys.api_key, private_calls, analyses_all=analyses_all
    )
    analyst = Analyst(store, clock, provider_factory)
    analysis_jobs = AnalysisJobs(
        store,
        analyst,
        owner_jobs,
        private_calls,
        data_dir=settings.storage.data_dir,
        clock=clock,
        always=analyses_all,
    )
    durable = await Durable.open(store, settings, clock, prices)
    stack.push_async_callback(durable.close)
    return _Opened(
        settings=settings,
        clock=clock,
        store=store,
        recordings=Recordings(settings.storage.data_dir),
        metrics=metrics,
        egress=egress,
        durable=durable,
        owner_jobs=owner_jobs,
        analyst=analyst,
        analysis_jobs=analysis_jobs,
        private_calls=private_calls,
        assembler=AgentAssembler(store, clock, provider_factory, egress, tool_runners),
        prices=prices,
    )


def _start(opened: _Opened, tasks: TaskGroup, embedded: Warmable | None) -> Services:
    """Build the parts that work in the background and start their tasks."""
    store, clock, egress = opened.store, opened.clock, opened.egress
    owner_events = OwnerEvents(store, egress.owner_channels, opened.owner_jobs)
    inbound_resolver = InboundResolver(store, egress.owner_channels, clock)
    live_calls = _live_calls(opened)
    call_router = _call_router(opened, live_calls, inbound_resolver, tasks)
    outbound_calls = OutboundPhoneCalls(
        store, call_router, opened.durable.ledger, tasks, opened.settings.server.public_url
    )
    scheduler = Scheduler(store, clock, opened.metrics, outbound_calls.dial)
    phone_requests = OutboundRequests(store, call_router.carriers, outbound_calls.dial)
    call_creation = CallCreation(store, clock, scheduler, phone_requests, join_s=opened.settings.limits.join_s)
    chats = ChatService(clock, store, opened.assembler, owner_events)
    eval_runs = EvalRuns(store, clock, opened.assembler, opened.prices)
    evaluator = Evaluator(store, clock, opened.analyst)
    simulations = SimulationRunner(store, clock, opened.assembler, call_creation, live_calls, chats, evaluator)
    simulation_runs = SimulationRuns(store, clock, simulations, egress.owner_channels)
    opened.durable.start(tasks, _jobs(opened), _long_jobs(opened, eval_runs, simulation_runs))
    return Services(
        settings=opened.settings,
        clock=clock,
        store=store,
        embedded=embedded,
        readiness=_start_tasks(tasks, scheduler, call_router, embedded),
        call_creation=call_creation,
        inbound_calls=InboundCalls(inbound_resolver, opened.durable.ledger, opened.metrics, opened.owner_jobs),
        live_calls=live_calls,
        call_router=call_router,
        chats=chats,
        eval_runs=eval_runs,
        simulation_runs=simulation_runs,
        suggestions=Suggestions(simulations),
        owner_events=owner_events,
        analysis_jobs=opened.analysis_jobs,
        scheduler=scheduler,
        recordings=opened.recordings,
        metrics=opened.metrics,
        rate_limits=RateLimits(opened.settings.limits),
    )


def _jobs(opened: _Opened) -> Mapping[str, Handler]:
    """Return the handlers of the jobs that are done in seconds."""
    owner_jobs, traces = (
        opened.owner_jobs,
        LangfuseTraces(opened.store, opened.settings.storage.data_dir, opened.egress.client, opened.clock),
    )
    return {
        CALL_ENDED: owner_jobs.submit_ended,
        CALL_QUEUED: owner_jobs.send_waiting,
        SERVER_MESSAGE: owner_jobs.deliver,
        TRACE: traces.send,
    }


def _long_jobs(
    opened: _Opened, eval_runs: EvalRuns, simulation_runs: SimulationRuns
) -> Sequence[tuple[WorkerLimits, Mapping[str, Handler]]]:
    """Return the handlers of the jobs that run for minutes, in groups that do not wait for each other."""
    jobs = {
        EVAL_RUN: eval_runs.play,
        CALL_ANALYSIS: opened.analysis_jobs.analyse,
        STRUCTURED_OUTPUT: opened.analysis_jobs.rerun,
    }
    return (LONG_JOBS, jobs), (SIMULATION_LIMITS, {SIMULATION_ITEM: simulation_runs.do})


def _start_tasks(
    tasks: TaskGroup, scheduler: Scheduler, call_router: PhoneCallRouter, embedded: Warmable | None
) -> Readiness:
    """Start the tasks beside the jobs, and return what is not ready yet."""
    tasks.start_soon(scheduler.run)
    tasks.start_soon(call_router.warm_up)
    for native in call_router.carriers.natives():
        tasks.start_soon(native.run, call_router)
    readiness = Readiness()
    if embedded is not None:
        readiness.missing[_EMBEDDED] = "still loading"
        tasks.start_soon(_warm_up, embedded, readiness)
    return readiness


def _live_calls(opened: _Opened) -> LiveCalls:
    return LiveCalls(
        opened.settings,
        opened.clock,
        opened.store,
        opened.assembler,
        recordings=opened.recordings,
        metrics=opened.metrics,
        owner_channels=opened.egress.owner_channels,
        records=opened.durable.ledger,
        private_calls=opened.private_calls,
        prices=opened.prices,
    )


def _call_router(
    opened: _Opened, live_calls: LiveCalls, inbound_resolver: InboundResolver, tasks: TaskGroup
) -> PhoneCallRouter:
    settings, store, clock = opened.settings, opened.store, opened.clock
    records, metrics = opened.durable.ledger, opened.metrics
    return PhoneCallRouter(
        settings,
        clock,
        live_calls=live_calls,
        inbound_calls=InboundPhoneCalls(
            settings, store, clock, inbound_resolver=inbound_resolver, records=records, metrics=metrics
        ),
        phone_numbers=PhoneNumbers(store, settings),
        owner_jobs=opened.owner_jobs,
        records=records,
        metrics=metrics,
        tasks=tasks,
    )


async def _shielded(close: Callable[[], Awaitable[None]]) -> None:
    with anyio.CancelScope(shield=True):
        await close()


async def _warm_up(embedded: Warmable, readiness: Readiness) -> None:
    try:
        await embedded.warm_up()
    except ProviderError as error:
        # calls with other providers still work; GET /ready and the log have the reason
        readiness.missing[_EMBEDDED] = str(error)
        _log.error("embedded providers failed to load", reason=str(error))
    except Exception as error:  # noqa: BLE001  # any error of a model's library: the rest of the server goes on
        readiness.missing[_EMBEDDED] = "failed to load"
        log_unexpected(error, during="warm-up")
    else:
        del readiness.missing[_EMBEDDED]
        _log.info("embedded providers are ready")
