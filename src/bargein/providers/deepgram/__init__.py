"""Deepgram: transcriber and voice provider `deepgram`."""

from bargein.providers.deepgram.settings import DeepgramSettings
from bargein.providers.deepgram.stt import DeepgramTranscriberConfig, create_transcriber
from bargein.providers.deepgram.tts import DeepgramVoiceConfig, create_voice
from bargein.providers.interface import TranscriberPart, VendorSpec, VoicePart

VENDOR = VendorSpec(
    name="deepgram",
    transcribers={"deepgram": TranscriberPart(DeepgramTranscriberConfig, create_transcriber)},
    voices={"deepgram": VoicePart(DeepgramVoiceConfig, create_voice)},
    settings=DeepgramSettings,
)
