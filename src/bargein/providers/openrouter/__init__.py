"""OpenRouter: model provider `openrouter`, by OpenAI's chat completions.

It asks for an answer's `reasoning_details` back with the answer's tool calls, for the vendor behind it.
From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.interface import VendorSpec
from bargein.providers.openrouter.settings import OpenRouterSettings

VENDOR = VendorSpec(
    name="openrouter",
    models={
        "openrouter": chat_model_part(
            "openrouter",
            OpenRouterSettings,
            "https://openrouter.ai/api/v1",
            returned_fields=("reasoning_details",),
            answer_format="json_schema",
        )
    },
    settings=OpenRouterSettings,
)
