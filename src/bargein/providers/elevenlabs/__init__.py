"""ElevenLabs: transcriber and voice provider `11labs`."""

from bargein.providers.elevenlabs.settings import ElevenLabsSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="elevenlabs", settings=ElevenLabsSettings)
