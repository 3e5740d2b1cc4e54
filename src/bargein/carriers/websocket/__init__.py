"""Vapi's WebSocket transport as a carrier."""

from bargein.carriers.websocket.leg import Encoding, Socket, WebsocketLeg
from bargein.carriers.websocket.room import Room

__all__ = ["Encoding", "Room", "Socket", "WebsocketLeg"]
