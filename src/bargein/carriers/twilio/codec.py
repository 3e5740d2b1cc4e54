"""Twilio's Media Streams: JSON in text frames, the audio in it as base64 of mu-law at 8 kHz.

https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import base64
import json
from collections.abc import Sequence

from typing_extensions import override

from bargein.carriers.chunks import Chunks
from bargein.carriers.frames import json_object
from bargein.carriers.interface import (
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
from bargein.wire.json import as_object_or_none

_LONGEST_FRAME = 256 * 1024
_LONGEST_NAME = 200
_MOST_DIGITS = 15
_KEYS = frozenset("0123456789*#ABCD")


class TwilioCodec(Codec):
    """The codec of one stream."""

    encoding: Encoding = "mulaw"
    rate_hz = 8_000
    can_clear = True
    has_marks = True
    joins = False

    def __init__(self) -> None:
        self._stream = ""
        self._chunks: Chunks[bytes] = Chunks()

    @override
    def read(self, frame: str | bytes) -> Sequence[MediaEvent]:
        message = json_object(frame, _LONGEST_FRAME)
        match message.get("event"):
            case "connected":
                return ()
            case "start":
                return (self._start(message),)
            case "media":
                return self._media(_part(message, "media"))
            case "mark":
                return (MarkReached(_text(_part(message, "mark"), "name")),)
            case "dtmf":
                return (KeyPressed(_key(_part(message, "dtmf"))),)
            case "stop":
                return (*_heard(self._chunks.flush()), Stopped())
            case _:
                raise FrameError("an unknown event")

    def _start(self, message: JsonObject) -> Started:
        start = _part(message, "start")
        form = _part(start, "mediaFormat")
        if (form.get("encoding"), form.get("sampleRate"), form.get("channels")) != ("audio/x-mulaw", self.rate_hz, 1):
            raise FrameError("audio of a format that was not asked for")
        self._stream = _text(message, "streamSid")
        return Started(_text(start, "callSid"))

    def _media(self, media: JsonObject) -> Sequence[MediaEvent]:
        if media.get("track", "inbound") != "inbound":
            return ()
        try:
            audio = base64.b64decode(_text(media, "payload", _LONGEST_FRAME), validate=True)
        except ValueError:  # raised for text that is not ASCII, too
            raise FrameError("a payload that is not base64") from None
        chunk: object = media.get("chunk")
        if not isinstance(chunk, str) or not chunk.isdecimal() or len(chunk) > _MOST_DIGITS:
            return _heard((audio,))
        return _heard(self._chunks.push(int(chunk), audio))

    @override
    def audio(self, data: bytes) -> str:
        return self._frame("media", media={"payload": base64.b64encode(data).decode()})

    @override
    def mark(self, name: str) -> str:
        return self._frame("mark", mark={"name": name})

    @override
    def clear(self) -> str:
        """Make a `clear`, after which Twilio returns the marks of the audio that it dropped."""
        return self._frame("clear")

    def _frame(self, event: str, **more: object) -> str:
        return json.dumps({"event": event, "streamSid": self._stream, **more})


def _heard(in_order: Sequence[bytes]) -> Sequence[MediaEvent]:
    return tuple(Heard(audio) for audio in in_order if audio)


def _part(message: JsonObject, name: str) -> JsonObject:
    part = as_object_or_none(message.get(name))
    if part is None:
        raise FrameError(f"a message without {name}")
    return part


def _text(part: JsonObject, name: str, most: int = _LONGEST_NAME) -> str:
    value: object = part.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise FrameError(f"a {name} that is not text, or too long")
    return value


def _key(part: JsonObject) -> str:
    key = _text(part, "digit").upper()
    if key not in _KEYS:
        raise FrameError("a key that no telephone has")
    return key
