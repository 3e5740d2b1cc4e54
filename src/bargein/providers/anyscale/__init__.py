"""Anyscale: model provider `anyscale`, by OpenAI's chat completions.

Its public endpoint was closed in 2024: ANYSCALE_BASE_URL names the one that the operator runs there.
"""

from bargein.providers.anyscale.settings import AnyscaleSettings
from bargein.providers.chat_vendor import chat_model_part
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(
    name="anyscale",
    models={"anyscale": chat_model_part("anyscale", AnyscaleSettings, None)},
    settings=AnyscaleSettings,
)
