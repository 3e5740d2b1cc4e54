"""Deepgram: transcriber and voice provider `deepgram`."""

from bargein.providers.deepgram.settings import DeepgramSettings
from bargein.providers.deepgram.stt import DeepgramTranscriberConfig, create_transcriber
from bargein.providers.interface import TranscriberPart, VendorSpec

VENDOR = VendorSpec(
    name="deepgram",
    transcribers={"deepgram": TranscriberPart(DeepgramTranscriberConfig, create_transcriber)},
    settings=DeepgramSettings,
)
