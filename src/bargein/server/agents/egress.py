"""Requests to the servers that an assistant's JSON names: owners' servers, custom models, voices and transcribers."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, cast

import anyio
import httpx

from bargein.clock import Clock
from bargein.http_client import new_client
from bargein.ports import Credentials, ProviderError, ServerError
from bargein.providers.interface import CANNOT_START
from bargein.server.agents.parts import fallbacks_of
from bargein.settings import Settings
from bargein.webhooks.authentication import Authentication
from bargein.webhooks.guard import AddressGuard
from bargein.webhooks.oauth import Tokens
from bargein.webhooks.owner_channel import OwnerChannels, credentials_of
from bargein.webhooks.sender import Sender
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object

_DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ProviderAuth:
    """The HTTP authentication of requests to an assistant's custom voice and transcriber; None: none.

    Attributes:
        voice: that of the voice.
        transcriber: that of the transcriber.
        fallbacks: those of the entries of a part's fallback plan, in order; an error: its credential cannot be used.
    """

    voice: httpx.Auth | None = None
    transcriber: httpx.Auth | None = None
    fallbacks: Mapping[str, tuple[httpx.Auth | ProviderError | None, ...]] = field(
        default_factory=dict[str, "tuple[httpx.Auth | ProviderError | None, ...]"]
    )


NO_AUTH = ProviderAuth()


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """The HTTP clients and the guard for servers that an owner's JSON names. `open_egress` opens it.

    Attributes:
        guard: refuses addresses of private networks, unless the settings allow them.
        client: the HTTP client for requests that an assistant causes; it connects through the guard.
        authentication: finds the credentials of requests.
        owner_channels: the channels of calls and chats to their owners' servers.
    """

    guard: AddressGuard
    client: httpx.AsyncClient
    authentication: Authentication
    owner_channels: OwnerChannels

    async def provider_auth(self, assistant_json: JsonObject) -> ProviderAuth:
        """Find the credentials that an assistant's voice and transcriber name (`server.credentialId`).

        Raises:
            ProviderError: a credential does not exist, or cannot be used.
        """
        inline = credentials_of(assistant_json)
        found: dict[str, httpx.Auth | None] = {}
        fallbacks: dict[str, tuple[httpx.Auth | ProviderError | None, ...]] = {}
        names: tuple[Literal["voice", "transcriber"], ...] = ("voice", "transcriber")
        for name in names:
            part = as_object(assistant_json.get(name))
            auth = await self._auth_of(name, part, inline)
            if isinstance(auth, ProviderError):
                raise auth
            found[name] = auth
            entries = [entry.given for entry in fallbacks_of(name, part)]
            fallbacks[name] = tuple([await self._auth_of(name, entry, inline) for entry in entries])
        return ProviderAuth(**found, fallbacks=fallbacks)

    async def _auth_of(
        self, name: str, part: JsonObject, inline: Sequence[JsonObject]
    ) -> httpx.Auth | ProviderError | None:
        try:
            return await self.authentication.find(as_object(part.get("server")), inline)
        except ServerError as error:
            return ProviderError(f"the {name}: {error}", ended_reason=CANNOT_START)


@asynccontextmanager
async def open_egress(
    settings: Settings,
    clock: Clock,
    credentials: Credentials,
    delivered: Callable[[str, str], None] | None = None,
) -> AsyncGenerator[Egress]:
    """Open the egress of a server. At its end, messages that wait for owners' servers are sent for some seconds.

    Args:
        settings: whether private addresses may be reached, and Vapi's org server.
        clock: the time.
        credentials: the stored credentials.
        delivered: called for each message to an owner's server, as `Sender.watch`.
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
            owner_channels = OwnerChannels(tasks, sender, clock, server)
            yield Egress(guard=guard, client=client, authentication=authentication, owner_channels=owner_channels)
            with anyio.CancelScope(shield=True):
                await owner_channels.close(_DRAIN_S)
            tasks.cancel_scope.cancel()
