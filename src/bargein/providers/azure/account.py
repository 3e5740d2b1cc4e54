"""The account with Azure Speech: a key, and the region that its hosts are in."""

import re
from dataclasses import replace

from bargein.ports import ProviderError
from bargein.providers.azure.settings import AzureSettings
from bargein.providers.interface import CANNOT_START, Account, PartName, Resources, account_of
from bargein.wire.json import as_string

_REGION = re.compile(r"[a-z][a-z0-9-]{0,40}")
_REGIONS = {
    "france": "francecentral",
    "india": "centralindia",
    "norway": "norwayeast",
    "switzerland": "switzerlandnorth",
    "uk": "uksouth",
}
"""The regions of Vapi's `AzureCredential` that Azure names otherwise."""


def speech_account(
    resources: Resources, part: PartName, provider: str, default_region: str | None = None
) -> tuple[Account, str]:
    """Return the account of a part, and its region.

    A credential for Blob Storage (`service`) is none for speech.

    Args:
        resources: the inputs of the part's factory.
        part: the part.
        provider: its `provider`, and that of the credential.
        default_region: the region if neither the credential nor the settings name one.

    Raises:
        ProviderError: there is no key or no region.
    """
    settings = resources.settings.section(AzureSettings)
    if resources.credentials.get(provider, {}).get("service", "speech") != "speech":
        others = {name: one for name, one in resources.credentials.items() if name != provider}
        resources = replace(resources, credentials=others)
    account = account_of(resources, part, provider, settings.api_key, "AZURE_SPEECH_KEY")
    named = as_string(account.credential.get("region")) or settings.region or default_region or ""
    region = _REGIONS.get(named, named)
    if _REGION.fullmatch(region) is None and settings.base_url is None:
        raise ProviderError(
            f"{part} provider {provider} needs the region of the Speech resource",
            ended_reason=CANNOT_START,
            provider=provider,
            setting=f"the credential {provider}, or AZURE_SPEECH_REGION",
        )
    return account, region
