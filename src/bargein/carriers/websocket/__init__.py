"""Vapi's WebSocket transport as a carrier."""

from bargein.carriers.websocket.leg import Encoding, Socket, WebsocketLeg

__all__ = ["Encoding", "Socket", "WebsocketLeg"]
