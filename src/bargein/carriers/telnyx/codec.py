"""The frames of Telnyx's media socket (bidirectional RTP mode): JSON text frames with base64 payloads.

Telnyx sends `connected`, `start`, `media`, `dtmf`, `mark`, `error` and `stop`; it accepts `media`, `mark` and `clear`.
A mark is returned when the audio before it was played, and waiting marks are returned after `clear`.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

import structlog
from typing_extensions import override

from bargein.audio.pcm import Int16Array
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
from bargein.carriers.telnyx.payload import RATE_HZ, ByteOrder, Payloads, in_order
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none

_MOST_CHARS = 1 << 15
"""Three quarters of a second of audio; Telnyx's frames have 20 ms, a thousand characters."""
_MOST_CHUNK = (1 << 53) - 1
_LEAST_BYTES = RATE_HZ // 50 * 2
"""Telnyx accepts frames of 20 ms or more."""
_KEYS = frozenset("0123456789*#ABCD")
_MOST_ERRORS = 10

_log = structlog.get_logger("bargein.carriers.telnyx")


class TelnyxCodec(Codec):
    """The codec of one stream.

    Args:
        byte_order: the byte order of L16 samples in both directions; see `payload`.
    """

    encoding: Encoding = "pcm_s16le"
    rate_hz = RATE_HZ
    can_clear = True
    has_marks = True
    joins = False

    def __init__(self, byte_order: ByteOrder = "little") -> None:
        self._byte_order: ByteOrder = byte_order
        self._chunks: Chunks[Int16Array] = Chunks()
        self._payloads: Payloads | None = None
        self._over = False
        self._errors = 0

    @override
    def read(self, frame: str | bytes) -> Sequence[MediaEvent]:
        message = json_object(frame, _MOST_CHARS)
        event = _text(message, "event")
        if self._over:
            raise FrameError(f"{event[:40]!r} after the stream's end")
        match event:
            case "connected":
                return ()
            case "start":
                return (self._start(message),)
            case "error":
                return self._log_error(message)
            case "media" if self._payloads is None:
                return (Heard(b""),)  # its encoding is not known yet; the leg counts it as bad input
            case _ if self._payloads is None:
                raise FrameError(f"{event[:40]!r} before the stream's start")
            case _:
                return self._in_stream(event, message, self._payloads)

    def _in_stream(self, event: str, message: JsonObject, payloads: Payloads) -> Sequence[MediaEvent]:
        match event:
            case "media":
                return self._media(payloads, _object(message, "media"))
            case "dtmf":
                return (_key(_object(message, "dtmf")),)
            case "mark":
                return (MarkReached(_text(_object(message, "mark"), "name")),)
            case "stop":
                self._over = True
                return (*_heard(payloads, self._chunks.flush()), Stopped())
            case _:
                raise FrameError(f"an unknown event {event[:40]!r}")

    @override
    def audio(self, data: bytes) -> str:
        """Make a frame; audio shorter than Telnyx accepts is padded with silence."""
        payload = b64encode(in_order(data, self._byte_order).ljust(_LEAST_BYTES, b"\0")).decode("ascii")
        return f'{{"event":"media","media":{{"payload":"{payload}"}}}}'

    @override
    def mark(self, name: str) -> str:
        return json.dumps({"event": "mark", "mark": {"name": name}})

    @override
    def clear(self) -> str:
        return '{"event":"clear"}'

    def _start(self, message: JsonObject) -> Started:
        if self._payloads is not None:
            raise FrameError("the stream has begun already")
        start = _object(message, "start")
        form = _object(start, "media_format")
        if form.get("channels", 1) not in (1, "1"):
            raise FrameError("the stream is not mono")
        rate_hz = _number(form.get("sample_rate"), "sample_rate")
        self._payloads = Payloads(_text(form, "encoding").upper()[:40], rate_hz, self._byte_order)
        details = {"streamId": message.get("stream_id"), "callSessionId": start.get("call_session_id")}
        call_id: object = start.get("call_control_id")
        return Started(
            call_id if isinstance(call_id, str) else None,
            {name: value for name, value in details.items() if isinstance(value, str)},
        )

    def _media(self, payloads: Payloads, media: JsonObject) -> Sequence[MediaEvent]:
        if media.get("track") not in (None, "inbound", "inbound_track"):
            return ()  # the outbound track
        try:
            data = b64decode(_text(media, "payload"), validate=True)
        except ValueError as error:
            raise FrameError("the payload is not base64") from error
        pcm = payloads.samples(data)
        chunk = media.get("chunk")
        in_order = [pcm] if chunk is None else self._chunks.push(_number(chunk, "chunk"), pcm)
        return _heard(payloads, in_order)

    def _log_error(self, message: JsonObject) -> Sequence[MediaEvent]:
        """Log an error that Telnyx reports about a frame; the call goes on."""
        self._errors += 1
        if self._errors <= _MOST_ERRORS:
            error = _object(message, "payload")
            _log.warning(
                "telnyx reports an error", code=str(error.get("code"))[:20], title=str(error.get("title"))[:100]
            )
        return ()


def _heard(payloads: Payloads, in_order: Sequence[Int16Array]) -> Sequence[MediaEvent]:
    read = [payloads.audio(pcm) for pcm in in_order]
    return tuple(Heard(audio) for audio in read if audio)


def _object(message: JsonObject, name: str) -> JsonObject:
    value = as_object_or_none(message.get(name))
    if value is None:
        raise FrameError(f"a frame without {name!r}")
    return value


def _text(message: JsonObject, name: str) -> str:
    value: object = message.get(name)
    if not isinstance(value, str):
        raise FrameError(f"a frame without {name!r}")
    return value


def _number(value: Any, name: str) -> int:
    """Read a whole number, which Telnyx sometimes writes as text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 16:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_CHUNK:
        raise FrameError(f"{name!r} is not a number")
    return value


def _key(dtmf: JsonObject) -> KeyPressed:
    key = _text(dtmf, "digit").upper()
    if key not in _KEYS:
        raise FrameError("a key that no telephone has")
    return KeyPressed(key)
