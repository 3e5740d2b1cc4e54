"""Groq: model provider `groq`, by OpenAI's chat completions.

From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.groq.settings import GroqSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(
    name="groq",
    models={
        "groq": chat_model_part(
            "groq", GroqSettings, "https://api.groq.com/openai/v1", limit_name="max_completion_tokens"
        )
    },
    settings=GroqSettings,
)
