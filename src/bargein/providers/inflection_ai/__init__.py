"""Inflection AI: model provider `inflection-ai`."""

from bargein.providers.inflection_ai.settings import InflectionAiSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="inflection_ai", settings=InflectionAiSettings)
