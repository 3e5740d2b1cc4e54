"""Speechmatics: transcriber provider `speechmatics`."""

from bargein.providers.interface import TranscriberPart, VendorSpec
from bargein.providers.speechmatics.settings import SpeechmaticsSettings
from bargein.providers.speechmatics.stt import SpeechmaticsTranscriberConfig, create_transcriber

VENDOR = VendorSpec(
    name="speechmatics",
    transcribers={"speechmatics": TranscriberPart(SpeechmaticsTranscriberConfig, create_transcriber)},
    settings=SpeechmaticsSettings,
)
