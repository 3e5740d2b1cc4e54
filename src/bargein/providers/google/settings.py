"""The settings of the vendor Google Gemini."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class GoogleSettings(Section):
    """The account with Google Gemini."""

    table: ClassVar[str] = "google"
    title: ClassVar[str] = "Google Gemini"

    api_key: Text | None = variable("GEMINI_API_KEY", secret=True)
    """The key for model and transcriber provider `google`, where no credential is stored for it."""

    base_url: BaseUrl = variable("GEMINI_BASE_URL", shown="https://generativelanguage.googleapis.com")
    """Another address of Google Gemini's API."""
