"""The stored credentials that an assistant's providers use."""

from collections.abc import Mapping

from bargein.store import Query, Store
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none, as_objects, as_strings

ProviderCredentials = Mapping[str, JsonObject]
"""Provider -> the credential for it, with its secrets."""

_PARTS = ("model", "voice", "transcriber")


async def credentials_for(assistant_json: JsonObject, store: Store) -> ProviderCredentials:
    """Return the credentials for the providers that an assistant names.

    By precedence, as with Vapi: the assistant's own (`credentials`), the stored ones that it names (`credentialIds`),
    the newest stored one of the provider.
    """
    parts = [as_object_or_none(assistant_json.get(name)) for name in _PARTS]
    wanted = {str(part.get("provider")) for part in parts if part is not None}
    named = [await store.credentials.find(one) for one in as_strings(assistant_json.get("credentialIds"))]
    found: dict[str, JsonObject] = {}
    for credential in (*as_objects(assistant_json.get("credentials")), *named):
        if credential is not None and (provider := str(credential.get("provider"))) in wanted:
            found.setdefault(provider, credential)
    for provider in wanted - found.keys():
        for credential in await store.credentials.list(Query(limit=1, where={"provider": provider})):
            found[provider] = credential
    return found
