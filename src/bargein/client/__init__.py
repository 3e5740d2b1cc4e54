"""A client of Vapi's WebSocket transport: for bargein, and for any server of that protocol.

Async and typed; nothing of the server is imported. docs/guides/client.md has an example.
"""

from bargein.client.connection import Audio, CallInfo, Connection, Message, Server, create_call, is_there, join, ring
from bargein.client.errors import ClientError, RefusedError, UnreachableError
from bargein.client.phone import dial, end_call, follow, get_call, listen_in
from bargein.client.playback import Interruption, InterruptionMeter, PlaybackModel
from bargein.client.turns import Turn, Turns

__all__ = [
    "Audio",
    "CallInfo",
    "ClientError",
    "Connection",
    "Interruption",
    "InterruptionMeter",
    "Message",
    "PlaybackModel",
    "RefusedError",
    "Server",
    "Turn",
    "Turns",
    "UnreachableError",
    "create_call",
    "dial",
    "end_call",
    "follow",
    "get_call",
    "is_there",
    "join",
    "listen_in",
    "ring",
]
