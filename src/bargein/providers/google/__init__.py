"""Google Gemini: model and transcriber provider `google`."""

from bargein.providers.google.llm import GoogleModelConfig, create_model
from bargein.providers.google.settings import GoogleSettings
from bargein.providers.google.stt import GoogleTranscriberConfig, create_transcriber
from bargein.providers.interface import ModelPart, TranscriberPart, VendorSpec

VENDOR = VendorSpec(
    name="google",
    transcribers={"google": TranscriberPart(GoogleTranscriberConfig, create_transcriber)},
    models={"google": ModelPart(GoogleModelConfig, create_model)},
    settings=GoogleSettings,
)
