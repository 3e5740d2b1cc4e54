"""The wire of a SIP call's media socket, which is ours on both ends: JSON in text frames, PCM in binary ones.

From the agent come `start` (with the rate of the audio), `dtmf`, `mark`, `cleared` and `stop`; from the server `mark`
and `clear`. Binary frames hold 16-bit little-endian samples: 8000 a second for G.711, 16000 for what has more.
"""

import json
from collections.abc import Sequence
from typing import cast

from typing_extensions import override

from bargein.carriers.interface import (
    Cleared,
    Codec,
    Encoding,
    FrameError,
    Heard,
    KeyPressed,
    MarkReached,
    MediaEvent,
    Started,
    Stopped,
)
from bargein.wire.base import JsonObject

NARROW_HZ = 8000
WIDE_HZ = 16_000
KEYS = frozenset("0123456789*#ABCD")


class SipCodec(Codec):
    """A `bargein.carriers.interface.Codec`.

    Attributes:
        rate_hz: what `start` says; 8000 until it has come.
    """

    encoding: Encoding = "pcm_s16le"
    can_clear = True
    has_marks = True
    joins = True

    def __init__(self) -> None:
        self.rate_hz = NARROW_HZ

    @override
    def read(self, frame: str | bytes) -> Sequence[MediaEvent]:
        if isinstance(frame, bytes):
            if not frame or len(frame) % 2:
                raise FrameError("audio is not of 16-bit samples")
            return (Heard(frame),)
        try:
            said: object = json.loads(frame)
        except ValueError:
            raise FrameError("a text frame is not JSON") from None
        if not isinstance(said, dict):
            raise FrameError("a text frame is not a JSON object")
        return (self._event(cast("JsonObject", said)),)

    def _event(self, said: JsonObject) -> MediaEvent:
        match said.get("event"):
            case "start":
                return self._started(said)
            case "dtmf" if said.get("key") in KEYS:
                return KeyPressed(str(said["key"]))
            case "mark" if isinstance(said.get("name"), str):
                return MarkReached(str(said["name"]))
            case "cleared":
                return Cleared()
            case "stop":
                return Stopped()
            case _:
                raise FrameError("a text frame holds no event of this wire")

    def _started(self, said: JsonObject) -> Started:
        rate: object = said.get("rate")
        call: object = said.get("call")
        details: object = said.get("details", {})
        if rate not in (NARROW_HZ, WIDE_HZ) or not isinstance(call, str) or not isinstance(details, dict):
            raise FrameError("start holds no rate, no call or no details")
        self.rate_hz = cast("int", rate)
        return Started(call, cast("JsonObject", details))

    @override
    def audio(self, data: bytes) -> bytes:
        return data

    @override
    def mark(self, name: str) -> str:
        return json.dumps({"event": "mark", "name": name})

    @override
    def clear(self) -> str:
        return '{"event":"clear"}'
