"""Credentials: what proves to others who the owner is, told apart by `provider`.

Vapi's OpenAPI document has no `/credential`, though `credentialId` is everywhere in it; the kinds are those that it
lists for an assistant's `credentials`, and those that carriers add (`CredentialType`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from bargein.wire import contract, validation_text
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request
from bargein.wire.redact import is_secret_name

_MAX_MESSAGES = 50
_MAX_CHARS = 10_000
_ALSO_SECRET = frozenset({"webhookUrl", "email", "authorizationId"})
"""Secret in a credential, though not everywhere: who has a Slack webhook's address may post there."""
_HOLD_SECRETS = frozenset({"authenticationPlan", "bucketPlan"})
"""Named like a secret, but only some of what they hold is one: the rest tells the owner what is set."""


@dataclass(frozen=True, slots=True)
class CredentialType:
    """A kind of credential that is not, or not only, Vapi's.

    Attributes:
        provider: the `provider` of such a credential.
        extras: the fields, all text, that it may have beside Vapi's; each with a function that returns the problem of
            a value, or None.
        like: the provider of the credential of Vapi's that has the same fields, where Vapi has none for this provider.
    """

    provider: str
    extras: Mapping[str, Callable[[str], str | None] | None]
    like: str | None = None


class CredentialTypes:
    """All kinds of credential.

    Args:
        added: the kinds that are not, or not only, Vapi's.
    """

    def __init__(self, added: Iterable[CredentialType] = ()) -> None:
        self._added = {credential_type.provider: credential_type for credential_type in added}

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Every provider that a credential can be for, and the name of Vapi's type of such a credential."""
        found: dict[str, str] = {}
        for name, schema in contract.definitions().items():
            if name.startswith("Create") and name.endswith("CredentialDTO"):
                found[schema["properties"]["provider"]["enum"][0]] = name
        alike = {one.provider: found[one.like] for one in self._added.values() if one.like is not None}
        return {**found, **alike}

    def fields_of(self, provider: str) -> frozenset[str]:
        """The names of the fields that a credential for this provider may have."""
        return frozenset(contract.definitions()[self.kinds[provider]]["properties"]).union(self._extras(provider))

    def parse(self, data: object) -> JsonObject:
        """Read a credential of any kind, without the fields that are null.

        Raises:
            WireError: 400, with every finding; for an unknown provider, with the list of providers.
        """
        if not isinstance(data, dict):
            raise bad_request("the body must be a JSON object")
        body = cast("JsonObject", data)
        provider: object = body.get("provider")
        if provider is None:
            raise bad_request(validation_text.sentence("provider", validation_text.MISSING))
        if not isinstance(provider, str) or provider not in self.kinds:
            raise bad_request(validation_text.sentence("provider", validation_text.one_of(self.kinds)))
        known, extras = self.fields_of(provider), self._extras(provider)
        found = [f"property {name} should not exist" for name in body if name not in known]
        for name, problem_of in extras.items():
            found += _problems_of_extra(name, body.get(name), problem_of)
        vapis = {name: value for name, value in body.items() if name not in extras}
        if provider in self._added and (like := self._added[provider].like) is not None:
            vapis["provider"] = like
        problems = contract.problems(self.kinds[provider], vapis)
        found += [validation_text.sentence(path, text) for path, text in problems.items()]
        if found:
            raise bad_request(*found[:_MAX_MESSAGES])
        return without_nulls(body)

    def _extras(self, provider: str) -> Mapping[str, Callable[[str], str | None] | None]:
        return self._added[provider].extras if provider in self._added else {}


def _problems_of_extra(name: str, value: object, problem_of: Callable[[str], str | None] | None) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, str):
        problem: str | None = validation_text.STRING
    elif not value:
        problem = validation_text.longer(1)
    elif len(value) > _MAX_CHARS:
        problem = validation_text.shorter(_MAX_CHARS)
    else:
        problem = None if problem_of is None else problem_of(value)
    return [] if problem is None else [validation_text.sentence(name, problem)]


def shown(credential: JsonObject) -> JsonObject:
    """A credential as anybody may see it, its owner too: without its secrets."""
    clean: JsonObject = {}
    for name, value in credential.items():
        if isinstance(value, dict) and name in _HOLD_SECRETS:
            clean[name] = shown(cast("JsonObject", value))
        elif not is_secret_name(name) and name not in _ALSO_SECRET:
            clean[name] = value
    return clean
