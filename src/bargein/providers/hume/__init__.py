"""Hume: voice provider `hume`."""

from bargein.providers.hume.settings import HumeSettings
from bargein.providers.hume.tts import HumeVoiceConfig, create_voice
from bargein.providers.interface import VendorSpec, VoicePart

VENDOR = VendorSpec(name="hume", voices={"hume": VoicePart(HumeVoiceConfig, create_voice)}, settings=HumeSettings)
