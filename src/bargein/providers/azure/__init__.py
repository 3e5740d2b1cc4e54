"""Azure Speech: transcriber and voice provider `azure`, and voice provider `microsoft`."""

from bargein.providers.azure.settings import AzureSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="azure", settings=AzureSettings)
