"""Perplexity: model provider `perplexity-ai`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.perplexity_ai.settings import PerplexitySettings

VENDOR = VendorSpec(name="perplexity_ai", settings=PerplexitySettings)
