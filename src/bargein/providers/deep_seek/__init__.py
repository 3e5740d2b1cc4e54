"""DeepSeek: model provider `deep-seek`."""

from bargein.providers.deep_seek.settings import DeepSeekSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="deep_seek", settings=DeepSeekSettings)
