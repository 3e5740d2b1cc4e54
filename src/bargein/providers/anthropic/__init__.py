"""Anthropic: model provider `anthropic`."""

from bargein.providers.anthropic.settings import AnthropicSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="anthropic", settings=AnthropicSettings)
