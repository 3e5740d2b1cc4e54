"""Google Gemini: model and transcriber provider `google`."""

from bargein.providers.google.llm import GoogleModelConfig, create_model
from bargein.providers.google.settings import GoogleSettings
from bargein.providers.interface import ModelPart, VendorSpec

VENDOR = VendorSpec(
    name="google",
    models={"google": ModelPart(GoogleModelConfig, create_model)},
    settings=GoogleSettings,
)
