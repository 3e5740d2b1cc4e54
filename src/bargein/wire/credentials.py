"""The owner's credentials at other services, by their `provider`.

Vapi's OpenAPI document has no `/credential`, although many of its types have a `credentialId`; the types of credentials
are those that it lists for an assistant's `credentials`, and those that carriers add (`CredentialType`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bargein.wire import contract, validation_text
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request
from bargein.wire.json import as_object_or_none
from bargein.wire.redact import is_secret_name

_MAX_MESSAGES = 50
_MAX_CHARS = 10_000
_ALSO_SECRET = frozenset({"webhookUrl", "email", "authorizationId"})
"""Fields that are secret only in a credential: anyone who has the URL of a Slack webhook can post to it."""
_HOLD_SECRETS = frozenset({"authenticationPlan", "bucketPlan"})
"""Fields with the name of a secret that contain other settings too; only the secrets in them are removed."""


@dataclass(frozen=True, slots=True)
class CredentialType:
    """A type of credential that Vapi does not have, or has with fewer fields.

    Attributes:
        provider: the `provider` of such a credential.
        extras: its fields in addition to Vapi's, all text, each with a function that returns the problem of a value or
            None, or None for a field without such a check.
        like: the provider of a credential of Vapi's with the same fields, if Vapi has none for this provider.
    """

    provider: str
    extras: Mapping[str, Callable[[str], str | None] | None]
    like: str | None = None


class CredentialTypes:
    """All types of credentials.

    Args:
        added: the types that Vapi does not have, or has with fewer fields.
    """

    def __init__(self, added: Iterable[CredentialType] = ()) -> None:
        self._added = {credential_type.provider: credential_type for credential_type in added}

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """All providers of credentials, with the name of Vapi's type for each."""
        found: dict[str, str] = {}
        for name, schema in contract.definitions().items():
            if name.startswith("Create") and name.endswith("CredentialDTO"):
                found[schema["properties"]["provider"]["enum"][0]] = name
        alike = {one.provider: found[one.like] for one in self._added.values() if one.like is not None}
        return {**found, **alike}

    def fields_of(self, provider: str) -> frozenset[str]:
        """Return the names of the fields that a credential for this provider may have."""
        return frozenset(contract.definitions()[self.kinds[provider]]["properties"]).union(self._extras(provider))

    def parse(self, data: object) -> JsonObject:
        """Validate a credential of any type, and return it without its null fields.

        Raises:
            WireError: 400, with all problems; for an unknown provider, with the list of providers.
        """
        body = as_object_or_none(data)
        if body is None:
            raise bad_request("the body must be a JSON object")
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


def public_credential(credential: JsonObject) -> JsonObject:
    """Return a credential as the API returns it: without its secrets."""
    clean: JsonObject = {}
    for name, value in credential.items():
        inner = as_object_or_none(value)
        if inner is not None and name in _HOLD_SECRETS:
            clean[name] = public_credential(inner)
        elif not is_secret_name(name) and name not in _ALSO_SECRET:
            clean[name] = value
    return clean
