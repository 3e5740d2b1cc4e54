"""The codec of a SIP call's channel, whose both ends are this package's: JSON in text frames, PCM in binary frames.

The agent sends `start` (with the rate of the audio), `dtmf`, `mark`, `cleared` and `stop`; the server sends `mark` and
`clear`. Binary frames hold 16-bit little-endian samples: 8000 per second for G.711, 16000 for wideband codecs.
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
from bargein.wire.json import as_object_or_none, read_json

NARROW_HZ = 8000
WIDE_HZ = 16_000
KEYS = frozenset("0123456789*#ABCD")


class SipCodec(Codec):
    """A `bargein.carriers.interface.Codec`.

    Attributes:
        rate_hz: the rate that `start` names; 8000 until it has arrived.
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
                raise FrameError("audio that is not 16-bit samples")
            return (Heard(frame),)
        try:
            message = as_object_or_none(read_json(frame))
        except ValueError:
            raise FrameError("a text frame that is not JSON") from None
        if message is None:
            raise FrameError("a text frame that is not a JSON object")
        return (self._event(message),)

    def _event(self, message: JsonObject) -> MediaEvent:
        match message.get("event"):
            case "start":
                return self._started(message)
            case "dtmf" if message.get("key") in KEYS:
                return KeyPressed(str(message["key"]))
            case "mark" if isinstance(message.get("name"), str):
                return MarkReached(str(message["name"]))
            case "cleared":
                return Cleared()
            case "stop":
                return Stopped()
            case _:
                raise FrameError("a text frame without a known event")

    def _started(self, message: JsonObject) -> Started:
        rate: object = message.get("rate")
        call: object = message.get("call")
        details = as_object_or_none(message.get("details", {}))
        if rate not in (NARROW_HZ, WIDE_HZ) or not isinstance(call, str) or details is None:
            raise FrameError("a start without rate, call or details")
        self.rate_hz = cast("int", rate)
        return Started(call, details)

    @override
    def audio(self, data: bytes) -> bytes:
        return data

    @override
    def mark(self, name: str) -> str:
        return json.dumps({"event": "mark", "name": name})

    @override
    def clear(self) -> str:
        return '{"event":"clear"}'
