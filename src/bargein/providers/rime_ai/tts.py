"""Vapi's voice provider `rime-ai`: Rime's JSON WebSocket (`/ws3`), which `clear` interrupts, with times of its words.

From Rime's API reference of 2026 and public clients; not yet called for real.
"""

import json
from collections.abc import Sequence
from typing import Literal

from typing_extensions import override

from bargein.providers.http import endpoint as make_endpoint
from bargein.providers.http import json_object
from bargein.providers.interface import Resources, account_of
from bargein.providers.rime_ai.settings import RimeAiSettings
from bargein.providers.socket import SocketTarget
from bargein.providers.socket_tts import IGNORED, SocketEvent, SocketKind, SocketVoice
from bargein.providers.voice_audio import audio_of_base64, nearest_rate, timings_of_lists
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import Bool, Number, WireModel
from bargein.wire.json import as_object, as_string

FAILED = "pipeline-error-rime-ai-voice-failed"

_BASE_URL = "https://users-ws.rime.ai"
_DEFAULT_MODEL = "arcana"
_RATES_HZ = (8000, 16_000, 22_050, 24_000, 44_100, 48_000)
_KIND = SocketKind(contexts=True)


class RimeAiVoiceConfig(WireModel):
    """`assistant.voice` of provider `rime-ai` (Vapi's `RimeAIVoice`)."""

    provider: Literal["rime-ai"]
    voice_id: str
    model: str | None = None
    speed: Number | None = None
    pause_between_brackets: Bool | None = None
    phonemize_between_brackets: Bool | None = None
    reduce_latency: Bool | None = None
    inline_speed_alpha: str | None = None
    language: str | None = None

    def to_query(self, rate_hz: int) -> dict[str, str]:
        """Return the query of the socket; Rime's `speedAlpha` is a factor of the duration, `speed` its inverse."""
        query = {
            "speaker": self.voice_id,
            "modelId": self.model or _DEFAULT_MODEL,
            "audioFormat": "pcm",
            "samplingRate": str(rate_hz),
        }
        if self.language:
            query["lang"] = self.language
        if self.speed:
            query["speedAlpha"] = f"{1 / self.speed:.4g}"
        switches = {
            "pauseBetweenBrackets": self.pause_between_brackets,
            "phonemizeBetweenBrackets": self.phonemize_between_brackets,
            "reduceLatency": self.reduce_latency,
        }
        query |= {name: json.dumps(value) for name, value in switches.items() if value is not None}
        if self.inline_speed_alpha:
            query["inlineSpeedAlpha"] = self.inline_speed_alpha
        return query


class RimeAiVoice(SocketVoice):
    """A voice at Rime, for one call. `clear` is about all that a socket has, so it has one speech at a time."""

    @override
    def start_messages(self, context: str, text: str) -> Sequence[str]:
        return json.dumps({"text": text, "contextId": context}), '{"operation":"flush"}'

    @override
    def cancel_message(self, context: str) -> str:
        return '{"operation":"clear"}'

    @override
    def read_message(self, message: str | bytes) -> SocketEvent:
        event = json_object(message)
        context = as_string(event.get("contextId"))
        match event.get("type"):
            case "chunk":
                return SocketEvent(context=context, audio=audio_of_base64(event.get("data")))
            case "timestamps":
                words = as_object(event.get("word_timestamps"))
                timings = timings_of_lists(words.get("words"), words.get("start"), words.get("end"), per_ms=0.001)
                return SocketEvent(context=context, timings=timings)
            case "done":
                return SocketEvent(context=context, done=True)
            case "error":
                return SocketEvent(context=context, failed=True)
            case _:
                return IGNORED


def create_voice(config: RimeAiVoiceConfig, resources: Resources, sample_rate_hz: int) -> RimeAiVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(RimeAiSettings)
    account = account_of(resources, "voice", "rime-ai", settings.api_key, "RIME_API_KEY")
    rate_hz = nearest_rate(sample_rate_hz, _RATES_HZ)
    headers = {"Authorization": f"Bearer {account.key}"}
    url = f"{settings.base_url or _BASE_URL}/ws3"
    checked = make_endpoint(url, headers, ended_reason=FAILED, query=config.to_query(rate_hz))
    errors = VoiceErrors.of_account(account, "RIME_API_KEY", FAILED)
    return RimeAiVoice(SocketTarget(checked), _KIND, rate_hz=rate_hz, errors=errors, clock=resources.clock)
