"""MiniMax: model and voice provider `minimax`; its model speaks OpenAI's chat completions.

`reasoning_split` keeps thoughts out of the text, and `base_resp` reports errors with status 200.
From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.interface import VendorSpec, VoicePart
from bargein.providers.minimax.settings import MinimaxSettings
from bargein.providers.minimax.tts import MinimaxVoiceConfig, create_voice

VENDOR = VendorSpec(
    name="minimax",
    models={
        "minimax": chat_model_part(
            "minimax",
            MinimaxSettings,
            "https://api.minimax.io/v1",
            limit_name="max_completion_tokens",
            body={"reasoning_split": True},
            most_temperature=1.0,
            statuses_by_code={1002: 429, 1004: 401, 1008: 402, 2013: 400, 2049: 401},
            returned_fields=("reasoning_details",),
            lists_models=False,
        )
    },
    voices={"minimax": VoicePart(MinimaxVoiceConfig, create_voice)},
    settings=MinimaxSettings,
)
