"""Hume: voice provider `hume`."""

from bargein.providers.hume.settings import HumeSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="hume", settings=HumeSettings)
