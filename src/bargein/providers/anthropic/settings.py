"""The settings of the vendor Anthropic."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class AnthropicSettings(Section):
    """The account with Anthropic."""

    table: ClassVar[str] = "anthropic"
    title: ClassVar[str] = "Anthropic"

    api_key: Text | None = variable("ANTHROPIC_API_KEY", secret=True)
    """The key for model provider `anthropic`, where no credential is stored for it."""

    aws_access_key_id: Text | None = variable("AWS_ACCESS_KEY_ID", secret=True)
    """The AWS access key for model provider `anthropic-bedrock`, where no credential is stored for it."""

    aws_secret_access_key: Text | None = variable("AWS_SECRET_ACCESS_KEY", secret=True)
    """The secret of that access key."""

    aws_session_token: Text | None = variable("AWS_SESSION_TOKEN", secret=True)
    """The session token of temporary AWS credentials."""

    aws_region: Text | None = variable("AWS_REGION")
    """The AWS region of model provider `anthropic-bedrock`, where no credential names one."""

    bedrock_base_url: BaseUrl = variable("BEDROCK_BASE_URL", shown="that of the region")
    """Another address of Amazon Bedrock's runtime."""

    base_url: BaseUrl = variable("ANTHROPIC_BASE_URL", shown="https://api.anthropic.com")
    """Another address of Anthropic's API."""
