"""A caller's connection."""

from typing import Protocol

from bargein.ports.sound import Pcm16
from bargein.wire.base import JsonObject


class Leg(Protocol):
    """A caller's live connection, as the call sees it. Every method returns at once; the carrier does the waiting.

    Attributes:
        rate_hz: sample rate of the audio in both directions.
        can_clear: whether the far end drops, on `clear`, the audio that was sent to it.
        has_marks: whether the far end says when a `mark` was reached; the call is then told its name.
        can_transfer: whether the caller can be given to a telephone number or SIP address (`transfer`).
        has_client: whether there is anybody who reads messages (`send_text`).
    """

    rate_hz: int
    can_clear: bool
    has_marks: bool
    can_transfer: bool
    has_client: bool

    def encode(self, pcm: Pcm16) -> bytes:
        """Turn samples at `rate_hz` into the carrier's bytes; called once per piece of speech, not per frame."""
        ...

    def decode(self, data: bytes) -> Pcm16:
        """Read what the far end sent as samples at `rate_hz`.

        Raises:
            ValueError: it is no audio in the format that was agreed.
        """
        ...

    @property
    def bytes_per_sample(self) -> int:
        """How many encoded bytes make a sample."""
        ...

    def send_audio(self, frame: bytes) -> None:
        """Put one encoded frame on its way."""
        ...

    def mark(self, name: str) -> None:
        """Mark the place behind the audio that was sent so far; only where `has_marks`.

        A mark that comes back after a `clear` may stand for audio that was dropped.
        """
        ...

    def send_text(self, text: str) -> None:
        """Put one message on its way, ahead of any audio that has not left yet."""
        ...

    def clear(self) -> None:
        """Drop the audio that has not left yet and, where `can_clear`, what the far end still holds."""
        ...

    def hang_up(self) -> None:
        """Send what is queued as text, then close the connection normally."""
        ...

    def send_dtmf(self, keys: str) -> None:
        """Press keys of the telephone, in order (0 to 9, *, #, A to D; w waits half a second, W one).

        Raises:
            CarrierError: this transport has no keys.
        """
        ...

    async def transfer(self, destination: JsonObject) -> None:
        """Give the caller to a number or SIP address (Vapi's `TransferDestinationNumber`, `TransferDestinationSip`).

        Returns once the carrier has taken that over: then the call here is to end.

        Raises:
            CarrierError: this transport cannot transfer, or it failed; the caller is still here.
        """
        ...
