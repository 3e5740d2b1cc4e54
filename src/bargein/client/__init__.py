"""A client for Vapi's WebSocket transport, for bargein and for any other server of that protocol.

It is async and typed, and imports nothing of the server: only `wire`, `audio`, `settings` (for `is_loopback`) and the
clock. Start reading at `server_api` (requests) and `connection` (a call's socket); `talk` and `calling` are the two
commands built on them. docs/guides/client.md has an example.
"""

from bargein.client.connection import Audio, Connection, Message, join
from bargein.client.errors import ClientError, RefusedError, UnreachableError
from bargein.client.phone import dial, end_call, follow, get_call, listen_in
from bargein.client.playback import Interruption, InterruptionMeter, PlaybackModel
from bargein.client.server_api import CallInfo, Server, create_call, is_reachable, ring
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
    "is_reachable",
    "join",
    "listen_in",
    "ring",
]
