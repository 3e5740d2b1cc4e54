"""How this server reaches what its owner's JSON names: servers, custom models, voices and transcribers."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import cast

import anyio
import httpx

from bargein.clock import Clock
from bargein.ports import Credentials, ProviderError, ServerError
from bargein.providers.http import new_client
from bargein.server.agents.unsupported import NOT_HERE
from bargein.settings import Settings
from bargein.webhooks.authentication import Authentication
from bargein.webhooks.guard import AddressGuard
from bargein.webhooks.oauth import Tokens
from bargein.webhooks.owner_channel import OwnerChannels, credentials_of
from bargein.webhooks.sender import Sender
from bargein.wire.base import JsonObject

_DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Signatures:
    """What proves to a call's providers who asks; None: nothing does."""

    voice: httpx.Auth | None = None
    transcriber: httpx.Auth | None = None


UNSIGNED = Signatures()


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """The way out. `outside` opens it.

    Attributes:
        guard: lets addresses pass.
        client: sends what an assistant causes, through the guard.
        authentication: finds credentials.
        switchboard: the lines of calls to their owners' servers.
    """

    guard: AddressGuard
    client: httpx.AsyncClient
    authentication: Authentication
    switchboard: OwnerChannels

    async def signatures(self, assistant: JsonObject) -> Signatures:
        """Find the credentials that an assistant's voice and transcriber name (`server.credentialId`).

        Raises:
            ProviderError: one cannot be had or used.
        """
        inline = credentials_of(assistant)
        found: dict[str, httpx.Auth | None] = {}
        for part in ("voice", "transcriber"):
            server = _object(_object(assistant.get(part)).get("server"))
            named: object = server.get("credentialId")
            try:
                found[part] = await self.authentication.find(named if isinstance(named, str) else None, inline)
            except ServerError as error:
                raise ProviderError(f"the {part}: {error}", ended_reason=NOT_HERE) from None
        return Signatures(**found)


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


@asynccontextmanager
async def open_egress(
    settings: Settings,
    clock: Clock,
    credentials: Credentials,
    delivered: Callable[[str, str], None] | None = None,
) -> AsyncGenerator[Egress]:
    """Open the way out for a server; at its end what calls were told is still sent, for some seconds.

    Args:
        settings: whether private addresses may be reached, and Vapi's org server.
        clock: the one clock.
        credentials: what proves to others who the owner is.
        delivered: see `Sender.watch`.
    """
    guard = AddressGuard(allow_private=settings.private_addresses_allowed)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(new_client(guard.transport()))
        asking = await stack.enter_async_context(new_client(guard.transport(keep_alive=False)))
        authentication = Authentication(credentials, Tokens(client, clock), clock)
        async with anyio.create_task_group() as tasks:
            server = cast("JsonObject | None", settings.webhooks.server)
            sender = Sender(client, asking, authentication)
            sender.watch = delivered or sender.watch
            switchboard = OwnerChannels(tasks, sender, clock, server)
            yield Egress(guard=guard, client=client, authentication=authentication, switchboard=switchboard)
            with anyio.CancelScope(shield=True):
                await switchboard.close(_DRAIN_S)
            tasks.cancel_scope.cancel()
