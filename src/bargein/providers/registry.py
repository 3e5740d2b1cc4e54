"""The list of vendors: the one place outside a vendor's folder that names it."""

from collections.abc import Mapping
from typing import TypeVar

from bargein.clock import Clock
from bargein.providers import custom, embedded, openai
from bargein.providers.interface import ModelPart, TranscriberPart, VendorSpec, VoicePart
from bargein.settings import Section, TurnModel

VENDORS: tuple[VendorSpec, ...] = (embedded.VENDOR, custom.VENDOR, openai.VENDOR)

_PartT = TypeVar("_PartT", TranscriberPart, ModelPart, VoicePart)


def _merge(*served: Mapping[str, _PartT]) -> dict[str, _PartT]:
    merged: dict[str, _PartT] = {}
    for parts in served:
        if twice := merged.keys() & parts.keys():
            raise ValueError(f"two vendors serve the provider {min(twice)}")
        merged.update(parts)
    return merged


TRANSCRIBERS: Mapping[str, TranscriberPart] = _merge(*(vendor.transcribers for vendor in VENDORS))
"""By the `provider` of `assistant.transcriber`."""

MODELS: Mapping[str, ModelPart] = _merge(*(vendor.models for vendor in VENDORS))
"""By the `provider` of `assistant.model`."""

VOICES: Mapping[str, VoicePart] = _merge(*(vendor.voices for vendor in VENDORS))
"""By the `provider` of `assistant.voice`."""


def vendor_sections() -> tuple[type[Section], ...]:
    """Return the settings sections of the vendors that have one."""
    return tuple(vendor.settings for vendor in VENDORS if vendor.settings is not None)


def open_embedded(clock: Clock, turn_model: TurnModel = "embedded") -> "embedded.Embedded":
    """Make the models inside the package; nothing is loaded before it is used or warmed up."""
    return embedded.Embedded(clock, turn_model)
