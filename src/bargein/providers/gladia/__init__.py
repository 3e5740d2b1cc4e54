"""Gladia: transcriber provider `gladia`."""

from bargein.providers.gladia.settings import GladiaSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="gladia", settings=GladiaSettings)
