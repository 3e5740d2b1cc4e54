"""Media: the events of a call's audio connection, its leg, and the codec of a media socket."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bargein.errors import BargeinError
from bargein.ports import Leg
from bargein.wire.base import JsonObject

Encoding = Literal["pcm_s16le", "mulaw"]


class FrameError(BargeinError, ValueError):
    """A frame of a media socket cannot be read; it is dropped and counted. The text says what was wrong."""


@dataclass(frozen=True, slots=True)
class Started:
    """The stream has begun; audio may be sent from now on.

    Attributes:
        carrier_call_id: the carrier's id of the call, where the stream names it.
    """

    carrier_call_id: str | None = None
    details: JsonObject = field(default_factory=JsonObject)


@dataclass(frozen=True, slots=True)
class Heard:
    """Audio of the caller, in the codec's encoding and in order."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class MarkReached:
    """All audio that was sent before this mark has been played, or was dropped by a `clear`."""

    name: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """The carrier has dropped its buffered audio."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key (an RFC 4733 event, or the carrier's own): 0 to 9, *, #, A to D."""

    key: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stream has ended: no audio comes any more, and none is accepted."""


MediaEvent = Started | Heard | MarkReached | Cleared | KeyPressed | Stopped


class Waitable(Protocol):
    """An event that can be waited for (`anyio.Event`)."""

    def is_set(self) -> bool:
        """Return whether it has happened."""
        ...

    async def wait(self) -> None:
        """Wait until it has happened."""
        ...


class MediaLeg(Leg, Protocol):
    """A caller's audio connection, as the server runs it; the call itself only uses `Leg`."""

    @property
    def done(self) -> Waitable:
        """The end of the connection: it was hung up, or lost."""
        ...

    async def begin(self) -> None:
        """Wait until audio may be sent. The caller of this method limits the time.

        Raises:
            CarrierError: the connection has failed.
        """
        ...

    def events(self) -> AsyncIterator[MediaEvent]:
        """Yield the events of the far end until the connection ends."""
        ...

    async def ended_reason(self) -> str:
        """Return the `endedReason` once the connection has ended; waits for a transfer that is under way."""
        ...

    async def run(self) -> None:
        """Send until the call is hung up, or nothing can be sent any more."""
        ...


class Codec(Protocol):
    """The frames of one media socket, in both directions, with the state that they need (stream ids, sequence numbers).

    Attributes:
        encoding: the encoding of the audio in both directions.
        rate_hz: the sampling rate of the audio in both directions.
        can_clear: True if the carrier can be told to drop its buffered audio.
        has_marks: True if the carrier reports that a mark was reached.
        joins: True if consecutive binary frames may be sent as one.
    """

    encoding: Encoding
    rate_hz: int
    can_clear: bool
    has_marks: bool
    joins: bool

    def read(self, frame: str | bytes) -> Sequence[MediaEvent]:
        """Read a frame of the carrier; it may hold no event.

        Raises:
            FrameError: the frame cannot be read.
        """
        ...

    def audio(self, data: bytes) -> str | bytes:
        """Make a frame that carries audio in `encoding`."""
        ...

    def mark(self, name: str) -> str | bytes:
        """Make a frame that marks a place in the audio; only where `has_marks`."""
        ...

    def clear(self) -> str | bytes:
        """Make a frame that has the carrier drop its buffered audio; only where `can_clear`."""
        ...
