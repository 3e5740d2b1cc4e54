"""The frames of a Vonage media socket: audio in binary messages, everything else in JSON.

Vonage opens the socket with `websocket:connected`, which names the audio format and repeats the NCCO's `headers` at its
top level. Each binary message then has 20 ms of PCM, 16 bit little-endian, in both directions. Vonage queues up to a
minute of audio, so an interrupted reply must be cleared.
"""

import json
from collections.abc import Sequence
from typing import Final

from typing_extensions import override

from bargein.carriers.frames import json_object
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
)
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none

RATE_HZ = 16_000
CONTENT_TYPE: Final = "audio/l16;rate=16000"
"""The audio that the NCCO asks for, and the only one that is accepted."""
FRAME_BYTES = RATE_HZ // 50 * 2
"""20 ms: Vonage accepts whole frames only."""
CALL_HEADER = "carrierCallId"
"""The NCCO's header with Vonage's id of the call; `websocket:connected` returns it."""

_MARK = "mark"
_KEYS = frozenset("0123456789*#ABCD")
_MOST_FRAME_BYTES = FRAME_BYTES * 50
_MOST_TEXT_CHARS = 16_384


class VonageCodec(Codec):
    """The codec of one media socket."""

    encoding: Encoding = "pcm_s16le"
    rate_hz = RATE_HZ
    can_clear = True
    has_marks = True
    joins = False

    def __init__(self) -> None:
        self._connected = False

    @override
    def read(self, frame: str | bytes) -> Sequence[MediaEvent]:
        if isinstance(frame, bytes):
            return _audio(frame)
        event = json_object(frame, _MOST_TEXT_CHARS)
        match event.get("event"):
            case "websocket:connected":
                return [self._started(event)]
            case "websocket:cleared":
                return [Cleared()]
            case "websocket:notify":
                return [MarkReached(_mark_in(event))]
            case "websocket:dtmf":
                return [KeyPressed(_key_in(event))]
            case str():
                return []  # an event that Vonage may add
            case _:
                raise FrameError("a message without an event")

    @override
    def audio(self, data: bytes) -> bytes:
        """Make whole frames, the last one padded with silence."""
        return data + bytes(-len(data) % FRAME_BYTES)

    @override
    def mark(self, name: str) -> str:
        return json.dumps({"action": "notify", "payload": {_MARK: name}})

    @override
    def clear(self) -> str:
        return '{"action": "clear"}'

    def _started(self, event: JsonObject) -> Started:
        if self._connected:
            raise FrameError("a second websocket:connected")
        agreed: object = event.get("content-type")
        if not isinstance(agreed, str) or agreed.replace(" ", "").lower() != CONTENT_TYPE:
            raise FrameError(f"audio that is not {CONTENT_TYPE}")
        self._connected = True
        call: object = event.get(CALL_HEADER)
        return Started(call if isinstance(call, str) else None, {"contentType": agreed})


def _audio(frame: bytes) -> Sequence[MediaEvent]:
    if len(frame) % 2:
        raise FrameError("audio that ends in the middle of a sample")
    if len(frame) > _MOST_FRAME_BYTES:
        raise FrameError("more than a second of audio in one message")
    return [Heard(frame)] if frame else []


def _mark_in(event: JsonObject) -> str:
    name: object = as_object(event.get("payload")).get(_MARK)
    if not isinstance(name, str):
        raise FrameError("a notification that was not asked for")
    return name


def _key_in(event: JsonObject) -> str:
    """Return the key of `digit`, `dtmf.digit` or `dtmf`: Vonage's documentation and its messages differ."""
    digit: object = event.get("digit")
    if digit is None:
        digit = event.get("dtmf")
    if (inner := as_object_or_none(digit)) is not None:
        digit = inner.get("digit")
    key = str(digit).upper() if isinstance(digit, str | int) and not isinstance(digit, bool) else ""
    if key not in _KEYS:
        raise FrameError("a key that no telephone has")
    return key
