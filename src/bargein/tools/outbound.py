"""The way out to addresses that an assistant's JSON names."""

from typing import Protocol

import httpx

from bargein.wire.base import JsonObject


class Outbound(Protocol):
    """Sends what tools send, and proves who is asking."""

    @property
    def client(self) -> httpx.AsyncClient:
        """Refuses addresses that the settings do not allow, with an `httpx.TransportError`; follows no redirect."""
        ...

    async def authentication(self, server: JsonObject) -> httpx.Auth | None:
        """What goes with each request to a server: by its `credentialId` or its `secret`; None if it has neither.

        Args:
            server: Vapi's JSON of a server, or a tool with a `credentialId`.

        Raises:
            ToolError: there is no such credential, or it is of no use here.
        """
        ...
