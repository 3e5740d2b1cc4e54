"""Soniox: transcriber provider `soniox`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.soniox.settings import SonioxSettings

VENDOR = VendorSpec(name="soniox", settings=SonioxSettings)
