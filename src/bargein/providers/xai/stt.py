"""Vapi's transcriber provider `xai`.

From xAI's API reference of 2026, which has no message that asks for all words so far; not yet called for real.
"""

from typing import Literal

from typing_extensions import override

from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import mean_confidence, vendor_object
from bargein.providers.utterances import NOTHING, Heard
from bargein.providers.xai.settings import XaiSettings
from bargein.wire.base import WireModel
from bargein.wire.json import as_object, as_string

XAI_URL = "https://api.x.ai/v1"

DEFAULT_LANGUAGE = "en"
"""Vapi's default of `language`; xAI itself would detect it."""

_FAILED = "pipeline-error-xai-transcriber-failed"
_REASONS = {
    401: "pipeline-error-xai-transcriber-auth-failed",
    403: "pipeline-error-xai-transcriber-auth-failed",
    429: "pipeline-error-xai-transcriber-rate-limited",
    400: "pipeline-error-xai-transcriber-invalid-config",
    500: "pipeline-error-xai-transcriber-server-error",
}


class XaiTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `xai` (Vapi's `XaiTranscriber`)."""

    provider: Literal["xai"]
    model: str | None = None
    language: str | None = None


class XaiDialect(Dialect):
    """xAI's /stt: a final that ends the speech is a segment.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API.
    """

    lag_ms = 2_140
    finalize_timeout_ms = 1_000  # the interim text is the answer: the final takes up to 2.1 s
    waits = True

    def __init__(self, config: XaiTranscriberConfig, account: VendorAccount, base_url: str) -> None:
        super().__init__(account)
        self._config = config
        self._base_url = base_url

    @override
    async def target(self) -> SocketTarget:
        query = [
            ("sample_rate", str(self.rate_hz)),
            ("encoding", "pcm"),
            ("interim_results", "true"),
            ("language", self._config.language or DEFAULT_LANGUAGE),
        ]
        if self._config.model not in (None, "default"):
            query.append(("model", str(self._config.model)))
        headers = {"Authorization": f"Bearer {self.account.key}"}
        return vendor_target(self._base_url, "/stt", query, headers, account=self.account)

    @override
    def reader(self) -> MessageReader:
        return XaiReader()

    @override
    def last_message(self) -> str:
        return '{"type":"audio.done"}'


class XaiReader:
    """The reader of xAI's messages."""

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of xAI's.
            VendorReportError: it is an `error`.
        """
        event = vendor_object(message)
        text = as_string(event.get("text")) or ""
        match event.get("type"):
            case "transcript.created":
                return Heard(ready=True)
            case "transcript.partial" | "transcript.done":
                confidence = mean_confidence(event.get("words"))
                if event.get("type") == "transcript.done" or event.get("speech_final") is True:
                    return Heard(segment=text, confidence=confidence, answered=True)
                return Heard(interim=text, confidence=confidence)
            case "error":
                words = as_string(event.get("message")) or as_string(as_object(event.get("error")).get("message")) or ""
                raise VendorReportError(words)
            case _:
                return NOTHING


def create_transcriber(config: XaiTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(XaiSettings)
    account = transcriber_account(
        resources, "xai", settings.api_key, "XAI_API_KEY", ended_reason=_FAILED, reasons=_REASONS
    )
    return StreamingTranscriber(XaiDialect(config, account, settings.base_url or XAI_URL), resources.clock)
