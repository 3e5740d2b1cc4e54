"""Cerebras: model provider `cerebras`."""

from bargein.providers.cerebras.settings import CerebrasSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="cerebras", settings=CerebrasSettings)
