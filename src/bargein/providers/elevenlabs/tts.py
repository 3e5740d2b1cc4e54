"""Vapi's voice provider `11labs`: ElevenLabs's streamed speech with the times of its characters.

From ElevenLabs's API reference and the types of its Python SDK 2.78; not yet called for real. Break and phoneme tags in
the text are always read over HTTP (help.elevenlabs.io, "Do pauses and SSML phoneme tags work with the API?"), so
`enableSsmlParsing` needs nothing; `autoMode` belongs to ElevenLabs's socket alone.
"""

from collections.abc import AsyncGenerator
from typing import Literal
from urllib.parse import quote

import anyio.lowlevel
import httpx
from typing_extensions import override

from bargein.ports import SpeechChunk, SpokenWord
from bargein.providers.elevenlabs.alignment import CharacterAlignment
from bargein.providers.elevenlabs.settings import ElevenLabsSettings
from bargein.providers.http import StreamError, json_object, lines
from bargein.providers.http_tts import PostedVoice
from bargein.providers.interface import Account, Resources, account_of
from bargein.providers.voice_audio import Samples, audio_of_base64, nearest_rate
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import Bool, Integer, JsonObject, Number, WireModel
from bargein.wire.json import as_object, as_string, read_json

FAILED = "pipeline-error-eleven-labs-voice-failed"

HOSTS = ("https://api.elevenlabs.io", "https://api.eu.residency.elevenlabs.io")
"""The values of `apiUrl` in Vapi's credential, the default first."""

_RATES_HZ = (8000, 16_000, 22_050, 24_000, 44_100, 48_000)
_DEFAULT_MODEL = "eleven_turbo_v2"
_DEFAULT_LATENCY = 3
_WITHOUT_LATENCY = frozenset({"eleven_v3"})

PRESETS = {
    "burt": "4YYIPFl9wE5c4L2eu2Gb",
    "drew": "29vD33N1CtxCmqQRPOHJ",
    "joseph": "Zlb1dXrM653N07WRdFW3",
    "mark": "UgBBYS2sOqTuMpoF3BR0",
    "matilda": "XrExE9yKIg1WjnnlVkGX",
    "paul": "5Q0t7uMcjvnagumLfvZi",
    "ryan": "wViXBPUzp2ZZixB1xQuM",
    "sarah": "EXAVITQu4vr4xnSDxMaL",
}
"""The presets of Vapi's `voiceId` that bear the name of a voice in ElevenLabs's public lists of premade and library
voices. Vapi does not publish what its presets stand for: the others (marissa, andrea, phillip, steve, myra, paula, mrb)
are passed on as they are, and so is any other id."""

_PREFIX = "pipeline-error-eleven-labs-"
_REASONS = {
    401: f"{_PREFIX}unauthorized-access",
    500: f"{_PREFIX}500-server-error",
    503: f"{_PREFIX}503-server-error",
}
_REASONS_BY_CODE = {
    "detected_unusual_activity": f"{_PREFIX}blocked-free-plan-and-requested-upgrade",
    "invalid_api_key": f"{_PREFIX}invalid-api-key",
    "max_character_limit_exceeded": f"{_PREFIX}max-character-limit-exceeded",
    "quota_exceeded": f"{_PREFIX}quota-exceeded",
    "system_busy": f"{_PREFIX}system-busy-and-requested-upgrade",
    "too_many_concurrent_requests": f"{_PREFIX}blocked-concurrent-requests-and-requested-upgrade",
    "voice_not_fine_tuned": f"{_PREFIX}voice-not-fine-tuned",
    "voice_not_found": f"{_PREFIX}voice-not-found",
}
"""The `endedReason` by `detail.status` of an error of ElevenLabs."""


class PronunciationDictionary(WireModel):
    """A pronunciation dictionary (Vapi's `ElevenLabsPronunciationDictionaryLocator`)."""

    pronunciation_dictionary_id: str
    version_id: str | None = None


