"""Vapi's `custom-voice`: the owner's text to speech behind a URL."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from typing_extensions import override

from bargein.clock import Clock
from bargein.ports import ProviderError, SpeechChunk
from bargein.providers.custom.tts_frames import json_chunks
from bargein.providers.http import endpoint, lines, sse_data, with_secret
from bargein.providers.http_tts import HttpVoice
from bargein.providers.interface import Resources
from bargein.providers.options import read_headers, read_timeout
from bargein.providers.voice_audio import raw_chunks
from bargein.providers.voice_errors import VoiceErrors, VoiceLimits
from bargein.wire import providers as wire

FAILED = "pipeline-error-custom-voice-failed"

DEFAULT_TIMEOUT_S = 20.0
"""Default of `voice.server.timeoutSeconds`, until the first audio."""
DEFAULT_CHUNK_TIMEOUT_S = 10.0
"""The longest pause between two pieces of a voice's audio."""

_RAW_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_COMPRESSED = frozenset({"mpeg", "mp3", "mp4", "aac", "ogg", "opus", "webm", "flac", "x-flac", "amr", "basic", "pcmu"})
_JSON_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomVoiceConfig:
    """The configuration of a `CustomVoice`: Vapi's type of that name with its defaults.

    Attributes:
        url: `server.url`.
        sample_rate_hz: the requested rate (`sampleRate` of the request).
        secret: `server.secret`, sent as `X-Vapi-Secret`.
        headers: `server.headers`.
        timeout_s: `server.timeoutSeconds`: the longest wait for the first audio.
        chunk_timeout_s: the longest wait for more audio, and how far the waits together may be behind the audio that
            they brought: a voice that is slower than real time is heard as silence.
        voice_id: `voiceId`, passed on in the request.
        context: further fields of the message: `call`, `assistant`, `customer`, `phoneNumber`, without secrets.
    """

    url: str
    sample_rate_hz: int
    secret: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    chunk_timeout_s: float = DEFAULT_CHUNK_TIMEOUT_S
    voice_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


class CustomVoice(HttpVoice):
    """A voice at the owner's URL, for one call.

    Each `speak` is one `POST` of `{"message": {"type": "voice-request", "text", "sampleRate", "timestamp", …}}`
    (`ServerMessageVoiceRequest`). The answer has status 200 and one of these bodies, played as it arrives:

    * `application/octet-stream`, any uncompressed `audio/*`, or no content type: mono 16-bit little-endian samples at
      the requested rate, without a header. As with Vapi, a container is not recognised: a WAV header would be a click.
    * `application/x-ndjson` (also `application/ndjson`, `application/jsonl`), one JSON object a line, or
      `text/event-stream`, one JSON object an event, `[DONE]` ending it: frames `{"audio", "timing", "sampleRate"}`,
      each field optional. `audio` is base64 of such samples. `timing` (or the frame itself) is either
      `{"words": ["One", …], "wordsStartTimesMs": […], "wordsEndTimesMs": […]}` or
      `{"words": [{"word", "startMs", "endMs"}, …]}`, in milliseconds from the first sample of the answer, in the order
      of the text. Timings that cannot be read are left out; `{"error": …}` or `{"type": "error"}` is a failure.

    Everything else is a failure: another status (also a redirect: the secret must not go to another host), plain JSON,
    text, compressed audio, no audio at all for a text with letters or digits, a body that breaks off.

    Args:
        config: the server and the request's fields.
        client: shared by all calls and closed by its owner (`bargein.http_client.new_client`).
        clock: for the request's `timestamp`.
        auth: signs the requests (`server.credentialId`).

    Raises:
        ProviderError: the URL or a header is unusable.
    """

    marks = frozenset({"break", "spell"})  # its owner's server gets the text as Vapi sends it

    def __init__(
        self, config: CustomVoiceConfig, client: httpx.AsyncClient, clock: Clock, auth: httpx.Auth | None = None
    ) -> None:
        self._config = config
        self._clock = clock
        self._auth = auth
        self._endpoint = endpoint(config.url, with_secret(config.headers, config.secret), ended_reason=FAILED)
        errors = VoiceErrors(name=f"the voice's server {self._endpoint.name}", failed=FAILED)
        super().__init__(client, errors, VoiceLimits(config.timeout_s, config.chunk_timeout_s))

    @override
    def build_request(self, text: str) -> httpx.Request:
        return self._client.build_request(
            "POST", self._endpoint.url, headers=self._endpoint.headers, json={"message": self._message(text)}
        )

    @override
    async def send(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True, auth=self._auth)

    @override
    async def refusal(self, response: httpx.Response) -> ProviderError:
        """Return the error for a status; the owner's own server is not quoted."""
        return self._errors.failure(f"answered {response.status_code}")

    @override
    def read_speech(self, response: httpx.Response, text: str) -> AsyncGenerator[SpeechChunk]:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        rate_hz = self._config.sample_rate_hz
        if kind in _JSON_LINES:
            return json_chunks(lines(response.aiter_bytes()), text, rate_hz)
        if kind == "text/event-stream":
            return json_chunks(sse_data(response.aiter_bytes()), text, rate_hz)
        family, _, subtype = kind.partition("/")
        if kind in _RAW_TYPES or (family == "audio" and subtype not in _COMPRESSED):
            return raw_chunks(response.aiter_bytes(), rate_hz)
        raise self._errors.failure("sent neither raw audio nor JSON frames")

    def _message(self, text: str) -> dict[str, Any]:
        named = {} if self._config.voice_id is None else {"voiceId": self._config.voice_id}
        return {
            **self._config.context,
            **named,
            "type": "voice-request",
            "text": text,
            "sampleRate": self._config.sample_rate_hz,
            "timestamp": self._clock.epoch_ms(),
        }


def create_voice(config: wire.CustomVoice, resources: Resources, sample_rate_hz: int) -> CustomVoice:
    """Make the voice of one call.

    `timeoutSeconds` limits the wait for the first audio; a shorter one than the limit between chunks limits that, too.

    Raises:
        ProviderError: the URL or a header is unusable.
    """
    server = config.server
    timeout_s = read_timeout(server).get("timeout_s")
    settled = CustomVoiceConfig(
        url=server.url or "",
        sample_rate_hz=sample_rate_hz,
        secret=server.secret,
        headers=read_headers(server.headers),
        voice_id=config.voice_id,
        context={name: value for name, value in resources.context.items() if name != "metadata"},
        timeout_s=DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s,
        chunk_timeout_s=DEFAULT_CHUNK_TIMEOUT_S if timeout_s is None else min(timeout_s, DEFAULT_CHUNK_TIMEOUT_S),
    )
    return CustomVoice(settled, resources.guarded_client, resources.clock, resources.auth)
