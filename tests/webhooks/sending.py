"""A real sender for tests: HTTP clients behind an address guard, and credentials."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from bargein.clock import LoopClock
from bargein.http_client import new_client
from bargein.webhooks.authentication import Authentication
from bargein.webhooks.guard import AddressGuard
from bargein.webhooks.oauth import Tokens
from bargein.webhooks.sender import Sender


class StoredCredentials:
    """Credentials in memory, with the interface of the store's."""

    def __init__(self, **credentials: dict[str, Any]) -> None:
        self._credentials = credentials

    async def find(self, credential_id: str) -> dict[str, Any] | None:
        return self._credentials.get(credential_id)


@dataclass
class Sending:
    """The parts that send requests."""

    sender: Sender
    authentication: Authentication
    client: httpx.AsyncClient


@asynccontextmanager
async def sending(*, allow_private: bool = True, **credentials: dict[str, Any]) -> AsyncIterator[Sending]:
    """Yield a sender whose credentials are the given ones, by their ids."""
    guard = AddressGuard(allow_private=allow_private)
    async with (
        new_client(guard.transport(), timeout_s=30) as client,
        new_client(guard.transport(keep_alive=False), timeout_s=30) as asking,
    ):
        clock = LoopClock()
        authentication = Authentication(StoredCredentials(**credentials), Tokens(client, clock), clock)
        yield Sending(Sender(client, asking, authentication), authentication, client)


def plan(**fields: Any) -> dict[str, Any]:
    return {"provider": "custom-credential", "authenticationPlan": fields}
