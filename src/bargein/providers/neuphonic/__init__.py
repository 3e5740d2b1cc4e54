"""Neuphonic: voice provider `neuphonic`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.neuphonic.settings import NeuphonicSettings

VENDOR = VendorSpec(name="neuphonic", settings=NeuphonicSettings)
