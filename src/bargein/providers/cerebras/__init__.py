"""Cerebras: model provider `cerebras`, by OpenAI's chat completions.

From its API reference of 2025; not yet called for real.
"""

from bargein.providers.cerebras.settings import CerebrasSettings
from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(
    name="cerebras",
    models={
        "cerebras": chat_model_part(
            "cerebras",
            CerebrasSettings,
            "https://api.cerebras.ai/v1",
            limit_name="max_completion_tokens",
            answer_format="json_schema",
            body_by_model={"gpt-oss": {"reasoning_effort": "low"}},
        )
    },
    settings=CerebrasSettings,
)
