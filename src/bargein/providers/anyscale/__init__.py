"""Anyscale: model provider `anyscale`."""

from bargein.providers.anyscale.settings import AnyscaleSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="anyscale", settings=AnyscaleSettings)
