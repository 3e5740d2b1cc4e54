"""What every request can reach: one frozen object on `app.state.services`."""

from dataclasses import dataclass, field
from typing import Annotated, Protocol, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from bargein.clock import Clock
from bargein.server.agents.providers import EmbeddedProviders
from bargein.server.calls.live_calls import LiveCalls
from bargein.server.calls.owner_events import OwnerEvents
from bargein.server.calls.scheduler import Scheduler
from bargein.server.chats.service import ChatService
from bargein.server.ops.metrics import Metrics
from bargein.server.telephony.call_router import PhoneCallRouter
from bargein.server.telephony.outbound import OutboundPhoneCalls
from bargein.settings import Settings
from bargein.store import Store
from bargein.store.recordings import Recordings


class Warmable(EmbeddedProviders, Protocol):
    """Embedded providers, which take a while to load."""

    async def warm_up(self) -> None:
        """Load everything.

        Raises:
            ProviderError: something is missing or broken.
        """
        ...

    def close(self) -> None:
        """Let go of what was loaded."""
        ...


@dataclass(slots=True)
class Readiness:
    """What still keeps the server from taking calls: name -> what is the matter."""

    missing: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of the running server.

    Attributes:
        settings: what a person has set.
        clock: the one clock.
        store: assistants and calls.
        embedded: the models inside the package; None where the server was made without.
        readiness: what `/ready` tells.
        desk: the live calls.
        exchange: the telephone calls.
        dialling: places them.
        chats: the text conversations.
        notices: tell owners' servers of records that come and go.
        scheduler: queues calls when their time has come.
        recordings: what was recorded of calls.
        metrics: what Prometheus is told.
    """

    settings: Settings
    clock: Clock
    store: Store
    embedded: Warmable | None
    readiness: Readiness
    live_calls: LiveCalls
    call_router: PhoneCallRouter
    outbound_calls: OutboundPhoneCalls
    chats: ChatService
    owner_events: OwnerEvents
    scheduler: Scheduler
    recordings: Recordings
    metrics: Metrics


def services_of(connection: HTTPConnection) -> Services:
    """The services of the app that got this request or socket."""
    return cast("Services", connection.app.state.services)


Reach = Annotated[Services, Depends(services_of)]
"""A route's parameter of this type gets the services."""
