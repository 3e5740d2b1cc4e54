"""A call that its caller may leave and rejoin (Vapi's `roomDeleteOnUserLeaveEnabled: false`)."""

from collections.abc import Callable

from typing_extensions import override

from bargein.carriers.websocket.leg import WebsocketLeg
from bargein.ports import Leg, Pcm16
from bargein.wire.base import JsonObject


class Room(Leg):
    """A `bargein.ports.Leg` that outlives its caller's sockets.

    Audio and messages are lost while no caller is connected, as in a room of Daily's; the call's silence timeout ends
    the call if none returns.

    Args:
        first: the leg of the first socket. All later sockets use its audio format.

    Attributes:
        over: True once the call has hung up; no caller may join any more.
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
        self._disconnect: Callable[[], None] | None = None

    def enter(self, leg: WebsocketLeg, disconnect: Callable[[], None]) -> None:
        """Join a caller and disconnect the one before: a reloaded page may join before its old socket closes."""
        if self._disconnect is not None:
            self._disconnect()
        self._leg, self._disconnect = leg, disconnect

    def leave(self, leg: WebsocketLeg) -> bool:
        """Remove a caller; return False if another one has joined since."""
        if self._leg is not leg:
            return False
        self._leg = self._disconnect = None
        return True

    @property
    @override
    def bytes_per_sample(self) -> int:
        return self._format.bytes_per_sample

    @override
    def encode(self, pcm: Pcm16) -> bytes:
        return self._format.encode(pcm)

    @override
    def decode(self, data: bytes) -> Pcm16:
        return self._format.decode(data)

    @override
    def send_audio(self, frame: bytes) -> None:
        if self._leg is not None:
            self._leg.send_audio(frame)

    @override
    def mark(self, name: str) -> None:
        """Refuse, as `WebsocketLeg.mark`."""
        self._format.mark(name)

    @override
    def send_text(self, text: str) -> None:
        if self._leg is not None:
            self._leg.send_text(text)

    @override
    def clear(self) -> None:
        if self._leg is not None:
            self._leg.clear()

    @override
    def hang_up(self) -> None:
        self.over = True
        if self._leg is not None:
            self._leg.hang_up()

    @override
    def send_dtmf(self, keys: str) -> None:
        """Refuse, as `WebsocketLeg.send_dtmf`."""
        self._format.send_dtmf(keys)

    @override
    async def transfer(self, destination: JsonObject) -> None:
        """Refuse, as `WebsocketLeg.transfer`."""
        await self._format.transfer(destination)
