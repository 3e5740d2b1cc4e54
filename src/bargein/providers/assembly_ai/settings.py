"""The settings of the vendor AssemblyAI."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class AssemblyAiSettings(Section):
    """The account with AssemblyAI."""

    table: ClassVar[str] = "assembly_ai"
    title: ClassVar[str] = "AssemblyAI"

    api_key: Text | None = variable("ASSEMBLYAI_API_KEY", secret=True)
    """The key for transcriber provider `assembly-ai`, where no credential is stored for it."""

    base_url: BaseUrl = variable("ASSEMBLYAI_BASE_URL", shown="https://streaming.assemblyai.com")
    """Another address of AssemblyAI's API."""
