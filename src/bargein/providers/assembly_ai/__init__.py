"""AssemblyAI: transcriber provider `assembly-ai`."""

from bargein.providers.assembly_ai.settings import AssemblyAiSettings
from bargein.providers.assembly_ai.stt import AssemblyAiTranscriberConfig, create_transcriber
from bargein.providers.interface import TranscriberPart, VendorSpec

VENDOR = VendorSpec(
    name="assembly_ai",
    transcribers={"assembly-ai": TranscriberPart(AssemblyAiTranscriberConfig, create_transcriber)},
    settings=AssemblyAiSettings,
)
