"""The settings of the vendor Azure Speech."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class AzureSettings(Section):
    """The account with Azure Speech."""

    table: ClassVar[str] = "azure"
    title: ClassVar[str] = "Azure Speech"

    api_key: Text | None = variable("AZURE_SPEECH_KEY", secret=True)
    """The key for transcriber `azure` and voices `azure` and `microsoft`, where no credential is stored."""

    region: Text | None = variable("AZURE_SPEECH_REGION")
    """The region of the Speech resource, for example `westeurope`, where no credential names one."""

    base_url: BaseUrl = variable("AZURE_SPEECH_BASE_URL", shown="that of the region")
    """Another address of Azure Speech's API."""
