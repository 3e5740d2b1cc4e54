"""Azure Speech: transcriber and voice provider `azure`, and voice provider `microsoft`."""

from bargein.providers.azure.settings import AzureSettings
from bargein.providers.azure.stt import AzureTranscriberConfig, create_transcriber
from bargein.providers.azure.tts import (
    AzureVoiceConfig,
    MicrosoftVoiceConfig,
    create_azure_voice,
    create_microsoft_voice,
)
from bargein.providers.interface import TranscriberPart, VendorSpec, VoicePart

VENDOR = VendorSpec(
    name="azure",
    transcribers={"azure": TranscriberPart(AzureTranscriberConfig, create_transcriber)},
    voices={
        "azure": VoicePart(AzureVoiceConfig, create_azure_voice),
        "microsoft": VoicePart(MicrosoftVoiceConfig, create_microsoft_voice),
    },
    settings=AzureSettings,
)
