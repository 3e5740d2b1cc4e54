"""Azure Speech: transcriber and voice provider `azure`, and voice provider `microsoft`."""

from bargein.providers.azure.settings import AzureSettings
from bargein.providers.azure.tts import (
    AzureVoiceConfig,
    MicrosoftVoiceConfig,
    create_azure_voice,
    create_microsoft_voice,
)
from bargein.providers.interface import VendorSpec, VoicePart

VENDOR = VendorSpec(
    name="azure",
    voices={
        "azure": VoicePart(AzureVoiceConfig, create_azure_voice),
        "microsoft": VoicePart(MicrosoftVoiceConfig, create_microsoft_voice),
    },
    settings=AzureSettings,
)
