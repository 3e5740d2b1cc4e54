"""Deepgram: transcriber and voice provider `deepgram`."""

from bargein.providers.deepgram.settings import DeepgramSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="deepgram", settings=DeepgramSettings)
