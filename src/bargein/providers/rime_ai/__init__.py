"""Rime: voice provider `rime-ai`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.rime_ai.settings import RimeAiSettings

VENDOR = VendorSpec(name="rime_ai", settings=RimeAiSettings)
