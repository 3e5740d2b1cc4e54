"""Requests of tools to addresses that an assistant's JSON names: guarded, and authenticated by a credential."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from bargein.ports import ServerError
from bargein.webhooks.authentication import Authentication
from bargein.webhooks.encryption import encrypted
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list


@dataclass(frozen=True, slots=True)
class Outbound:
    """The client and the credentials of a call's tools.

    Attributes:
        client: refuses addresses that the settings do not allow (`bargein.webhooks.guard`), and follows no redirect.
        authentication: finds credentials.
        inline: credentials that the call's assistant defines itself (`assistant.credentials`).
    """

    client: httpx.AsyncClient
    authentication: Authentication
    inline: Sequence[JsonObject] = field(default=(), repr=False)

    async def auth(self, settings: JsonObject) -> httpx.Auth | None:
        """Return the authentication that a tool's or server's `credentialId` names; None if it has none.

        Raises:
            ServerError: the credential cannot be found or used.
        """
        return await self.authentication.find(settings, self.inline)

    async def encrypted(self, settings: JsonObject, body: JsonObject) -> JsonObject:
        """Return a body in which the values at `encryptedPaths` are encrypted with the credential's public key.

        Raises:
            ServerError: they cannot be encrypted; the request must then not be sent.
        """
        paths = as_list(settings.get("encryptedPaths"))
        if not paths:
            return body
        credential = await self.authentication.credential(settings, self.inline)
        if credential is None or credential.encryption_plan is None:
            raise ServerError("encryptedPaths needs a credential with an encryptionPlan", reason="invalid")
        return encrypted(body, map(str, paths), credential.encryption_plan)
