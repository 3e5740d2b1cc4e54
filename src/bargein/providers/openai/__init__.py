"""OpenAI's models, and those of any server that speaks its protocol: Ollama, llama.cpp, vLLM."""

from bargein.providers.interface import ModelPart, VendorSpec
from bargein.providers.openai.llm import OpenAiModelConfig, create_model
from bargein.providers.openai.settings import OpenAiSettings

VENDOR = VendorSpec(
    name="openai",
    models={"openai": ModelPart(OpenAiModelConfig, create_model)},
    settings=OpenAiSettings,
)
