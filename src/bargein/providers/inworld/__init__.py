"""Inworld: voice provider `inworld`."""

from bargein.providers.interface import VendorSpec, VoicePart
from bargein.providers.inworld.settings import InworldSettings
from bargein.providers.inworld.tts import InworldVoiceConfig, create_voice

VENDOR = VendorSpec(
    name="inworld", voices={"inworld": VoicePart(InworldVoiceConfig, create_voice)}, settings=InworldSettings
)
