"""DeepSeek: model provider `deep-seek`, by OpenAI's chat completions.

In its thinking mode it answers 400 unless the `reasoning_content` of an answer comes back with the answer's tool calls.
From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.deep_seek.settings import DeepSeekSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(
    name="deep_seek",
    models={
        "deep-seek": chat_model_part(
            "deep-seek",
            DeepSeekSettings,
            "https://api.deepseek.com",
            returned_fields=("reasoning_content",),
            answer_format="json_object",
        )
    },
    settings=DeepSeekSettings,
)
