"""Perplexity: model provider `perplexity-ai`, by OpenAI's chat completions.

It demands messages of user and assistant in turn, and has no function calls: an assistant's tools are not declared.
From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.interface import VendorSpec
from bargein.providers.perplexity_ai.settings import PerplexitySettings

VENDOR = VendorSpec(
    name="perplexity_ai",
    models={
        "perplexity-ai": chat_model_part(
            "perplexity-ai",
            PerplexitySettings,
            "https://api.perplexity.ai",
            answer_format="json_schema",
            alternating=True,
            takes_tools=False,
            lists_models=False,
        )
    },
    settings=PerplexitySettings,
)
