"""Soniox: transcriber provider `soniox`."""

from bargein.providers.interface import TranscriberPart, VendorSpec
from bargein.providers.soniox.settings import SonioxSettings
from bargein.providers.soniox.stt import SonioxTranscriberConfig, create_transcriber

VENDOR = VendorSpec(
    name="soniox",
    transcribers={"soniox": TranscriberPart(SonioxTranscriberConfig, create_transcriber)},
    settings=SonioxSettings,
)
