"""OpenRouter: model provider `openrouter`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.openrouter.settings import OpenRouterSettings

VENDOR = VendorSpec(name="openrouter", settings=OpenRouterSettings)
