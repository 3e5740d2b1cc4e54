"""Cartesia: transcriber and voice provider `cartesia`."""

from bargein.providers.cartesia.settings import CartesiaSettings
from bargein.providers.cartesia.stt import CartesiaTranscriberConfig, create_transcriber
from bargein.providers.interface import TranscriberPart, VendorSpec

VENDOR = VendorSpec(
    name="cartesia",
    transcribers={"cartesia": TranscriberPart(CartesiaTranscriberConfig, create_transcriber)},
    settings=CartesiaSettings,
)
