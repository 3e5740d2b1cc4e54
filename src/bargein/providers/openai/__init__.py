"""Model provider `openai`."""

from bargein.providers.openai.llm import OPENAI_BASE_URL, OpenAiConfig, OpenAiModel

__all__ = ["OPENAI_BASE_URL", "OpenAiConfig", "OpenAiModel"]
