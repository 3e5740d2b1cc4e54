"""OpenAI's models, and those of any server that speaks its protocol: Ollama, llama.cpp, vLLM."""

from bargein.providers.interface import ModelPart, TranscriberPart, VendorSpec, VoicePart
from bargein.providers.openai.llm import OpenAiModelConfig, create_model, find_problem
from bargein.providers.openai.settings import OpenAiSettings
from bargein.providers.openai.stt import OpenAiTranscriberConfig, create_transcriber
from bargein.providers.openai.tts import OpenAiVoiceConfig, create_voice

VENDOR = VendorSpec(
    name="openai",
    transcribers={"openai": TranscriberPart(OpenAiTranscriberConfig, create_transcriber)},
    models={"openai": ModelPart(OpenAiModelConfig, create_model, find_problem)},
    voices={"openai": VoicePart(OpenAiVoiceConfig, create_voice)},
    settings=OpenAiSettings,
)
