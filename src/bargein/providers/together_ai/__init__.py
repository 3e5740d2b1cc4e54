"""Together AI: model provider `together-ai`, by OpenAI's chat completions.

From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.interface import VendorSpec
from bargein.providers.together_ai.settings import TogetherAiSettings

VENDOR = VendorSpec(
    name="together_ai",
    models={
        "together-ai": chat_model_part(
            "together-ai", TogetherAiSettings, "https://api.together.xyz/v1", answer_format="json_schema"
        )
    },
    settings=TogetherAiSettings,
)
