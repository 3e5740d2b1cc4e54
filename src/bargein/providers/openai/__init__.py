"""OpenAI's models, and those of any server that speaks its protocol: Ollama, llama.cpp, vLLM."""

from bargein.providers.interface import ModelPart, VendorSpec
from bargein.providers.openai.llm import create_model
from bargein.providers.openai.settings import OpenAiSettings
from bargein.wire import providers as wire

VENDOR = VendorSpec(
    name="openai",
    models={"openai": ModelPart(wire.OpenAiModel, create_model)},
    settings=OpenAiSettings,
)
