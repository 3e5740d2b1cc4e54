"""Vonage (Voice API). The package's extra `vonage` brings what it needs; without it this room cannot be imported."""

from importlib.util import find_spec

from bargein.carriers.vonage.carrier import VonageCarrier
from bargein.clock import Clock

if find_spec("vonage") is None:  # which is loaded later, by the first call
    raise ModuleNotFoundError("No module named 'vonage'", name="vonage")


def carrier(clock: Clock, api_url: str | None, /) -> VonageCarrier:
    """See `bargein.carriers.interface.MakeCarrier`."""
    return VonageCarrier(clock, base_url=api_url)
