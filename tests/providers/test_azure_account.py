"""The key and the region of Azure Speech: of the owner's credential, or of the settings."""

from typing import Any

import httpx
import pytest

from bargein.ports import ProviderError
from bargein.providers.azure.account import speech_account
from bargein.providers.azure.tts import AzureVoiceConfig, MicrosoftVoiceConfig, create_azure_voice
from bargein.providers.azure.tts import create_microsoft_voice as create_microsoft
from bargein.providers.interface import Resources
from bargein.testing.settings import make_settings
from tests.providers.resources import make_resources

pytestmark = pytest.mark.anyio


def resources(credentials: dict[str, Any], **settings: Any) -> Resources:
    return make_resources(make_settings(**settings), httpx.AsyncClient(), credentials)


def test_the_credential_comes_first() -> None:
    given = resources({"azure": {"apiKey": "own", "region": "uk"}}, azure_api_key="theirs", azure_region="westeurope")
    account, region = speech_account(given, "voice", "azure")
    assert (account.key, region) == ("own", "uksouth")


def test_a_credential_for_storage_is_none_for_speech() -> None:
    credential = {"apiKey": "own", "service": "blob_storage", "region": "uk"}
    given = resources({"azure": credential}, azure_api_key="theirs", azure_region="westeurope")
    account, region = speech_account(given, "voice", "azure")
    assert (account.key, region) == ("theirs", "westeurope")


@pytest.mark.parametrize("region", [None, "evil.example/", "a b", "@evil"])
def test_a_region_that_is_none_is_refused(region: str | None) -> None:
    credential = {"apiKey": "own"} if region is None else {"apiKey": "own", "region": region}
    with pytest.raises(ProviderError, match="AZURE_SPEECH_REGION") as caught:
        speech_account(resources({"azure": credential}), "voice", "azure")
    assert caught.value.setting == "the credential azure, or AZURE_SPEECH_REGION"


async def test_the_regions_host_is_asked() -> None:
    config = AzureVoiceConfig.from_json({"provider": "azure", "voiceId": "emma"})
    given = resources({"azure": {"apiKey": "own", "region": "india"}})
    request = create_azure_voice(config, given, 8000).build_request("Hi.")
    assert str(request.url) == "https://centralindia.tts.speech.microsoft.com/cognitiveservices/v1"


async def test_microsoft_has_a_default_region() -> None:
    config = MicrosoftVoiceConfig.from_json({"provider": "microsoft", "voiceId": "en-US-Ethan:MAI-Voice-2"})
    request = create_microsoft(config, resources({"microsoft": {"apiKey": "own"}}), 8000).build_request("Hi.")
    assert request.url.host == "eastus.tts.speech.microsoft.com"
    assert request.headers["ocp-apim-subscription-key"] == "own"
