"""AssemblyAI: transcriber provider `assembly-ai`."""

from bargein.providers.assembly_ai.settings import AssemblyAiSettings
from bargein.providers.interface import VendorSpec

VENDOR = VendorSpec(name="assembly_ai", settings=AssemblyAiSettings)
