"""Smallest AI: voice provider `smallest-ai`."""

from bargein.providers.interface import VendorSpec, VoicePart
from bargein.providers.smallest_ai.settings import SmallestAiSettings
from bargein.providers.smallest_ai.tts import SmallestAiVoiceConfig, create_voice

VENDOR = VendorSpec(
    name="smallest_ai",
    voices={"smallest-ai": VoicePart(SmallestAiVoiceConfig, create_voice)},
    settings=SmallestAiSettings,
)
