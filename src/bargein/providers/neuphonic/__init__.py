"""Neuphonic: voice provider `neuphonic`."""

from bargein.providers.interface import VendorSpec, VoicePart
from bargein.providers.neuphonic.settings import NeuphonicSettings
from bargein.providers.neuphonic.tts import NeuphonicVoiceConfig, create_voice

VENDOR = VendorSpec(
    name="neuphonic", voices={"neuphonic": VoicePart(NeuphonicVoiceConfig, create_voice)}, settings=NeuphonicSettings
)
