"""Groq: model provider `groq`."""

from bargein.providers.groq.settings import GroqSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="groq", settings=GroqSettings)
