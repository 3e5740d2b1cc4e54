"""The base of the vendors' transcribers: one socket for a call, and a dialect that says how the vendor speaks.

A vendor's `stt.py` is a `Dialect`: the address, the first messages, how audio is encoded, the message that asks for all
words so far, and how a message is read into `Heard`. `StreamingTranscriber` does the rest: the connection
(`bargein.providers.audio_socket`) and the utterances (`bargein.providers.utterances`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from urllib.parse import urlencode

from typing_extensions import override
from websockets.asyncio.client import ClientConnection

from bargein.audio.pcm import to_bytes
from bargein.audio.resample import StreamResampler
from bargein.clock import Clock, Timer
from bargein.ports import (
    TRANSCRIBER_RATE_HZ,
    Pcm16,
    ProviderError,
    Transcriber,
    TranscriberStream,
    TranscriptCallback,
)
from bargein.providers.audio_socket import AudioSocket, Refusal, SocketLimits
from bargein.providers.http import Addresses, Endpoint, StreamError, endpoint
from bargein.providers.socket import SocketTarget, http_url
from bargein.providers.stt_account import VendorAccount, VendorReportError
from bargein.providers.utterances import Heard, Utterances
from bargein.providers.vendor_errors import quote_of

_REPEATED_WITHIN_MS = 150
"""The same message so soon after the first was sent twice: a caller needs longer to say a word once more."""

_POLICY_VIOLATION = 1008
_OWN_CODES = range(4000, 5000)


class MessageReader(Protocol):
    """The reader of the messages of one connection."""

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of the vendor's.
            VendorReportError: it reports a failure.
        """
        ...


class Dialect(ABC):
    """The protocol of one vendor's socket, for one call.

    Args:
        account: the account and its failures.

    Attributes:
        rate_hz: of the audio that the vendor gets.
        lag_ms: how much later than those of the embedded transcriber its words come: its published P99.
        finalize_timeout_ms: after so long without an answer to `finalize` the words so far are the final.
        finalizes_pauses: whether it is asked at a pause already; if not, the end of an utterance by its own judgement
            counts as the answer there.
        waits: whether it takes audio only after a message that is `ready`.
        least_message_ms: the shortest audio that it takes.
        least_finalize_ms: the least audio, since the last one, that it can be asked about.
        keep_alive_s: after so long without audio it is sent `keep_alive`; None: it bears silence.
        least_confidence: Vapi's `confidenceThreshold`; 0: all finals count.
    """

    rate_hz: int = TRANSCRIBER_RATE_HZ
    lag_ms: int = 0
    finalize_timeout_ms: int = 1_000
    finalizes_pauses: bool = False
    waits: bool = False
    least_message_ms: int = 0
    least_finalize_ms: int = 0
    keep_alive_s: float | None = 4.0
    least_confidence: float = 0.0

    def __init__(self, account: VendorAccount) -> None:
        self.account = account

    @abstractmethod
    async def target(self) -> SocketTarget:
        """Return the server; called for each connection, within the time limit of the connection.

        Raises:
            ProviderError: it cannot be asked for.
        """

    @abstractmethod
    def reader(self) -> MessageReader:
        """Return the reader of a new connection."""

    def first_messages(self) -> Iterable[str | bytes]:
        """Return the messages that begin a connection."""
        return ()

    def encode(self, audio: bytes) -> str | bytes:
        """Return the message for a piece of audio: 16-bit little-endian PCM."""
        return audio

    def finalize(self) -> str | None:
        """Return the message that asks for all words so far; None: there is none, and the vendor decides itself."""
        return None

    def keep_alive(self) -> str | None:
        """Return the message that keeps a silent connection alive; None: silence does."""
        return None

    def last_message(self) -> str | None:
        """Return the message that ends a connection; None: closing it is enough."""
        return None

    def closed(self, code: int | None, reason: str) -> VendorReportError | None:
        """Return what the end of a connection says; None: connecting once more may help."""
        if code == _POLICY_VIOLATION or (code is not None and code in _OWN_CODES):
            return VendorReportError(reason or f"closed with code {code}")
        return None


def vendor_target(
    base_url: str,
    path: str,
    query: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    *,
    account: VendorAccount,
    addresses: Addresses | None = None,
) -> SocketTarget:
    """Return the target of a vendor's socket.

    Args:
        base_url: of the vendor or the operator's setting; ws and wss mean the same as http and https.
        path: appended to it.
        query: the parameters, in order.
        headers: of the handshake.
        account: for the error.
        addresses: resolves the host, if an assistant names it.

    Raises:
        ProviderError: the URL is unusable.
    """
    url = f"{http_url(base_url).rstrip('/')}{path}"
    if query:
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
    checked: Endpoint = endpoint(url, headers, ended_reason=account.ended_reason)
    return SocketTarget(checked, addresses)


class StreamingTranscriber(Transcriber):
    """A transcriber of a vendor that streams over a socket.

    Args:
        dialect: the vendor.
        clock: times the wait for answers.
        limits: the time limits of the socket; without `keep_alive_s`, which the dialect has.
    """

    def __init__(self, dialect: Dialect, clock: Clock, limits: SocketLimits | None = None) -> None:
        self.dialect = dialect
        self.lag_ms = dialect.lag_ms
        self._clock = clock
        self._limits = limits or SocketLimits(keep_alive_s=dialect.keep_alive_s)

    @override
    def open(self, on_transcript: TranscriptCallback) -> "VendorStream":
        return VendorStream(self.dialect, self._limits, on_transcript, self._clock)


