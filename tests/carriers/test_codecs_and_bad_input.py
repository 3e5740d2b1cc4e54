"""Every carrier's codec against frames that are garbage, nearly right, or far too many.

Whatever arrives, `read` gives events or raises `FrameError`, keeps little, and its events have the promised form.
"""

import gc
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bargein.carriers.interface import (
    Cleared,
    Codec,
    FrameError,
    Heard,
    KeyPressed,
    MarkReached,
    MediaEvent,
    Started,
    Stopped,
)
from bargein.carriers.telnyx.codec import TelnyxCodec
from bargein.carriers.twilio.codec import TwilioCodec
from bargein.carriers.vonage.codec import VonageCodec
from tests.carriers.telnyx import wire as telnyx

Frame = str | bytes
MOST_KEPT_BYTES = 256 * 1024
MOST_GROWTH = 8
"""A byte of mu-law in base64 becomes two samples of two bytes."""


@dataclass(frozen=True)
class Wire:
    """A carrier's codec, and frames that it understands: first those with which a stream begins."""

    make: Callable[[], Codec]
    opening: tuple[Frame, ...]
    frames: tuple[Frame, ...]


def twilio(event: str, **more: Any) -> str:
    """A frame of Twilio's."""
    return json.dumps({"event": event, "sequenceNumber": "3", "streamSid": "MZ1", **more})


