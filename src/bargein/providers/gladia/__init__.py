"""Gladia: transcriber provider `gladia`."""

from bargein.providers.gladia.settings import GladiaSettings
from bargein.providers.gladia.stt import GladiaTranscriberConfig, create_transcriber
from bargein.providers.interface import TranscriberPart, VendorSpec

VENDOR = VendorSpec(
    name="gladia",
    transcribers={"gladia": TranscriberPart(GladiaTranscriberConfig, create_transcriber)},
    settings=GladiaSettings,
)