class ElevenLabsVoiceConfig(WireModel):
    """`assistant.voice` of provider `11labs` (Vapi's `ElevenLabsVoice`)."""

    provider: Literal["11labs"]
    voice_id: str
    model: str | None = None
    language: str | None = None
    stability: Number | None = None
    similarity_boost: Number | None = None
    style: Number | None = None
    use_speaker_boost: Bool | None = None
    speed: Number | None = None
    optimize_streaming_latency: Integer | None = None
    pronunciation_dictionary_locators: list[PronunciationDictionary] | None = None

    def to_body(self, text: str) -> JsonObject:
        """Return the body of the request for a text."""
        voice_settings = {
            "stability": self.stability,
            "similarity_boost": self.similarity_boost,
            "style": self.style,
            "use_speaker_boost": self.use_speaker_boost,
            "speed": self.speed,
        }
        given = {name: value for name, value in voice_settings.items() if value is not None}
        dictionaries = [
            {"pronunciation_dictionary_id": one.pronunciation_dictionary_id}
            | ({} if one.version_id is None else {"version_id": one.version_id})
            for one in self.pronunciation_dictionary_locators or ()
        ]
        body: JsonObject = {"text": text, "model_id": self.model or _DEFAULT_MODEL}
        if self.language:
            body["language_code"] = self.language
        if given:
            body["voice_settings"] = given
        if dictionaries:
            body["pronunciation_dictionary_locators"] = dictionaries
        return body

    @property
    def latency(self) -> int | None:
        """The query's `optimize_streaming_latency`: Vapi's default is 3; models that refuse it get what is written."""
        if self.optimize_streaming_latency is None and (self.model or "") not in _WITHOUT_LATENCY:
            return _DEFAULT_LATENCY
        return self.optimize_streaming_latency


class ElevenLabsVoice(PostedVoice):
    """A voice at ElevenLabs, for one call.

    Args:
        config: the voice.
        account: the key, and `apiUrl` of its credential.
        base_url: the origin of the API.
        client: shared by all calls and closed by its owner.
        rate_hz: the rate of the call's audio.
    """

    def __init__(
        self, config: ElevenLabsVoiceConfig, account: Account, base_url: str, client: httpx.AsyncClient, rate_hz: int
    ) -> None:
        errors = VoiceErrors.of_account(
            account, "ELEVENLABS_API_KEY", FAILED, reasons=_REASONS, reason_of=_reason_of_code
        )
        asked_hz = nearest_rate(rate_hz, _RATES_HZ)
        voice = quote(PRESETS.get(config.voice_id, config.voice_id), safe="")
        query = f"output_format=pcm_{asked_hz}"
        if config.latency is not None:
            query += f"&optimize_streaming_latency={config.latency}"
        super().__init__(
            client,
            errors,
            url=f"{base_url}/v1/text-to-speech/{voice}/stream/with-timestamps?{query}",
            headers={"xi-api-key": account.key},
            body=config.to_body,
            rate_hz=asked_hz,
        )
        # its third generation of models has no break tags (ElevenLabs' "Best practices")
        self.marks = frozenset() if (config.model or "").startswith("eleven_v3") else frozenset({"break"})

    @override
    async def read_speech(self, response: httpx.Response, text: str) -> AsyncGenerator[SpeechChunk]:
        samples, alignment = Samples(), CharacterAlignment(text)
        count = 0
        async for line in lines(response.aiter_bytes()):
            await anyio.lowlevel.checkpoint()  # many lines may arrive at once: other calls go on between them
            if not line.strip():
                continue
            frame = json_object(line)
            if frame.get("detail") is not None or frame.get("error") is not None:
                raise self._errors.refused_frame(line)
            words = _words(alignment, frame, count * 1000 / self._rate_hz)
            pcm = samples.add(audio_of_base64(frame.get("audio_base64")))
            count += pcm.size
            if pcm.size or words:
                yield SpeechChunk(pcm, self._rate_hz, words)
        samples.end()
        if last := alignment.end():
            yield SpeechChunk(samples.add(b""), self._rate_hz, last)


def _words(alignment: CharacterAlignment, frame: JsonObject, audio_before_ms: float) -> tuple[SpokenWord, ...]:
    try:
        return alignment.add(frame.get("alignment"), audio_before_ms)
    except StreamError:
        return ()  # the audio is played without its timings


def _reason_of_code(body: bytes) -> str | None:
    try:
        detail = as_object(as_object(read_json(body)).get("detail"))
    except ValueError:
        return None
    return _REASONS_BY_CODE.get(as_string(detail.get("status")) or as_string(detail.get("code")) or "")


def create_voice(config: ElevenLabsVoiceConfig, resources: Resources, sample_rate_hz: int) -> ElevenLabsVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(ElevenLabsSettings)
    account = account_of(resources, "voice", "11labs", settings.api_key, "ELEVENLABS_API_KEY")
    host = account.api_url if account.api_url in HOSTS else HOSTS[0]
    return ElevenLabsVoice(config, account, settings.base_url or host, resources.client, sample_rate_hz)