class VendorStream(AudioSocket, TranscriberStream):
    """The transcription of one call by a vendor."""

    def __init__(self, dialect: Dialect, limits: SocketLimits, on_transcript: TranscriptCallback, clock: Clock) -> None:
        super().__init__(
            limits,
            clock,
            bytes_per_ms=dialect.rate_hz * 2 // 1000,
            host=dialect.account.provider,
            least_message_ms=dialect.least_message_ms,
            waits=dialect.waits,
        )
        self._dialect = dialect
        self._reader = dialect.reader()
        self._utterances = Utterances(on_transcript, least_confidence=dialect.least_confidence)
        same = dialect.rate_hz == TRANSCRIBER_RATE_HZ
        self._resampler = None if same else StreamResampler(TRANSCRIBER_RATE_HZ, dialect.rate_hz, "live")
        self._finalized_ms = 0
        self._timer: Timer | None = None
        self._report: VendorReportError | None = None
        self._last_received: str | bytes = ""
        self._last_received_ms = 0.0

    @override
    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        pcm = customer if self._resampler is None else self._resampler.push(customer)
        if pcm.size:
            self._queue_audio(to_bytes(pcm))

    @override
    def voice_started(self, lead_ms: int) -> None:
        self._utterances.start()

    @override
    def voice_paused(self) -> None:
        ask = self._dialect.finalizes_pauses
        self._ask(asked=self._utterances.pause(self._position_ms, self._clock.monotonic_ms(), ask=ask))

    @override
    def voice_resumed(self) -> None:
        self._utterances.resume()
        self._set_timer()

    @override
    def voice_stopped(self) -> None:
        self._ask(asked=self._utterances.stop(self._position_ms, self._clock.monotonic_ms()))

    @override
    async def run(self) -> None:
        try:
            await super().run()
        finally:
            self._cancel_timer()

    def _ask(self, *, asked: bool) -> None:
        message = self._dialect.finalize() if asked else None
        if message is not None:
            if self._position_ms - self._finalized_ms < self._dialect.least_finalize_ms:
                self._utterances.withdraw()
            else:
                self._finalized_ms = self._position_ms
                self._queue_message(message)
        self._set_timer()

    def _set_timer(self) -> None:
        """Limit the wait for the oldest answer."""
        self._cancel_timer()
        since_ms = self._utterances.oldest_request_ms
        if since_ms is not None:
            self._timer = self._clock.call_at(since_ms + self._dialect.finalize_timeout_ms, self._expire)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        self._utterances.expire()
        self._set_timer()

    @override
    async def _connect(self) -> ClientConnection:
        return await (await self._dialect.target()).connect()

    @override
    def _begin_connection(self) -> Iterable[str | bytes]:
        self._reader = self._dialect.reader()
        self._finalized_ms = 0
        self._report = None
        self._last_received = ""
        return self._dialect.first_messages()

    @override
    def _last_message(self) -> str | None:
        return self._dialect.last_message()

    @override
    def _encode(self, audio: bytes) -> str | bytes:
        return self._dialect.encode(audio)

    @override
    def _keep_alive(self) -> None:
        message = self._dialect.keep_alive()
        if message is None:
            super()._keep_alive()
        else:
            self._queue_message(message)

    @override
    def _receive(self, message: str | bytes) -> None:
        try:
            heard = self._reader.read(message)
        except StreamError as error:
            self._warn_once("a transcriber's message was ignored", why=str(error))
            return
        except VendorReportError as report:
            if not report.transient:
                raise self._dialect.account.reported(report) from None
            self._report = report  # the vendor closes the connection, and it is made once more
            return
        if self._is_repeated(message, heard):
            return
        if heard.reply:
            self._queue_first(heard.reply)
        if heard.ready:
            self._begin()
        waited_since_ms = self._utterances.oldest_request_ms
        self._utterances.hear(heard)
        if self._utterances.oldest_request_ms != waited_since_ms:
            self._set_timer()

    def _is_repeated(self, message: str | bytes, heard: Heard) -> bool:
        """Return whether a message with final words is the one before it, sent twice.

        Messages without times or ids are also equal where a caller says "Yes." twice. The second one then comes later,
        or it answers a request.
        """
        before, before_ms = self._last_received, self._last_received_ms
        self._last_received, self._last_received_ms = message, self._clock.monotonic_ms()
        soon = self._last_received_ms - before_ms < _REPEATED_WITHIN_MS
        asked = heard.answered and self._utterances.oldest_request_ms is not None
        return bool(heard.segment) and message == before and soon and not asked

    @override
    def _lost(self, code: int | None, reason: str) -> ProviderError | None:
        self._utterances.lose_connection()
        self._set_timer()
        self._drop_queued_messages()
        report = self._dialect.closed(code, reason)
        return None if report is None else self._dialect.account.reported(self._report or report)

    @override
    def _failure(self, problem: str, refusal: Refusal | None = None) -> ProviderError:
        account = self._dialect.account
        if refusal is None:
            words = self._report.words if self._report is not None else ""
            return account.failure(problem, quote=quote_of(words, (account.key,)) if words else "")
        return account.refusal(refusal.status, refusal.body, refusal.retry_after)
