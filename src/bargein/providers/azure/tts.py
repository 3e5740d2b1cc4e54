"""Vapi's voice providers `azure` and `microsoft`: Azure Speech's REST API with SSML, raw audio.

From Azure's REST reference (cognitiveservices/v1) and its page on SSML; not yet called for real. The API gives no word
times.
"""

import re
from collections.abc import AsyncGenerator
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

import httpx
from typing_extensions import override

from bargein.ports import SpeechChunk
from bargein.providers.azure.account import speech_account
from bargein.providers.azure.settings import AzureSettings
from bargein.providers.http_tts import HttpVoice
from bargein.providers.interface import Account, Resources
from bargein.providers.voice_audio import nearest_rate, raw_chunks
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import Number, WireModel

AZURE_FAILED = "pipeline-error-azure-voice-failed"
MICROSOFT_FAILED = "pipeline-error-microsoft-voice-failed"

_DEFAULT_MICROSOFT_REGION = "eastus"
_FORMATS = {rate: f"raw-{rate // 1000}khz-16bit-mono-pcm" for rate in (8000, 16_000, 24_000, 48_000)}
_SPEAK = "http://www.w3.org/2001/10/synthesis"
_MSTTS = "https://www.w3.org/2001/mstts"

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML cannot have: Azure refuses the whole request."""

_TAG = re.compile(
    r'<break(?P<how>(?:\s{1,8}(?:time="\d{1,5}(?:\.\d{1,3})?m?s"|strength="[a-z-]{1,10}")){0,2})\s{0,8}/?>'
    r"|<spell>(?P<spelled>[^<>]{0,200})</spell>"
)

PRESETS = {"andrew": "en-US-AndrewNeural", "brian": "en-US-BrianNeural", "emma": "en-US-EmmaNeural"}
"""The presets of Vapi's `voiceId`, by Azure's list of neural voices."""


class AzureVoiceConfig(WireModel):
    """`assistant.voice` of provider `azure` (Vapi's `AzureVoice`)."""

    provider: Literal["azure"]
    voice_id: str
    speed: Number | None = None

    def to_ssml(self, text: str) -> str:
        """Return the SSML for a text."""
        return _document(PRESETS.get(self.voice_id, self.voice_id), _with_rate(_marked_up(text), self.speed))


class MicrosoftVoiceConfig(WireModel):
    """`assistant.voice` of provider `microsoft` (Vapi's `MicrosoftVoice`); degree and role need a style."""

    provider: Literal["microsoft"]
    voice_id: str
    style: str | None = None
    style_degree: Number | None = None
    role: str | None = None
    speed: Number | None = None

    def to_ssml(self, text: str) -> str:
        """Return the SSML for a text."""
        inner = _with_rate(_marked_up(text), self.speed)
        if self.style:
            degree = "" if self.style_degree is None else f" styledegree={quoteattr(f'{self.style_degree:g}')}"
            role = "" if not self.role else f" role={quoteattr(self.role)}"
            inner = f"<mstts:express-as style={quoteattr(self.style)}{degree}{role}>{inner}</mstts:express-as>"
        return _document(self.voice_id, inner)


def _marked_up(text: str) -> str:
    """Return a text as XML: `<break>` and `<spell>` keep their meaning, all else is read as it is written."""
    text = _NO_XML.sub(" ", text)
    parts: list[str] = []
    at = 0
    for found in _TAG.finditer(text):
        spelled = found["spelled"]
        parts.append(escape(text[at : found.start()]))
        if spelled is None:
            parts.append(f"<break{found['how']}/>")
        else:
            parts.append(f'<say-as interpret-as="characters">{escape(spelled)}</say-as>')
        at = found.end()
    return "".join((*parts, escape(text[at:])))


def _with_rate(inner: str, speed: float | None) -> str:
    """Wrap speech into a rate, which is a multiplier in Azure's SSML."""
    return inner if speed is None else f"<prosody rate={quoteattr(f'{speed:g}')}>{inner}</prosody>"


def _document(voice: str, inner: str) -> str:
    language = "-".join(voice.split("-")[:2]) or "en-US"
    return (
        f'<speak version="1.0" xmlns="{_SPEAK}" xmlns:mstts="{_MSTTS}" xml:lang={quoteattr(language)}>'
        f"<voice name={quoteattr(voice)}>{inner}</voice></speak>"
    )


class AzureVoice(HttpVoice):
    """A voice at Azure Speech, for one call.

    Args:
        config: the voice.
        account: the key.
        base_url: the origin of the region's speech synthesis.
        client: shared by all calls and closed by its owner.
        rate_hz: the rate of the call's audio.
    """

    marks = frozenset({"break", "spell"})

    def __init__(
        self,
        config: AzureVoiceConfig | MicrosoftVoiceConfig,
        account: Account,
        base_url: str,
        client: httpx.AsyncClient,
        rate_hz: int,
    ) -> None:
        failed = AZURE_FAILED if isinstance(config, AzureVoiceConfig) else MICROSOFT_FAILED
        super().__init__(client, VoiceErrors.of_account(account, "AZURE_SPEECH_KEY", failed))
        self._config = config
        self._rate_hz = nearest_rate(rate_hz, _FORMATS)
        self._url = httpx.URL(f"{base_url}/cognitiveservices/v1")
        self._headers = {
            "Ocp-Apim-Subscription-Key": account.key,
            "Content-Type": "application/ssml+xml",
            "X-Microsoft-OutputFormat": _FORMATS[self._rate_hz],
        }

    @override
    def origin(self) -> httpx.URL:
        return self._url.copy_with(path="/")

    @override
    def build_request(self, text: str) -> httpx.Request:
        content = self._config.to_ssml(text).encode()
        return self._client.build_request("POST", self._url, headers=self._headers, content=content)

    @override
    def read_speech(self, response: httpx.Response, text: str) -> AsyncGenerator[SpeechChunk]:
        return raw_chunks(response.aiter_bytes(), self._rate_hz)


def create_azure_voice(config: AzureVoiceConfig, resources: Resources, sample_rate_hz: int) -> AzureVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key or no region.
    """
    account, region = speech_account(resources, "voice", "azure")
    return AzureVoice(config, account, _base_url(resources, region), resources.client, sample_rate_hz)


def create_microsoft_voice(config: MicrosoftVoiceConfig, resources: Resources, sample_rate_hz: int) -> AzureVoice:
    """Make the voice of one call; the region is `eastus` unless another one is named.

    Raises:
        ProviderError: there is no key.
    """
    account, region = speech_account(resources, "voice", "microsoft", _DEFAULT_MICROSOFT_REGION)
    return AzureVoice(config, account, _base_url(resources, region), resources.client, sample_rate_hz)


def _base_url(resources: Resources, region: str) -> str:
    own = resources.settings.section(AzureSettings).base_url
    return own or f"https://{region}.tts.speech.microsoft.com"
