"""The stored credentials that an assistant's providers use."""

from collections.abc import Mapping, Sequence

from bargein.server.agents.parts import parts_of
from bargein.store import Query, Store
from bargein.wire.base import JsonObject
from bargein.wire.json import as_objects, as_string, as_strings
from bargein.wire.ownership import has_address, is_callers, leads_to_caller

ProviderCredentials = Mapping[str, JsonObject]
"""Provider -> the credential for it, with its secrets."""


async def credentials_for(assistant_json: JsonObject, store: Store | None) -> ProviderCredentials:
    """Return the credentials for the providers of an assistant and its fallbacks.

    The rule is that of `bargein.wire.ownership`. By precedence, as with Vapi: the assistant's own (`credentials`), the
    stored ones that it names (`credentialIds`), the newest stored one of the provider. A provider at a caller's address
    gets a caller's own alone, one at an owner's address the owner's alone; a fallback at a caller's address gets none.
    Without a store there are no stored ones.
    """
    found: dict[str, JsonObject] = {}
    for one in parts_of(assistant_json):
        part = one.given
        if one.is_fallback and (one.provider in found or leads_to_caller(part)):
            continue
        provider = as_string(part.get("provider"))
        if provider is None:
            continue
        credential = _inline(part, as_objects(assistant_json.get("credentials")), provider)
        if credential is None and store is not None and not leads_to_caller(part):
            credential = await _stored(assistant_json, store, provider)
        if credential is not None:
            found[provider] = credential
    return found


def _inline(part: JsonObject, given: Sequence[JsonObject], provider: str) -> JsonObject | None:
    usable = [one for one in given if not has_address(part) or is_callers(one) == leads_to_caller(part)]
    return next((one for one in usable if one.get("provider") == provider), None)


async def _stored(assistant_json: JsonObject, store: Store, provider: str) -> JsonObject | None:
    """Return the stored credential for a provider; those that a caller's assistant names do not count."""
    for name in () if is_callers(assistant_json) else as_strings(assistant_json.get("credentialIds")):
        named = await store.credentials.find(name)
        if named is not None and named.get("provider") == provider:
            return named
    return next(iter(await store.credentials.list(Query(limit=1, where={"provider": provider}))), None)
