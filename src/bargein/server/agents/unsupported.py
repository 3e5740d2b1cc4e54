"""Errors for a provider that an assistant names and no vendor serves; they say what to use instead."""

from bargein.ports import ProviderError
from bargein.providers.interface import CANNOT_START, PartName
from bargein.providers.registry import RETIRED, served
from bargein.wire.retired import retirement


def unsupported_provider(part: PartName, provider: str) -> ProviderError:
    """Return the error for a call whose assistant names `provider`, which no vendor serves.

    Such an assistant was stored before its provider was refused, or by a server with other vendors.
    """
    if provider in RETIRED.get(part, {}):
        text = f"{part} provider {provider} cannot be called: {retirement(part, provider)}"
    else:
        text = f"{part} provider {provider} is not served here; use one of {', '.join(sorted(served(part)))}"
    return ProviderError(text, ended_reason=CANNOT_START, provider=provider, setting=f"{part}.provider")
