"""LMNT: voice provider `lmnt`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.lmnt.settings import LmntSettings

VENDOR = VendorSpec(name="lmnt", settings=LmntSettings)
