"""Google Gemini: model and transcriber provider `google`."""

from bargein.providers.google.settings import GoogleSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="google", settings=GoogleSettings)
