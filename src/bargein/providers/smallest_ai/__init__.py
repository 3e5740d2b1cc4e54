"""Smallest AI: voice provider `smallest-ai`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.smallest_ai.settings import SmallestAiSettings

VENDOR = VendorSpec(name="smallest_ai", settings=SmallestAiSettings)
