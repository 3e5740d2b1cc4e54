"""The settings of the vendor Soniox."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class SonioxSettings(Section):
    """The account with Soniox."""

    table: ClassVar[str] = "soniox"
    title: ClassVar[str] = "Soniox"

    api_key: Text | None = variable("SONIOX_API_KEY", secret=True)
    """The key for transcriber provider `soniox`, where no credential is stored for it."""

    base_url: BaseUrl = variable("SONIOX_BASE_URL", shown="https://stt-rt.soniox.com")
    """Another address of Soniox's API."""
