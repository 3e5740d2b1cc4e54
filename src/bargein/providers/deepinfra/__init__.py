"""DeepInfra: model provider `deepinfra`, by OpenAI's chat completions.

From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.deepinfra.settings import DeepInfraSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(
    name="deepinfra",
    models={
        "deepinfra": chat_model_part(
            "deepinfra", DeepInfraSettings, "https://api.deepinfra.com/v1/openai", answer_format="json_object"
        )
    },
    settings=DeepInfraSettings,
)