SAMPLES = b"\1\2" * 320
TWILIO_START = {
    "callSid": "CA1",
    "streamSid": "MZ1",
    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
}
VONAGE_OPENING = {"event": "websocket:connected", "content-type": "audio/l16;rate=16000", "carrierCallId": "call"}
WIRES = {
    "telnyx": Wire(
        TelnyxCodec,
        (telnyx.CONNECTED, telnyx.start()),
        (
            telnyx.media(SAMPLES, 1),
            telnyx.media(SAMPLES, 3),
            telnyx.media(SAMPLES),
            telnyx.media(SAMPLES, 1, "outbound"),
            telnyx.mark("m"),
            telnyx.dtmf("5"),
            json.dumps({"event": "error", "payload": {"code": 1, "title": "x"}}),
            telnyx.STOP,
        ),
    ),
    "telnyx, mu-law": Wire(TelnyxCodec, (telnyx.start("PCMU", 8000),), (telnyx.media(SAMPLES, 1),)),
    "twilio": Wire(
        TwilioCodec,
        (
            json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}),
            twilio("start", start=TWILIO_START),
        ),
        (
            twilio("media", media={"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "AAAA"}),
            twilio("media", media={"track": "outbound", "payload": "AAAA"}),
            twilio("mark", mark={"name": "m"}),
            twilio("dtmf", dtmf={"track": "inbound_track", "digit": "5"}),
            twilio("stop", stop={"callSid": "CA1"}),
        ),
    ),
    "vonage": Wire(
        VonageCodec,
        (json.dumps(VONAGE_OPENING),),
        (
            SAMPLES,
            json.dumps({"event": "websocket:cleared"}),
            json.dumps({"event": "websocket:notify", "payload": {"mark": "m"}}),
            json.dumps({"event": "websocket:dtmf", "dtmf": {"digit": "5"}, "duration": 100}),
        ),
    ),
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NASTY: list[Any] = [
    "", "x", "\ud800", "\u0661", "-1", "1e9", "9" * 5000, 10**400, -1, 0, 2**53, 1.5, float("nan"), True, None, [], {},
    "AAA=", "AA==", "%%%", "é", "L16", "PCMU", "OPUS", "inbound", "stop", "12", "#",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, member in inner for found in places(member, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The same value with another one at a place; `...` takes it away."""
    if not path:
        return new
    copy = value.copy()
    if new is ... and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


@st.composite
def spoiled(draw: st.DrawFn, wire: Wire) -> Frame:
    """A frame that is right but for one or two things."""
    frame = draw(st.sampled_from(wire.opening + wire.frames))
    if isinstance(frame, bytes):
        cut = draw(st.integers(0, len(frame)))
        return frame[:cut] + draw(st.binary(max_size=3))
    value = json.loads(frame)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(value)))
        value = changed(value, path, draw(st.sampled_from(NASTY) | JSON | (st.just(...) if path else st.nothing())))
    text = json.dumps(value)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


def frames_of(wire: Wire) -> st.SearchStrategy[Frame]:
    """Yield the frames that a socket may bring."""
    return st.one_of(
        st.sampled_from(wire.opening + wire.frames),
        spoiled(wire),
        JSON.map(json.dumps),
        st.text(max_size=60),
        st.binary(max_size=2000),
    )


def fits(event: MediaEvent, codec: Codec) -> bool:
    """Return whether an event has the form that the interface promises."""
    match event:
        case Heard(audio):
            return isinstance(audio, bytes) and len(audio) % (2 if codec.encoding == "pcm_s16le" else 1) == 0
        case MarkReached(name):
            return isinstance(name, str)
        case KeyPressed(key):
            return len(key) == 1 and key in "0123456789*#ABCD"
        case Started(carrier_call_id, details):
            return isinstance(carrier_call_id, str | None) and isinstance(details, dict)
        case Cleared() | Stopped():
            return True


def read_all(codec: Codec, frames: Sequence[Frame]) -> tuple[list[MediaEvent], int]:
    """Feed frames; gives the events, and how many frames were refused."""
    events: list[MediaEvent] = []
    refused, words = 0, list[str]()
    for frame in frames:
        try:
            events += codec.read(frame)
        except FrameError as error:
            refused += 1
            words.append(str(error))
    assert all(0 < len(text) < 300 for text in words)  # they go into a log
    assert all(fits(event, codec) for event in events)
    return events, refused


def kept_bytes(root: object) -> int:
    """The size of all that hangs on an object, but for classes, modules and functions."""
    seen: set[int] = set()
    todo, size = [root], 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | type(sys) | type(kept_bytes)):
            continue
        seen.add(id(one))
        size += sys.getsizeof(one)
        todo += gc.get_referents(one)
        todo += [one.base] if isinstance(one, np.ndarray) else []  # which the collector does not know of
    return size


@pytest.mark.parametrize("name", WIRES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_nothing_but_events_or_a_frame_error(name: str, data: st.DataObject) -> None:
    wire = WIRES[name]
    codec = wire.make()
    opening = wire.opening if data.draw(st.booleans(), label="opened") else ()
    frames = data.draw(st.lists(frames_of(wire), max_size=25), label="frames")
    events, _ = read_all(codec, [*opening, *frames])
    heard = sum(len(event.audio) for event in events if isinstance(event, Heard))
    assert heard <= MOST_GROWTH * sum(len(frame) for frame in frames) + 1000


@pytest.mark.parametrize("name", WIRES)
def test_one_wrong_thing_in_any_place(name: str) -> None:
    wire = WIRES[name]
    for frame in wire.opening + wire.frames:
        if isinstance(frame, bytes):
            continue
        value = json.loads(frame)
        for path in places(value):
            for new in [*NASTY, ...] if path else NASTY:
                codec = wire.make()
                read_all(codec, wire.opening if frame not in wire.opening else ())
                read_all(codec, [json.dumps(changed(value, path, new)), *wire.frames])


@pytest.mark.parametrize("name", WIRES)
def test_each_valid_frame_is_read(name: str) -> None:
    wire = WIRES[name]
    codec = wire.make()
    events, refused = read_all(codec, wire.opening + wire.frames)
    assert refused == 0
    assert isinstance(events[0], Started)
    assert any(isinstance(event, Heard) for event in events)


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("opened", [True, False])
def test_no_flood_is_kept(name: str, opened: bool) -> None:
    """A thousand of every frame, in and out of a stream, and of frames that are too large or too deep."""
    wire = WIRES[name]
    codec = wire.make()
    if opened:
        read_all(codec, wire.opening)
    huge: list[Frame] = [
        "x" * (1 << 20),
        b"x" * (1 << 20),
        "[" * 100_000,
        '{"event":' * 20_000,
        json.dumps("y" * 500_000),
    ]
    calm = [frame for frame in wire.frames if "stop" not in str(frame)]
    for number in range(1000):
        read_all(codec, calm)
        if number % 100 == 0:
            read_all(codec, huge)
    assert kept_bytes(codec) < MOST_KEPT_BYTES + kept_bytes(cast("Any", wire.make()))


@pytest.mark.parametrize("name", [name for name in WIRES if name.startswith("telnyx")])
def test_gaps_in_the_count_of_chunks_are_not_kept(name: str) -> None:
    codec = WIRES[name].make()
    read_all(codec, WIRES[name].opening)
    for number in [0, *range(2, 500), *range(502, 9000, 3)]:
        read_all(codec, [telnyx.media(SAMPLES, number)])
    assert kept_bytes(codec) < MOST_KEPT_BYTES + kept_bytes(cast("Any", WIRES[name].make()))


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("size", [0, 1, 2, 319, 320, 640, 641, 6400])
def test_sent_audio_is_one_frame(name: str, size: int) -> None:
    codec = WIRES[name].make()
    read_all(codec, WIRES[name].opening)
    assert isinstance(codec.audio(bytes(size)), str | bytes)
    for text in ("", "m", '"\\\n', "\u2028", "é" * 100):
        assert isinstance(codec.mark(text), str | bytes)
