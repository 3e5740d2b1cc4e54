"""Telnyx's media socket (bidirectional RTP mode): JSON text frames with base64 payloads.

Telnyx sends `connected`, `start`, `media`, `dtmf`, `mark`, `error` and `stop`; it takes `media`, `mark` and `clear`. A
mark comes back when the audio before it has been played, and marks that wait come back after `clear`.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, cast

import structlog
from typing_extensions import override

from bargein.audio.pcm import Int16Array
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
from bargein.carriers.telnyx.chunks import Chunks
from bargein.carriers.telnyx.payload import RATE_HZ, ByteOrder, Payloads, in_order
from bargein.wire.base import JsonObject

_MOST_CHARS = 1 << 15
"""Three quarters of a second of audio; Telnyx sends 20 ms a frame, a thousand characters."""
_MOST_CHUNK = (1 << 53) - 1
_LEAST_BYTES = RATE_HZ // 50 * 2
"""Telnyx takes media from 20 ms on."""
_KEYS = frozenset("0123456789*#ABCD")
_MOST_COMPLAINTS = 10

_log = structlog.get_logger("bargein.carriers.telnyx")


class TelnyxCodec(Codec):
    """A `bargein.carriers.interface.Codec` for Telnyx.

    Args:
        byte_order: of L16 samples on the wire, both ways; see `payload`.
    """

    encoding: Encoding = "pcm_s16le"
    rate_hz = RATE_HZ
    can_clear = True
    has_marks = True
    joins = False

    def __init__(self, byte_order: ByteOrder = "little") -> None:
        self._byte_order: ByteOrder = byte_order
        self._chunks = Chunks()
        self._payloads: Payloads | None = None
        self._over = False
        self._complaints = 0

    @override
    def read(self, frame: str | bytes) -> Sequence[MediaEvent]:
        said = json_object(frame, _MOST_CHARS)
        event = _text(said, "event")
        if self._over:
            raise FrameError(f"{event[:40]!r} after the stream's end")
        match event:
            case "connected":
                return ()
            case "start":
                return (self._start(said),)
            case "error":
                return self._complaint(said)
            case "media" if self._payloads is None:
                return (Heard(b""),)  # nobody can tell what it holds; the leg counts that it came
            case _ if self._payloads is None:
                raise FrameError(f"{event[:40]!r} before the stream's start")
            case _:
                return self._in_stream(event, said, self._payloads)

    def _in_stream(self, event: str, said: JsonObject, payloads: Payloads) -> Sequence[MediaEvent]:
        match event:
            case "media":
                return self._media(payloads, _object(said, "media"))
            case "dtmf":
                return (_key(_object(said, "dtmf")),)
            case "mark":
                return (MarkReached(_text(_object(said, "mark"), "name")),)
            case "stop":
                self._over = True
                return (*_heard(payloads, self._chunks.flush()), Stopped())
            case _:
                raise FrameError(f"there is no event {event[:40]!r}")

    @override
    def audio(self, data: bytes) -> str:
        """A frame shorter than Telnyx takes is filled up with silence."""
        payload = b64encode(in_order(data, self._byte_order).ljust(_LEAST_BYTES, b"\0")).decode("ascii")
        return f'{{"event":"media","media":{{"payload":"{payload}"}}}}'

    @override
    def mark(self, name: str) -> str:
        return json.dumps({"event": "mark", "mark": {"name": name}})

    @override
    def clear(self) -> str:
        return '{"event":"clear"}'

    def _start(self, said: JsonObject) -> Started:
        if self._payloads is not None:
            raise FrameError("the stream has begun already")
        start = _object(said, "start")
        form = _object(start, "media_format")
        if form.get("channels", 1) not in (1, "1"):
            raise FrameError("the stream is not mono")
        rate_hz = _number(form.get("sample_rate"), "sample_rate")
        self._payloads = Payloads(_text(form, "encoding").upper()[:40], rate_hz, self._byte_order)
        details = {"streamId": said.get("stream_id"), "callSessionId": start.get("call_session_id")}
        call_id: object = start.get("call_control_id")
        return Started(
            call_id if isinstance(call_id, str) else None,
            {name: value for name, value in details.items() if isinstance(value, str)},
        )

    def _media(self, payloads: Payloads, media: JsonObject) -> Sequence[MediaEvent]:
        if media.get("track") not in (None, "inbound", "inbound_track"):
            return ()  # our own voice come back
        try:
            data = b64decode(_text(media, "payload"), validate=True)
        except ValueError as error:
            raise FrameError("the payload is not base64") from error
        pcm = payloads.samples(data)
        chunk = media.get("chunk")
        in_order = [pcm] if chunk is None else self._chunks.push(_number(chunk, "chunk"), pcm)
        return _heard(payloads, in_order)

    def _complaint(self, said: JsonObject) -> Sequence[MediaEvent]:
        """Telnyx did not like something that we sent; the call goes on."""
        self._complaints += 1
        if self._complaints <= _MOST_COMPLAINTS:
            told = _object(said, "payload")
            _log.warning("telnyx complains", code=str(told.get("code"))[:20], title=str(told.get("title"))[:100])
        return ()


def _heard(payloads: Payloads, in_order: Sequence[Int16Array]) -> Sequence[MediaEvent]:
    read = [payloads.audio(pcm) for pcm in in_order]
    return tuple(Heard(audio) for audio in read if audio)


def _object(said: JsonObject, name: str) -> JsonObject:
    value: object = said.get(name)
    if not isinstance(value, dict):
        raise FrameError(f"a frame without {name!r}")
    return cast("JsonObject", value)


def _text(said: JsonObject, name: str) -> str:
    value: object = said.get(name)
    if not isinstance(value, str):
        raise FrameError(f"a frame without {name!r}")
    return value


def _number(value: Any, name: str) -> int:
    """A whole number, which Telnyx writes as text as often as not."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 16:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_CHUNK:
        raise FrameError(f"{name!r} is no number")
    return value


def _key(dtmf: JsonObject) -> KeyPressed:
    key = _text(dtmf, "digit").upper()
    if key not in _KEYS:
        raise FrameError("there is no such key")
    return KeyPressed(key)
