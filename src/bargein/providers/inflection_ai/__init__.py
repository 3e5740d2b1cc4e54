"""Inflection AI: model provider `inflection-ai`, by OpenAI's chat completions.

The address is from a public program that uses it, because its own pages could not be read; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.inflection_ai.settings import InflectionAiSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(
    name="inflection_ai",
    models={
        "inflection-ai": chat_model_part(
            "inflection-ai",
            InflectionAiSettings,
            "https://api.inflection.ai/external/api/inference/openai/v1",
            lists_models=False,
        )
    },
    settings=InflectionAiSettings,
)
