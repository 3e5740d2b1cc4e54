"""Inworld: voice provider `inworld`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.inworld.settings import InworldSettings

VENDOR = VendorSpec(name="inworld", settings=InworldSettings)
