"""What every request can reach: one frozen object on `app.state.services`."""

from dataclasses import dataclass, field
from typing import Annotated, Protocol, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from bargein.clock import Clock
from bargein.server.casting import EmbeddedProviders
from bargein.server.chatting import Chats
from bargein.server.desk import Desk
from bargein.server.metrics import Metrics
from bargein.server.notices import Notices
from bargein.server.scheduling import Scheduler
from bargein.server.telephony.dialling import Dialling
from bargein.server.telephony.exchange import Exchange
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
    desk: Desk
    exchange: Exchange
    dialling: Dialling
    chats: Chats
    notices: Notices
    scheduler: Scheduler
    recordings: Recordings
    metrics: Metrics


def services_of(connection: HTTPConnection) -> Services:
    """The services of the app that got this request or socket."""
    return cast("Services", connection.app.state.services)


Reach = Annotated[Services, Depends(services_of)]
"""A route's parameter of this type gets the services."""
