"""Vapi's voice provider `minimax`: MiniMax's T2A v2 as server-sent events, hexadecimal audio.

From MiniMax's API reference of 2026; not yet called for real. Its errors come with status 200, in `base_resp`.
`subtitleType` has no effect: the stream gives no word times.
"""

from typing import ClassVar, Literal
from urllib.parse import quote

from typing_extensions import override

from bargein.ports import ProviderError
from bargein.providers.http import StreamError
from bargein.providers.http_tts import Frame, FramedVoice
from bargein.providers.interface import Resources, account_of
from bargein.providers.minimax.settings import MinimaxSettings
from bargein.providers.voice_audio import nearest_rate
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import Bool, JsonObject, Number, WireModel
from bargein.wire.json import as_object, as_string

FAILED = "pipeline-error-minimax-voice-failed"

_BASE_URLS = {"worldwide": "https://api.minimax.io/v1", "china": "https://api.minimaxi.com/v1"}
_DEFAULT_MODEL = "speech-02-turbo"
_RATES_HZ = (8000, 16_000, 22_050, 24_000, 32_000, 44_100)
_STATUSES = {1002: 429, 1004: 401, 1008: 402, 2013: 400, 2049: 401, 20132: 400}
"""The HTTP statuses that MiniMax's codes stand for (platform.minimax.io/docs/api-reference/errorcode)."""


class MinimaxVoiceConfig(WireModel):
    """`assistant.voice` of provider `minimax` (Vapi's `MinimaxVoice`)."""

    provider: Literal["minimax"]
    voice_id: str
    model: str | None = None
    emotion: str | None = None
    pitch: Number | None = None
    speed: Number | None = None
    volume: Number | None = None
    region: Literal["worldwide", "china"] | None = None
    language_boost: str | None = None
    text_normalization_enabled: Bool | None = None

    def to_body(self, text: str, rate_hz: int) -> JsonObject:
        """Return the body of the request for a text."""
        given = {
            "speed": self.speed,
            "vol": self.volume,
            "pitch": None if self.pitch is None else round(self.pitch),
            "emotion": self.emotion,
            "text_normalization": self.text_normalization_enabled,
        }
        voice: JsonObject = {name: value for name, value in given.items() if value is not None}
        body: JsonObject = {
            "model": self.model or _DEFAULT_MODEL,
            "text": text,
            "stream": True,
            "stream_options": {"exclude_aggregated_audio": True},
            "voice_setting": {"voice_id": self.voice_id, **voice},
            "audio_setting": {"sample_rate": rate_hz, "format": "pcm", "channel": 1},
        }
        if self.language_boost:
            body["language_boost"] = self.language_boost
        return body


class MinimaxVoice(FramedVoice):
    """A voice at MiniMax, for one call."""

    sse: ClassVar[bool] = True

    @override
    def read_frame(self, frame: JsonObject, data: bytes) -> Frame:
        answer = as_object(frame.get("base_resp"))
        if code := answer.get("status_code"):
            raise self._refusal(code, as_string(answer.get("status_msg")) or "")
        if frame.get("extra_info") is not None:
            return Frame()  # the last frame, whose audio would be that of all frames
        try:
            return Frame(bytes.fromhex(as_string(as_object(frame.get("data")).get("audio")) or ""))
        except ValueError:
            raise StreamError("a frame's audio is not hexadecimal") from None

    def _refusal(self, code: object, says: str) -> ProviderError:
        status = _STATUSES.get(code) if isinstance(code, int) else None
        return self._errors.refused_frame(says) if status is None else self._errors.refusal(status, {}, says.encode())


def create_voice(config: MinimaxVoiceConfig, resources: Resources, sample_rate_hz: int) -> MinimaxVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(MinimaxSettings)
    account = account_of(resources, "voice", "minimax", settings.api_key, "MINIMAX_API_KEY")
    group = as_string(account.credential.get("groupId")) or settings.group_id
    base_url = settings.base_url or _BASE_URLS[config.region or "worldwide"]
    rate_hz = nearest_rate(sample_rate_hz, _RATES_HZ)
    return MinimaxVoice(
        resources.client,
        VoiceErrors.of_account(account, "MINIMAX_API_KEY", FAILED),
        url=f"{base_url}/t2a_v2" + (f"?GroupId={quote(group, safe='')}" if group else ""),
        headers={"Authorization": f"Bearer {account.key}"},
        body=lambda text: config.to_body(text, rate_hz),
        rate_hz=rate_hz,
    )
