"""LMNT: voice provider `lmnt`."""

from bargein.providers.interface import VendorSpec, VoicePart
from bargein.providers.lmnt.settings import LmntSettings
from bargein.providers.lmnt.tts import LmntVoiceConfig, create_voice

VENDOR = VendorSpec(name="lmnt", voices={"lmnt": VoicePart(LmntVoiceConfig, create_voice)}, settings=LmntSettings)
