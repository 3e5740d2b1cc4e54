"""ElevenLabs: transcriber and voice provider `11labs`."""

from bargein.providers.elevenlabs.settings import ElevenLabsSettings
from bargein.providers.elevenlabs.tts import ElevenLabsVoiceConfig, create_voice
from bargein.providers.interface import VendorSpec, VoicePart

VENDOR = VendorSpec(
    name="elevenlabs",
    voices={"11labs": VoicePart(ElevenLabsVoiceConfig, create_voice)},
    settings=ElevenLabsSettings,
)
