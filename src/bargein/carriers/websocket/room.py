"""A call that its caller may leave and come back to (Vapi's `roomDeleteOnUserLeaveEnabled: false`)."""

from collections.abc import Callable

from bargein.carriers.websocket.leg import WebsocketLeg
from bargein.ports import Pcm16
from bargein.wire.base import JsonObject


class Room:
    """A `bargein.ports.Leg` that outlives its caller's sockets.

    While nobody is in it, what is said is lost, as in a room of Daily's; the call's silence timeout ends it then.

    Args:
        first: the leg of the socket that the call begins with. All later ones speak its format.

    Attributes:
        over: the call has hung up; nobody may come in any more.
    """

    can_clear = False
    has_marks = False
    can_transfer = False
    has_client = True

    def __init__(self, first: WebsocketLeg) -> None:
        self.rate_hz = first.rate_hz
        self.over = False
        self._format = first
        self._leg: WebsocketLeg | None = None
        self._put_out: Callable[[], None] | None = None

    def enter(self, leg: WebsocketLeg, put_out: Callable[[], None]) -> None:
        """Let a caller in, and put out whoever is in it: a page loaded anew may come before its old socket goes."""
        if self._put_out is not None:
            self._put_out()
        self._leg, self._put_out = leg, put_out

    def leave(self, leg: WebsocketLeg) -> bool:
        """Let a caller out; False if another one is in it by now."""
        if self._leg is not leg:
            return False
        self._leg = self._put_out = None
        return True

    @property
    def bytes_per_sample(self) -> int:
        """See `Leg.bytes_per_sample`."""
        return self._format.bytes_per_sample

    def encode(self, pcm: Pcm16) -> bytes:
        """See `Leg.encode`."""
        return self._format.encode(pcm)

    def decode(self, data: bytes) -> Pcm16:
        """See `Leg.decode`."""
        return self._format.decode(data)

    def send_audio(self, frame: bytes) -> None:
        """See `Leg.send_audio`."""
        if self._leg is not None:
            self._leg.send_audio(frame)

    def mark(self, name: str) -> None:
        """See `Leg.mark`: a page has none."""
        self._format.mark(name)

    def send_text(self, text: str) -> None:
        """See `Leg.send_text`."""
        if self._leg is not None:
            self._leg.send_text(text)

    def clear(self) -> None:
        """See `Leg.clear`."""
        if self._leg is not None:
            self._leg.clear()

    def hang_up(self) -> None:
        """See `Leg.hang_up`."""
        self.over = True
        if self._leg is not None:
            self._leg.hang_up()

    def send_dtmf(self, keys: str) -> None:
        """See `Leg.press`: a page has no keys."""
        self._format.send_dtmf(keys)

    async def transfer(self, destination: JsonObject) -> None:
        """See `Leg.transfer`: a page cannot be given to a number."""
        await self._format.transfer(destination)
