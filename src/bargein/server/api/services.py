"""The parts of the server that requests use, as one frozen object on `app.state.services`."""

from dataclasses import dataclass, field
from typing import Annotated, Protocol, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from bargein.clock import Clock
from bargein.providers.interface import EmbeddedProviders
from bargein.server.api.rate_limits import RateLimits
from bargein.server.calls.analysis_jobs import AnalysisJobs
from bargein.server.calls.creation import CallCreation
from bargein.server.calls.inbound import InboundCalls
from bargein.server.calls.live_calls import LiveCalls
from bargein.server.calls.owner_events import OwnerEvents
from bargein.server.calls.scheduler import Scheduler
from bargein.server.chats.service import ChatService
from bargein.server.evals.runs import EvalRuns
from bargein.server.ops.metrics import Metrics
from bargein.server.simulations.runs import SimulationRuns
from bargein.server.simulations.suggestions import Suggestions
from bargein.server.telephony.call_router import PhoneCallRouter
from bargein.settings import Settings
from bargein.store import Store
from bargein.store.recordings import Recordings


class Warmable(EmbeddedProviders, Protocol):
    """Embedded providers, whose models take seconds to load."""

    async def warm_up(self) -> None:
        """Load all models.

        Raises:
            ProviderError: a model is missing or broken.
        """
        ...

    def close(self) -> None:
        """Release the models."""
        ...


@dataclass(slots=True)
class Readiness:
    """The reasons why the server cannot take calls yet.

    Attributes:
        missing: name of a part -> the reason.
    """

    missing: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of the running server.

    Attributes:
        settings: the settings.
        clock: the clock that all parts share.
        store: the database.
        embedded: the embedded models; None if the server was created without them.
        readiness: the reasons that `GET /ready` returns.
        call_creation: creates calls.
        inbound_calls: finds the assistants of calls that ring over a socket.
        live_calls: the live calls.
        call_router: the telephone calls.
        chats: answers chats.
        eval_runs: begins runs of evals.
        analysis_jobs: analyses calls that are over.
        simulation_runs: begins and cancels runs of simulations.
        suggestions: asks models for scenarios and improvements.
        owner_events: notifies owners' servers when records are created, changed or deleted.
        scheduler: starts scheduled calls.
        recordings: the recordings of calls.
        metrics: the metrics for Prometheus.
        rate_limits: the limits of the public key and of wrong keys.
    """

    settings: Settings
    clock: Clock
    store: Store
    embedded: Warmable | None
    readiness: Readiness
    call_creation: CallCreation
    inbound_calls: InboundCalls
    live_calls: LiveCalls
    call_router: PhoneCallRouter
    chats: ChatService
    eval_runs: EvalRuns
    simulation_runs: SimulationRuns
    suggestions: Suggestions
    owner_events: OwnerEvents
    analysis_jobs: AnalysisJobs
    scheduler: Scheduler
    recordings: Recordings
    metrics: Metrics
    rate_limits: RateLimits


def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the app that received this request or socket."""
    return cast("Services", connection.app.state.services)


ServicesDep = Annotated[Services, Depends(services_of)]
"""The type of a route's parameter that gets the services."""
