"""Vapi's voice provider `xai`: xAI's WebSocket for speech, which `text.clear` interrupts, with times of its characters.

From xAI's API reference of 2026 and public clients; not yet called for real.
"""

import json
from collections.abc import Sequence
from typing import Literal

from typing_extensions import override

from bargein.providers.http import endpoint as make_endpoint
from bargein.providers.http import json_object
from bargein.providers.interface import Resources, account_of
from bargein.providers.socket import SocketTarget
from bargein.providers.socket_tts import IGNORED, SocketEvent, SocketKind, SocketVoice
from bargein.providers.voice_audio import LATEST_TIME, WordTiming, audio_of_base64, nearest_rate
from bargein.providers.voice_errors import VoiceErrors
from bargein.providers.xai.settings import XaiSettings
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import as_list, as_object

FAILED = "pipeline-error-xai-voice-failed"

_BASE_URL = "https://api.x.ai/v1"
_RATES_HZ = (8000, 16_000, 22_050, 24_000, 44_100, 48_000)
_KIND = SocketKind(contexts=False, confirms_clear=True)
_DEFAULT_LANGUAGE = "en"
_DEFAULT_SPEED = 1.1


class XaiVoiceConfig(WireModel):
    """`assistant.voice` of provider `xai` (Vapi's `XaiVoice`)."""

    provider: Literal["xai"]
    voice_id: str
    language: str | None = None
    speed: Number | None = None

    def to_query(self, rate_hz: int) -> dict[str, str]:
        """Return the query of the socket; Vapi's default of `speed` is 1.1."""
        return {
            "voice": self.voice_id,
            "language": self.language or _DEFAULT_LANGUAGE,
            "codec": "pcm",
            "sample_rate": str(rate_hz),
            "speed": f"{_DEFAULT_SPEED if self.speed is None else self.speed:g}",
            "with_timestamps": "true",
        }


class XaiVoice(SocketVoice):
    """A voice at xAI, for one call."""

    @override
    def start_messages(self, context: str, text: str) -> Sequence[str]:
        return json.dumps({"type": "text.delta", "delta": text}), '{"type":"text.done"}'

    @override
    def cancel_message(self, context: str) -> str:
        return '{"type":"text.clear"}'

    @override
    def read_message(self, message: str | bytes) -> SocketEvent:
        event = json_object(message)
        match event.get("type"):
            case "audio.delta":
                audio = audio_of_base64(event.get("delta"))
                return SocketEvent(audio=audio, letters=_letters(as_object(event.get("audio_timestamps"))))
            case "audio.done":
                return SocketEvent(done=True)
            case "audio.clear":
                return SocketEvent(cleared=True)
            case "error":
                return SocketEvent(failed=True)
            case _:
                return IGNORED


def _letters(times: JsonObject) -> tuple[WordTiming, ...]:
    letters: list[WordTiming] = []
    letter: object
    for letter, span in zip(as_list(times.get("graph_chars")), as_list(times.get("graph_times")), strict=False):
        match as_list(span):
            case [int() | float() as start, int() | float() as end] if 0 <= start <= LATEST_TIME >= end >= 0:
                letters.append(WordTiming(str(letter), start * 1000, end * 1000))
            case _:
                pass
    return tuple(letters)


def create_voice(config: XaiVoiceConfig, resources: Resources, sample_rate_hz: int) -> XaiVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(XaiSettings)
    account = account_of(resources, "voice", "xai", settings.api_key, "XAI_API_KEY")
    rate_hz = nearest_rate(sample_rate_hz, _RATES_HZ)
    headers = {"Authorization": f"Bearer {account.key}"}
    url = f"{settings.base_url or _BASE_URL}/tts"
    checked = make_endpoint(url, headers, ended_reason=FAILED, query=config.to_query(rate_hz))
    errors = VoiceErrors.of_account(account, "XAI_API_KEY", FAILED)
    return XaiVoice(SocketTarget(checked), _KIND, rate_hz=rate_hz, errors=errors, clock=resources.clock)
