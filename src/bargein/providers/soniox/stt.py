"""Vapi's transcriber provider `soniox`.

From Soniox' API reference and SDK 2.10 of 2026; not yet called for real.
"""

import json
from typing import Any, Literal

from typing_extensions import override

from bargein.providers.http import Addresses
from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget
from bargein.providers.soniox.settings import SonioxSettings
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import mean_confidence, vendor_object
from bargein.providers.utterances import Heard
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import as_objects, as_string

SONIOX_URL = "https://stt-rt.soniox.com"

_PATH = "/transcribe-websocket"

DEFAULT_MODEL = "stt-rt-v4"
DEFAULT_ENDPOINT_DELAY_MS = 500
"""Vapi's default of `maxEndpointDelayMs`."""

_FAILED = "pipeline-error-soniox-transcriber-failed"
_REASONS = {
    401: "pipeline-error-soniox-transcriber-auth-failed",
    403: "pipeline-error-soniox-transcriber-auth-failed",
    429: "pipeline-error-soniox-transcriber-rate-limited",
    400: "pipeline-error-soniox-transcriber-invalid-config",
    500: "pipeline-error-soniox-transcriber-server-error",
}
_ENDS = frozenset({"<fin>", "<end>"})
"""Tokens without words: the answer to `finalize`, and the end of an utterance by Soniox' own judgement."""
_SESSION_IS_OVER = (408, 503)


class SonioxTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `soniox` (Vapi's `SonioxTranscriber`)."""

    provider: Literal["soniox"]
    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    language_hints_strict: bool | None = None
    max_endpoint_delay_ms: Number | None = None
    custom_vocabulary: list[str] | None = None
    context_general: list[JsonObject] | None = None


class SonioxDialect(Dialect):
    """Soniox' /transcribe-websocket, which sends tokens: final ones once, the others anew in each message.

    It is asked at the end of an utterance alone, since it dislikes frequent requests.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API; it may end with the path of the socket, as `apiUrl` of Vapi's credential does.
        addresses: resolves the host, if the credential names it.
    """

    lag_ms = 350
    finalize_timeout_ms = 700

    def __init__(
        self,
        config: SonioxTranscriberConfig,
        account: VendorAccount,
        base_url: str,
        addresses: Addresses | None = None,
    ) -> None:
        super().__init__(account)
        self._config = config
        self._base_url = base_url.removesuffix(_PATH)
        self._addresses = addresses

    @override
    async def target(self) -> SocketTarget:
        headers = {"Authorization": f"Bearer {self.account.key}"}
        return vendor_target(self._base_url, _PATH, [], headers, account=self.account, addresses=self._addresses)

    @override
    def first_messages(self) -> tuple[str, ...]:
        config = self._config
        delay_ms = config.max_endpoint_delay_ms
        start: dict[str, Any] = {
            "model": config.model or DEFAULT_MODEL,
            "audio_format": "pcm_s16le",
            "sample_rate": self.rate_hz,
            "num_channels": 1,
            "enable_endpoint_detection": True,
            "max_endpoint_delay_ms": DEFAULT_ENDPOINT_DELAY_MS if delay_ms is None else int(delay_ms),
        }
        # An empty list means all languages, and `language` counts only where there is no list.
        hints = [config.language or "en"] if config.languages is None else config.languages
        if hints:
            start |= {"language_hints": hints, "language_hints_strict": config.language_hints_strict is not False}
        context = {"terms": config.custom_vocabulary, "general": config.context_general}
        if given := {name: value for name, value in context.items() if value}:
            start["context"] = given
        return (json.dumps(start),)

    @override
    def reader(self) -> MessageReader:
        return TokenReader()

    @override
    def finalize(self) -> str:
        return '{"type":"finalize"}'

    @override
    def keep_alive(self) -> str:
        return '{"type":"keepalive"}'


class TokenReader:
    """The reader of Soniox' messages; tokens have all spaces."""

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of Soniox'.
            VendorReportError: it has an `error_code`.
        """
        event = vendor_object(message)
        if (code := event.get("error_code")) is not None:
            status = code if isinstance(code, int) else None
            raise VendorReportError(
                as_string(event.get("error_message")) or str(code), status=status, transient=status in _SESSION_IS_OVER
            )
        tokens = as_objects(event.get("tokens"))
        words = [token for token in tokens if token.get("text") not in _ENDS]
        final = "".join(as_string(token.get("text")) or "" for token in words if token.get("is_final") is True)
        interim = "".join(as_string(token.get("text")) or "" for token in words if token.get("is_final") is not True)
        return Heard(
            segment=final or None,
            interim=interim,
            confidence=mean_confidence(words),
            answered=len(words) < len(tokens),
            exact=True,
        )


def create_transcriber(config: SonioxTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call; `apiUrl` of the credential names the region that its key is for.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(SonioxSettings)
    account = transcriber_account(
        resources, "soniox", settings.api_key, "SONIOX_API_KEY", ended_reason=_FAILED, reasons=_REASONS
    )
    own = account.api_url
    base_url, addresses = own or settings.base_url or SONIOX_URL, resources.addresses if own else None
    return StreamingTranscriber(SonioxDialect(config, account, base_url, addresses), resources.clock)
