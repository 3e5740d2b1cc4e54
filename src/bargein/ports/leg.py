"""A caller's connection."""

from typing import Protocol

from bargein.ports.audio import Pcm16
from bargein.ports.errors import CarrierError
from bargein.wire.base import JsonObject


class Leg(Protocol):
    """A caller's live connection. Every method that is not awaited returns at once; the carrier does the waiting.

    Attributes:
        rate_hz: the sample rate of the audio in both directions.
        can_clear: whether the far end drops audio that was sent to it on `clear`.
        has_marks: whether the far end reports when a `mark` was reached.
        can_transfer: whether the caller can be transferred to a telephone number or SIP address (`transfer`).
        has_client: whether a client reads messages (`send_text`).
    """

    rate_hz: int
    can_clear: bool
    has_marks: bool
    can_transfer: bool
    has_client: bool

    def encode(self, pcm: Pcm16) -> bytes:
        """Encode samples at `rate_hz` for the carrier; called once per piece of speech, not per frame."""
        ...

    def decode(self, data: bytes) -> Pcm16:
        """Decode audio of the far end to samples at `rate_hz`.

        Raises:
            ValueError: it is not in the format that was agreed on.
        """
        ...

    @property
    def bytes_per_sample(self) -> int:
        """Return the number of encoded bytes of a sample."""
        ...

    def send_audio(self, frame: bytes) -> None:
        """Send one encoded frame."""
        ...

    def mark(self, name: str) -> None:
        """Set a mark after the audio that was sent so far; only if `has_marks`.

        A mark that is reported after a `clear` may be one of audio that was dropped.
        """
        ...

    def send_text(self, text: str) -> None:
        """Send one text message, before any audio that has not been sent yet."""
        ...

    def clear(self) -> None:
        """Drop the audio that has not been sent yet and, if `can_clear`, what the far end has not played yet."""
        ...

    def hang_up(self) -> None:
        """Send the queued text messages, then close the connection normally."""
        ...

    def release(self) -> None:
        """Leave the call at the carrier as it is when it is hung up here: the owner's server ends or forwards it.

        A transport on which this server is the far end itself ignores it.
        """

    def send_dtmf(self, keys: str) -> None:
        """Send DTMF keys, in order (0 to 9, *, #, A to D; w waits half a second, W one second).

        Raises:
            CarrierError: this transport has no DTMF.
        """
        ...

    async def send_sms(self, to: str, text: str) -> None:
        """Send a text message from the number of the call; returns once the carrier has accepted it.

        Args:
            to: the number of the recipient, in E.164.
            text: the text.

        Raises:
            CarrierError: this transport sends no text messages, or the carrier refused.
        """
        raise CarrierError("text messages need a call over a number at Twilio, Telnyx or Vonage.")

    async def transfer(self, destination: JsonObject) -> None:
        """Transfer the caller to a number or SIP address (`TransferDestinationNumber`, `TransferDestinationSip`).

        Returns once the carrier has accepted the transfer; the call is then to end.

        Raises:
            CarrierError: this transport cannot transfer, or it failed; the caller is still connected.
        """
        ...
