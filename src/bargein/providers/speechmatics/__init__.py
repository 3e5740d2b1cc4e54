"""Speechmatics: transcriber provider `speechmatics`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.speechmatics.settings import SpeechmaticsSettings

VENDOR = VendorSpec(name="speechmatics", settings=SpeechmaticsSettings)
