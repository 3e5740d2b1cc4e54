"""The way out to addresses that an assistant's JSON names: guarded, and signed by the credential that it names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import httpx

from bargein.ports import ServerError
from bargein.webhooks.authentication import Authentication
from bargein.webhooks.encryption import encrypted
from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True)
class Outbound:
    """How the tools of a call reach servers.

    Attributes:
        client: refuses addresses that the settings do not allow (`bargein.webhooks.guard`), and follows no redirect.
        authentication: finds credentials.
        inline: those that the call's assistant brings along (`assistant.credentials`).
    """

    client: httpx.AsyncClient
    authentication: Authentication
    inline: Sequence[JsonObject] = field(default=(), repr=False)

    async def auth(self, settings: JsonObject) -> httpx.Auth | None:
        """What signs the requests of a tool or a server, by its `credentialId`; None if it has none.

        Raises:
            ServerError: the credential cannot be had or used.
        """
        named: object = settings.get("credentialId")
        return await self.authentication.find(named if isinstance(named, str) else None, self.inline)

    async def sealed(self, settings: JsonObject, body: JsonObject) -> JsonObject:
        """A body in which what `encryptedPaths` names can be read by the credential's owner alone.

        Raises:
            ServerError: that cannot be done; in the clear it must not be sent.
        """
        paths: object = settings.get("encryptedPaths")
        if not isinstance(paths, list) or not paths:
            return body
        named: object = settings.get("credentialId")
        credential = await self.authentication.credential(named, self.inline) if isinstance(named, str) else None
        if credential is None or credential.encryption_plan is None:
            raise ServerError("encryptedPaths needs a credential with an encryptionPlan", reason="invalid")
        return encrypted(body, map(str, cast("list[object]", paths)), credential.encryption_plan)
