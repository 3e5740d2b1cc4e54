"""Azure Speech: transcriber and voice provider `azure`, and voice provider `microsoft`."""

from bargein.providers.azure.settings import AzureSettings
from bargein.providers.azure.stt import AzureTranscriberConfig, create_transcriber
from bargein.providers.interface import TranscriberPart, VendorSpec

VENDOR = VendorSpec(
    name="azure",
    transcribers={"azure": TranscriberPart(AzureTranscriberConfig, create_transcriber)},
    settings=AzureSettings,
)
