"""Anthropic: model provider `anthropic`, and `anthropic-bedrock` for Claude at Amazon Bedrock."""

from bargein.providers.anthropic.bedrock import BedrockModelConfig
from bargein.providers.anthropic.bedrock import create_model as create_bedrock_model
from bargein.providers.anthropic.llm import AnthropicModelConfig, create_model
from bargein.providers.anthropic.settings import AnthropicSettings
from bargein.providers.interface import ModelPart, VendorSpec

VENDOR = VendorSpec(
    name="anthropic",
    models={
        "anthropic": ModelPart(AnthropicModelConfig, create_model),
        "anthropic-bedrock": ModelPart(BedrockModelConfig, create_bedrock_model),
    },
    settings=AnthropicSettings,
)
