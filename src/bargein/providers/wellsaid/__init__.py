"""WellSaid: voice provider `wellsaid`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.wellsaid.settings import WellSaidSettings

VENDOR = VendorSpec(name="wellsaid", settings=WellSaidSettings)
