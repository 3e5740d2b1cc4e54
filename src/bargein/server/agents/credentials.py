"""Which of the owner's credentials a call's providers get."""

from collections.abc import Mapping
from typing import cast

from bargein.store import Query, Store
from bargein.wire.base import JsonObject

Keys = Mapping[str, JsonObject]
"""Provider -> the credential for it, its secrets in the clear."""

_PARTS = ("model", "voice", "transcriber")


async def keys_of(assistant: JsonObject, store: Store) -> Keys:
    """The credentials for the providers that an assistant names.

    An assistant's own come first (`credentials`), then those that it names (`credentialIds`), then the newest that is
    stored for the provider, as Vapi has it.
    """
    parts = [assistant.get(name) for name in _PARTS]
    wanted = {str(cast("JsonObject", part).get("provider")) for part in parts if isinstance(part, dict)}
    found: dict[str, JsonObject] = {}
    for credential in (*_own(assistant), *[await store.credentials.find(one) for one in _named(assistant)]):
        provider = str(credential.get("provider")) if credential is not None else ""
        if credential is not None and provider in wanted:
            found.setdefault(provider, credential)
    for provider in wanted - found.keys():
        for credential in await store.credentials.list(Query(limit=1, where={"provider": provider})):
            found[provider] = credential
    return found


def _own(assistant: JsonObject) -> list[JsonObject]:
    given: object = assistant.get("credentials")
    listed = cast("list[object]", given) if isinstance(given, list) else []
    return [cast("JsonObject", one) for one in listed if isinstance(one, dict)]


def _named(assistant: JsonObject) -> list[str]:
    given: object = assistant.get("credentialIds")
    listed = cast("list[object]", given) if isinstance(given, list) else []
    return [one for one in listed if isinstance(one, str)]


def api_key(keys: Keys, provider: str) -> str | None:
    """The plain key in a provider's credential, where there is one."""
    key: object = keys.get(provider, {}).get("apiKey")
    return key if isinstance(key, str) and key else None
