"""The list of vendors: the one place outside a vendor's folder that names it."""

from collections.abc import Mapping
from typing import TypeVar

from bargein.clock import Clock
from bargein.providers import (
    anthropic,
    anyscale,
    assembly_ai,
    azure,
    cartesia,
    cerebras,
    custom,
    deep_seek,
    deepgram,
    deepinfra,
    elevenlabs,
    embedded,
    gladia,
    google,
    groq,
    hume,
    inflection_ai,
    inworld,
    lmnt,
    minimax,
    neuphonic,
    openai,
    openrouter,
    perplexity_ai,
    rime_ai,
    smallest_ai,
    soniox,
    speechmatics,
    together_ai,
    wellsaid,
    xai,
)
from bargein.providers.interface import ModelPart, PartName, TranscriberPart, VendorSpec, VoicePart
from bargein.settings import Section, TurnModel
from bargein.wire.retired import RETIRED

VENDORS: tuple[VendorSpec, ...] = (
    embedded.VENDOR,
    custom.VENDOR,
    openai.VENDOR,
    anthropic.VENDOR,
    anyscale.VENDOR,
    assembly_ai.VENDOR,
    azure.VENDOR,
    cartesia.VENDOR,
    cerebras.VENDOR,
    deep_seek.VENDOR,
    deepgram.VENDOR,
    deepinfra.VENDOR,
    elevenlabs.VENDOR,
    gladia.VENDOR,
    google.VENDOR,
    groq.VENDOR,
    hume.VENDOR,
    inflection_ai.VENDOR,
    inworld.VENDOR,
    lmnt.VENDOR,
    minimax.VENDOR,
    neuphonic.VENDOR,
    openrouter.VENDOR,
    perplexity_ai.VENDOR,
    rime_ai.VENDOR,
    smallest_ai.VENDOR,
    soniox.VENDOR,
    speechmatics.VENDOR,
    together_ai.VENDOR,
    wellsaid.VENDOR,
    xai.VENDOR,
)

__all__ = [
    "MODELS", "RETIRED", "TRANSCRIBERS", "VENDORS", "VOICES", "open_embedded", "served", "vendor_of", "vendor_sections",
]  # fmt: skip

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


def served(part: PartName) -> Mapping[str, TranscriberPart | ModelPart | VoicePart]:
    """Return the providers of a part that a vendor serves. Those of `RETIRED` are served by none."""
    match part:
        case "transcriber":
            return TRANSCRIBERS
        case "model":
            return MODELS
        case "voice":
            return VOICES


def vendor_of(part: PartName, provider: str) -> VendorSpec | None:
    """Return the vendor that serves a provider; None: there is none."""
    found = served(part).get(provider)
    if found is None:
        return None
    return next(
        (one for one in VENDORS if found in (*one.transcribers.values(), *one.models.values(), *one.voices.values())),
        None,
    )


def vendor_sections() -> tuple[type[Section], ...]:
    """Return the settings sections of the vendors that have one."""
    return tuple(vendor.settings for vendor in VENDORS if vendor.settings is not None)


def open_embedded(clock: Clock, turn_model: TurnModel = "embedded") -> "embedded.Embedded":
    """Make the models inside the package; nothing is loaded before it is used or warmed up."""
    return embedded.Embedded(clock, turn_model)
