"""Cartesia: transcriber and voice provider `cartesia`."""

from bargein.providers.cartesia.settings import CartesiaSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="cartesia", settings=CartesiaSettings)
