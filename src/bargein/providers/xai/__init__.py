"""xAI: model, transcriber and voice provider `xai`; its model speaks OpenAI's chat completions.

From its API reference of 2025; not yet called for real.
"""

from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.interface import TranscriberPart, VendorSpec, VoicePart
from bargein.providers.xai.settings import XaiSettings
from bargein.providers.xai.stt import XaiTranscriberConfig, create_transcriber
from bargein.providers.xai.tts import XaiVoiceConfig, create_voice

VENDOR = VendorSpec(
    name="xai",
    transcribers={"xai": TranscriberPart(XaiTranscriberConfig, create_transcriber)},
    models={
        "xai": chat_model_part(
            "xai", XaiSettings, "https://api.x.ai/v1", limit_name="max_completion_tokens", answer_format="json_schema"
        )
    },
    voices={"xai": VoicePart(XaiVoiceConfig, create_voice)},
    settings=XaiSettings,
)
