"""The parts of an assistant's JSON that a vendor serves, with the vendor's type of each, and whose key they need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from pydantic import ValidationError

from bargein.ports import ProviderError
from bargein.providers.interface import (
    BUILT_IN,
    CANNOT_START,
    MissingKeyError,
    ModelPart,
    PartName,
    TranscriberPart,
    VoicePart,
)
from bargein.providers.registry import served, vendor_of
from bargein.server.agents.unsupported import unsupported_provider
from bargein.settings import Settings
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import findings
from bargein.wire.json import as_object, as_object_or_none, as_objects, as_string

Part = TranscriberPart | ModelPart | VoicePart

READ_BY_CALLS: Mapping[PartName, frozenset[str]] = {
    "transcriber": frozenset({"provider", "fallbackPlan", "language", "languages"}),
    "model": frozenset({"provider", "messages", "tools", "toolIds"}),
    "voice": frozenset({"provider", "cachingEnabled", "chunkPlan", "fallbackPlan"}),
}
"""Fields of a part that have an effect with every provider: the call reads them, not the vendor."""

_READ_BY_NOBODY = frozenset({"knowledgeBase"})
"""Fields that the types of parts declare, because Vapi's clients send them."""

_FALLBACKS: Mapping[PartName, str] = {"transcriber": "transcribers", "voice": "voices"}
"""The field of a part's `fallbackPlan` with the parts that replace it."""


@dataclass(frozen=True, slots=True)
class GivenPart:
    """A part as an assistant gives it.

    Attributes:
        path: where it is in the assistant's JSON (`voice`, `voice.fallbackPlan.voices.0`).
        name: what it is.
        given: its JSON.
    """

    path: str
    name: PartName
    given: JsonObject

    @property
    def is_fallback(self) -> bool:
        """True for an entry of a fallback plan."""
        return self.path != self.name

    @property
    def provider(self) -> str:
        """The provider that it names, or the built-in one."""
        return as_string(self.given.get("provider")) or BUILT_IN


def parts_of(assistant_json: JsonObject) -> Iterator[GivenPart]:
    """Yield the transcriber, model and voice that an assistant gives, each followed by its fallbacks."""
    for name in get_args(PartName):
        given = as_object_or_none(assistant_json.get(name))
        if given is None:
            continue
        yield GivenPart(name, name, given)
        yield from fallbacks_of(name, given)


def fallbacks_of(name: PartName, given: JsonObject) -> Iterator[GivenPart]:
    """Yield the entries of the fallback plan of a part, in order; a model has no plan."""
    field = _FALLBACKS.get(name, "")
    for index, one in enumerate(as_objects(as_object(given.get("fallbackPlan")).get(field))):
        yield GivenPart(f"{name}.fallbackPlan.{field}.{index}", name, one)


def read_part(name: PartName, given: JsonObject) -> tuple[Part, WireModel]:
    """Return the vendor's part that serves a part's JSON, and the JSON as that vendor's type.

    Raises:
        ProviderError: no vendor serves it, or it is not what that vendor's type requires.
    """
    provider = as_string(given.get("provider")) or BUILT_IN
    part = served(name).get(provider)
    if part is None:
        raise unsupported_provider(name, provider)
    data = {"provider": provider, **given}
    try:
        return part, part.config.from_json(data)
    except ValidationError as error:
        wrong = "; ".join(findings(error, data))
        raise ProviderError(
            f"the {name} of provider {provider}: {wrong}", ended_reason=CANNOT_START, provider=provider
        ) from None


def fields_read(name: PartName, provider: str, part: Part) -> frozenset[str]:
    """Return the fields of a part that have an effect here; all others are checked and kept.

    Args:
        name: the part.
        provider: its provider.
        part: the vendor's part that serves it.
    """
    if provider == BUILT_IN:
        return READ_BY_CALLS[name]  # the models inside the package have no options
    return (part.config.wire_names() | READ_BY_CALLS[name]) - _READ_BY_NOBODY


def lacks_key(
    name: PartName,
    provider: str,
    error: ProviderError,
    credentials: Mapping[str, JsonObject],
    settings: Settings,
) -> bool:
    """Return whether a part could not be made because there is no key for its provider, or nobody serves it.

    Args:
        name: the part.
        provider: its provider.
        error: the error with which the vendor refused to make it.
        credentials: the owner's credentials by provider.
        settings: the settings, with the section of each vendor.
    """
    if isinstance(error, MissingKeyError):
        return True
    vendor = vendor_of(name, provider)
    if vendor is None:
        return True
    if vendor.settings is None or provider in credentials:
        return False
    return not any(settings.section(vendor.settings).secrets())
