"""Cartesia: transcriber and voice provider `cartesia`."""

from bargein.providers.cartesia.settings import CartesiaSettings
from bargein.providers.cartesia.stt import CartesiaTranscriberConfig, create_transcriber
from bargein.providers.cartesia.tts import CartesiaVoiceConfig, create_voice
from bargein.providers.interface import TranscriberPart, VendorSpec, VoicePart

VENDOR = VendorSpec(
    name="cartesia",
    transcribers={"cartesia": TranscriberPart(CartesiaTranscriberConfig, create_transcriber)},
    voices={"cartesia": VoicePart(CartesiaVoiceConfig, create_voice)},
    settings=CartesiaSettings,
)
