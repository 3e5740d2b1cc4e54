"""Vapi's transcriber provider `cartesia`: Ink, asked for its words at the end of each utterance.

From Cartesia's API reference and SDK 4.2 of 2026; not yet called for real.
"""

from typing import Literal

from typing_extensions import override

from bargein.providers.cartesia.settings import CartesiaSettings
from bargein.providers.http import Addresses
from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import vendor_object
from bargein.providers.utterances import NOTHING, Heard
from bargein.wire.base import WireModel
from bargein.wire.json import as_string

CARTESIA_URL = "https://api.cartesia.ai"
CARTESIA_VERSION = "2026-08-14"

DEFAULT_MODEL = "ink-whisper"
"""The model of an assistant that names none: it knows all of the languages in Vapi's type."""


class CartesiaTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `cartesia` (Vapi's `CartesiaTranscriber`)."""

    provider: Literal["cartesia"]
    model: str | None = None
    language: str | None = None


class InkDialect(Dialect):
    """Cartesia's /stt/websocket: `finalize` is answered by `flush_done`.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API.
        addresses: resolves the host, if the credential names it.
    """

    lag_ms = 810
    finalize_timeout_ms = 1_200

    def __init__(
        self,
        config: CartesiaTranscriberConfig,
        account: VendorAccount,
        base_url: str,
        addresses: Addresses | None = None,
    ) -> None:
        super().__init__(account)
        self._addresses = addresses
        self._config = config
        self._base_url = base_url

    @override
    async def target(self) -> SocketTarget:
        query = [
            ("model", self._config.model or DEFAULT_MODEL),
            ("language", self._config.language or "en"),
            ("encoding", "pcm_s16le"),
            ("sample_rate", "16000"),
        ]
        headers = {"Authorization": f"Bearer {self.account.key}", "Cartesia-Version": CARTESIA_VERSION}
        return vendor_target(
            self._base_url, "/stt/websocket", query, headers, account=self.account, addresses=self._addresses
        )

    @override
    def reader(self) -> MessageReader:
        return InkReader()

    @override
    def finalize(self) -> str:
        return "finalize"

    @override
    def last_message(self) -> str:
        return "close"


class InkReader:
    """The reader of Ink's messages, whose texts have all spaces."""

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of Cartesia's.
            VendorReportError: it is an `error`.
        """
        event = vendor_object(message)
        match event.get("type"):
            case "transcript":
                text = as_string(event.get("text")) or ""
                if event.get("is_final") is True:
                    return Heard(segment=text, exact=True)
                return Heard(interim=text, exact=True)
            case "flush_done":
                return Heard(answered=True)
            case "error":
                status = event.get("status_code")
                words = as_string(event.get("message")) or as_string(event.get("title")) or ""
                raise VendorReportError(words, status=status if isinstance(status, int) else None)
            case _:
                return NOTHING


def create_transcriber(config: CartesiaTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call; `apiUrl` of the credential names a Cartesia of the owner's.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(CartesiaSettings)
    account = transcriber_account(
        resources,
        "cartesia",
        settings.api_key,
        "CARTESIA_API_KEY",
        ended_reason="pipeline-error-cartesia-transcriber-failed",
    )
    own = account.api_url
    base_url, addresses = own or settings.base_url or CARTESIA_URL, resources.addresses if own else None
    dialect = InkDialect(config, account, base_url, addresses)
    return StreamingTranscriber(dialect, resources.clock)
