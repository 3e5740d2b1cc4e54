"""Vapi's `custom-transcriber`: the owner's speech to text behind a WebSocket."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import httpx
import numpy as np
from typing_extensions import override
from websockets.asyncio.client import ClientConnection

from bargein.audio.pcm import to_bytes
from bargein.ports import (
    TRANSCRIBER_RATE_HZ,
    Pcm16,
    ProviderError,
    Transcriber,
    TranscriberStream,
    TranscriptCallback,
)
from bargein.providers.audio_socket import AudioSocket, Refusal, SocketLimits
from bargein.providers.http import Addresses, StreamError, endpoint, json_object, with_secret
from bargein.providers.interface import Resources
from bargein.providers.options import read_headers, read_timeout
from bargein.providers.socket import SocketTarget, http_url
from bargein.wire import providers as wire

if TYPE_CHECKING:
    from bargein.clock import Clock

FAILED = "pipeline-error-custom-transcriber-failed"

DEFAULT_TIMEOUT_S = 20.0
"""Default of `transcriber.server.timeoutSeconds`."""

_START = json.dumps(
    {"type": "start", "encoding": "linear16", "container": "raw", "sampleRate": TRANSCRIBER_RATE_HZ, "channels": 2}
)
_BYTES_PER_MS = TRANSCRIBER_RATE_HZ * 2 * 2 // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTranscriberConfig:
    """The configuration of a `CustomTranscriber`: Vapi's type of that name with its defaults.

    Attributes:
        url: `server.url`: ws or wss; http and https mean the same.
        secret: `server.secret`, sent as `X-Vapi-Secret`.
        headers: `server.headers`.
        timeout_s: `server.timeoutSeconds`: the longest wait for the first connection.
        reconnect_s: the longest wait for the second one, after the first was lost.
        stall_s: the longest time in which the peer accepts no audio or answers no ping; also the length of the queue.
        ping_s: the interval between two pings.
    """

    url: str
    secret: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    reconnect_s: float = 2.0
    stall_s: float = 5.0
    ping_s: float = 2.5


class CustomTranscriber(Transcriber):
    """A transcriber at the owner's URL.

    The peer gets one `start` message, then binary frames of interleaved 16-bit little-endian stereo at 16 kHz
    (channel 0 the customer, channel 1 the assistant), silence included, until the call ends. It answers with
    `{"type": "transcriber-response", "transcription", "channel": "customer" | "assistant", "transcriptType": "final" |
    "partial"}`; without `transcriptType` it is a final. Transcripts of the assistant's channel are ignored.

    Args:
        config: the server and the limits.
        clock: measures how long a connection lasted.
        addresses: resolves the host; the system's resolver if not given.
        auth: signs the opening of the socket (`server.credentialId`).

    Raises:
        ProviderError: the URL or a header is unusable.
    """

    def __init__(
        self,
        config: CustomTranscriberConfig,
        clock: "Clock",
        addresses: Addresses | None = None,
        auth: httpx.Auth | None = None,
    ) -> None:
        checked = endpoint(http_url(config.url), with_secret(config.headers, config.secret), ended_reason=FAILED)
        self._config = config
        self._clock = clock
        self._target = SocketTarget(checked, addresses, auth)

    @override
    def open(self, on_transcript: TranscriptCallback) -> "CustomTranscriberStream":
        return CustomTranscriberStream(self._config, self._target, on_transcript, self._clock)


class CustomTranscriberStream(AudioSocket, TranscriberStream):
    """The transcription of one call. Finals arrive when the peer sends them."""

    def __init__(
        self, config: CustomTranscriberConfig, target: SocketTarget, on_transcript: TranscriptCallback, clock: "Clock"
    ) -> None:
        limits = SocketLimits(
            connect_s=config.timeout_s, reconnect_s=config.reconnect_s, stall_s=config.stall_s, ping_s=config.ping_s
        )
        super().__init__(limits, clock, bytes_per_ms=_BYTES_PER_MS, host=target.name)
        self._target = target
        self._on_transcript = on_transcript

    @override
    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        """Queue audio; if the queue is longer than `stall_s`, the oldest is dropped."""
        stereo = np.empty((customer.size, 2), np.int16)
        stereo[:, 0] = customer
        stereo[:, 1] = assistant
        self._queue_audio(to_bytes(stereo))

    @override
    def voice_started(self, lead_ms: int) -> None:
        """Do nothing: the peer gets all audio, and decides itself when an utterance begins and ends."""

    @override
    def voice_paused(self) -> None:
        """Do nothing."""

    @override
    def voice_resumed(self) -> None:
        """Do nothing."""

    @override
    def voice_stopped(self) -> None:
        """Do nothing."""

    @override
    async def run(self) -> None:
        await super().run()

    @override
    async def _connect(self) -> ClientConnection:
        return await self._target.connect()

    @override
    def _begin_connection(self) -> tuple[str, ...]:
        return (_START,)

    @override
    def _receive(self, message: str | bytes) -> None:
        try:
            text, channel, final, confidence = _read_response(message)
        except StreamError as error:
            self._warn_once("a custom transcriber's message was ignored", why=str(error))
            return
        if channel == "customer":
            if confidence is None:
                self._on_transcript(text, final)
            else:
                self._on_transcript(text, final, confidence)

    @override
    def _failure(self, problem: str, refusal: Refusal | None = None) -> ProviderError:
        return ProviderError(f"the transcriber's server {self._target.name} {problem}", ended_reason=FAILED)


def _read_response(message: str | bytes) -> tuple[str, str, bool, float | None]:
    """Read one `transcriber-response`: its text, its channel, True for a final, and its confidence."""
    if isinstance(message, bytes):
        raise StreamError("it is binary")
    response = json_object(message)
    text, channel = response.get("transcription"), response.get("channel")
    kind = response.get("transcriptType", "final")
    if response.get("type") != "transcriber-response" or not isinstance(text, str):
        raise StreamError("it is no transcriber-response")
    if channel not in ("customer", "assistant") or kind not in ("final", "partial"):
        raise StreamError("its channel or transcriptType is unknown")
    confidence: object = response.get("confidence")
    known = isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1
    return text, str(channel), kind == "final", float(cast("float", confidence)) if known else None


def create_transcriber(config: wire.CustomTranscriber, resources: Resources) -> CustomTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: the URL or a header is unusable.
    """
    server = config.server
    settled = CustomTranscriberConfig(
        url=server.url or "", secret=server.secret, headers=read_headers(server.headers), **read_timeout(server)
    )
    return CustomTranscriber(settled, resources.clock, resources.addresses, resources.auth)
