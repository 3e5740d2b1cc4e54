"""Errors for a provider that an assistant names and no vendor serves; they say what to set instead."""

from collections.abc import Iterable

from bargein.ports import ProviderError
from bargein.providers.interface import BUILT_IN, CANNOT_START, PartName, VendorSpec
from bargein.providers.registry import VENDORS


def unsupported_provider(part: PartName, provider: str) -> ProviderError:
    """Return the error for a call whose assistant names `provider`, which no vendor serves."""
    advice = [vendor.substitute(part, provider) for vendor in VENDORS if vendor.substitute is not None]
    alternatives = [*(f'"{name}"' for name in _named_alternatives(part)), f'the built-in "{BUILT_IN}"']
    advice.append(f"or use {' or '.join(alternatives)}")
    return ProviderError(
        f"{part} provider {provider} has no adapter on this server: {'; '.join(advice)}", ended_reason=CANNOT_START
    )


def _named_alternatives(part: PartName) -> Iterable[str]:
    """Yield the providers with an adapter of their own, without the built-in ones and those of the owner's servers."""
    for vendor in VENDORS:
        if vendor.substitute is None:
            yield from (name for name in _served(vendor, part) if name != BUILT_IN)


def _served(vendor: VendorSpec, part: PartName) -> Iterable[str]:
    match part:
        case "transcriber":
            return vendor.transcribers
        case "model":
            return vendor.models
        case "voice":
            return vendor.voices
