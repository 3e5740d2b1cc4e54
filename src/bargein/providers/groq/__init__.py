"""Groq: model provider `groq`, by OpenAI's chat completions.

Its models that think are told to think as little as they can (`reasoning_effort`).

From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.groq.settings import GroqSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(
    name="groq",
    models={
        "groq": chat_model_part(
            "groq",
            GroqSettings,
            "https://api.groq.com/openai/v1",
            limit_name="max_completion_tokens",
            answer_format="json_object",  # its schemas are for some models alone
            body_by_model={"gpt-oss": {"reasoning_effort": "low"}, "qwen3": {"reasoning_effort": "none"}},
        )
    },
    settings=GroqSettings,
)
