"""DeepInfra: model provider `deepinfra`."""

from bargein.providers.deepinfra.settings import DeepInfraSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="deepinfra", settings=DeepInfraSettings)
