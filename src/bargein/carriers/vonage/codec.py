"""The wire of a Vonage media socket: audio in binary messages, everything else in JSON.

Vonage opens the socket and says first, in `websocket:connected`, which audio was agreed and, at the top level, what the
NCCO's `headers` held. From then on each binary message holds 20 ms of PCM, 16 bit little-endian, in both directions.
What is sent is queued there, up to a minute of it, so that a reply that is cut must be cleared.
"""

import json
from collections.abc import Sequence
from typing import Final, cast

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

RATE_HZ = 16_000
CONTENT_TYPE: Final = "audio/l16;rate=16000"
"""What the NCCO asks for, and the only audio that is taken."""
FRAME_BYTES = RATE_HZ // 50 * 2
"""20 ms: Vonage takes whole frames only."""
CALL_HEADER = "carrierCallId"
"""The NCCO's header that holds Vonage's name of the call; `websocket:connected` gives it back."""

_MARK = "mark"
_KEYS = frozenset("0123456789*#ABCD")
_MOST_FRAME_BYTES = FRAME_BYTES * 50
_MOST_TEXT_CHARS = 16_384


class VonageCodec(Codec):
    """One media socket's `bargein.carriers.interface.Codec`."""

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
                return []  # what Vonage may come to say besides
            case _:
                raise FrameError("a message without an event")

    @override
    def audio(self, data: bytes) -> bytes:
        """Whole frames, the last one filled up with silence."""
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
    payload: object = event.get("payload")
    name: object = cast("JsonObject", payload).get(_MARK) if isinstance(payload, dict) else None
    if not isinstance(name, str):
        raise FrameError("a notification that is none of ours")
    return name


def _key_in(event: JsonObject) -> str:
    """The digit of `digit`, of `dtmf.digit`, or of `dtmf` itself: Vonage's documents and its wire do not agree."""
    digit: object = event.get("digit")
    if digit is None:
        digit = event.get("dtmf")
    if isinstance(digit, dict):
        digit = cast("JsonObject", digit).get("digit")
    key = str(digit).upper() if isinstance(digit, str | int) and not isinstance(digit, bool) else ""
    if key not in _KEYS:
        raise FrameError("a key that no telephone has")
    return key
