"""ElevenLabs: transcriber and voice provider `11labs`."""

from bargein.providers.elevenlabs.settings import ElevenLabsSettings
from bargein.providers.elevenlabs.stt import ElevenLabsTranscriberConfig, create_transcriber
from bargein.providers.elevenlabs.tts import ElevenLabsVoiceConfig, create_voice
from bargein.providers.interface import TranscriberPart, VendorSpec, VoicePart

VENDOR = VendorSpec(
    name="elevenlabs",
    transcribers={"11labs": TranscriberPart(ElevenLabsTranscriberConfig, create_transcriber)},
    voices={"11labs": VoicePart(ElevenLabsVoiceConfig, create_voice)},
    settings=ElevenLabsSettings,
)
