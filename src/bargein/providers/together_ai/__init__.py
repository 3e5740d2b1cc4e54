"""Together AI: model provider `together-ai`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.together_ai.settings import TogetherAiSettings

VENDOR = VendorSpec(name="together_ai", settings=TogetherAiSettings)
