"""Vapi's WebSocket transport, which serves calls without a telephone; it is no carrier and has no spec.

`leg` is one socket, `room` a call that its caller may leave and rejoin. Knows `bargein.ports` and `bargein.audio`.
"""

from bargein.carriers.websocket.leg import Encoding, Socket, WebsocketLeg
from bargein.carriers.websocket.room import Room

__all__ = ["Encoding", "Room", "Socket", "WebsocketLeg"]
