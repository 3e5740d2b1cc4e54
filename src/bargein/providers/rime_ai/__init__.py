"""Rime: voice provider `rime-ai`."""

from bargein.providers.interface import VendorSpec, VoicePart
from bargein.providers.rime_ai.settings import RimeAiSettings
from bargein.providers.rime_ai.tts import RimeAiVoiceConfig, create_voice

VENDOR = VendorSpec(
    name="rime_ai", voices={"rime-ai": VoicePart(RimeAiVoiceConfig, create_voice)}, settings=RimeAiSettings
)
