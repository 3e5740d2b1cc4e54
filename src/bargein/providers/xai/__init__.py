"""xAI: model, transcriber and voice provider `xai`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.xai.settings import XaiSettings

VENDOR = VendorSpec(name="xai", settings=XaiSettings)
