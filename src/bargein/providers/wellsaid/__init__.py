"""WellSaid: voice provider `wellsaid`."""

from bargein.providers.interface import VendorSpec, VoicePart
from bargein.providers.wellsaid.settings import WellSaidSettings
from bargein.providers.wellsaid.tts import WellSaidVoiceConfig, create_voice

VENDOR = VendorSpec(
    name="wellsaid",
    voices={"wellsaid": VoicePart(WellSaidVoiceConfig, create_voice)},
    settings=WellSaidSettings,
)
