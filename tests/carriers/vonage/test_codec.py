"""The frames of a Vonage media socket, as they come and as they go."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.carriers.interface import Cleared, FrameError, Heard, KeyPressed, MarkReached, Started
from bargein.carriers.vonage.codec import FRAME_BYTES, VonageCodec

CONNECTED = {"event": "websocket:connected", "content-type": "audio/l16;rate=16000"}
FRAME = np.arange(320, dtype="<i2").tobytes()


def connected(**headers: Any) -> VonageCodec:
    codec = VonageCodec()
    codec.read(json.dumps(CONNECTED | headers))
    return codec


def test_the_first_message_names_the_call_by_the_nccos_header() -> None:
    [started] = VonageCodec().read(json.dumps(CONNECTED | {"carrierCallId": "aaaa-bbbb", "other": {"deep": [1]}}))
    assert started == Started("aaaa-bbbb", {"contentType": "audio/l16;rate=16000"})
    [nameless] = VonageCodec().read(json.dumps(CONNECTED | {"carrierCallId": 7}))
    assert nameless == Started(None, {"contentType": "audio/l16;rate=16000"})


def test_binary_messages_are_audio() -> None:
    codec = connected()
    assert codec.read(FRAME) == [Heard(FRAME)]
    assert codec.read(b"") == []


def test_marks_clears_and_keys_come_back() -> None:
    codec = connected()
    notified = {"event": "websocket:notify", "payload": json.loads(codec.mark("turn 3:900"))["payload"]}
    assert codec.read(json.dumps(notified)) == [MarkReached("turn 3:900")]
    assert codec.read('{"event": "websocket:cleared"}') == [Cleared()]
    assert json.loads(codec.clear()) == {"action": "clear"}
    assert json.loads(codec.mark("m"))["action"] == "notify"


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"digit": "5", "duration": 260}, "5"),
        ({"dtmf": {"digit": "#"}}, "#"),
        ({"dtmf": "*"}, "*"),
        ({"digit": 0}, "0"),
        ({"digit": "a"}, "A"),
    ],
)
def test_a_key_is_read_in_each_of_its_shapes(said: dict[str, Any], key: str) -> None:
    assert connected().read(json.dumps({"event": "websocket:dtmf"} | said)) == [KeyPressed(key)]


@pytest.mark.parametrize(
    "frame",
    [
        "{oops",
        "[" * 100_000,
        "[]",
        "{}",
        '{"event": 7}',
        json.dumps({"event": "websocket:dtmf"}),
        json.dumps({"event": "websocket:dtmf", "digit": "12"}),
        json.dumps({"event": "websocket:dtmf", "digit": True}),
        json.dumps({"event": "websocket:dtmf", "dtmf": {}}),
        json.dumps({"event": "websocket:notify"}),
        json.dumps({"event": "websocket:notify", "payload": {"mark": 3}}),
        json.dumps({"event": "websocket:notify", "payload": "m"}),
        json.dumps(CONNECTED),  # a second one
        json.dumps({"event": "websocket:other", "fill": "x" * 20_000}),
        FRAME + b"\0",
        bytes(640 * 51),
    ],
)
def test_an_unreadable_frame_is_refused_and_the_next_one_is_read(frame: str | bytes) -> None:
    codec = connected()
    with pytest.raises(FrameError):
        codec.read(frame)
    assert codec.read(FRAME) == [Heard(FRAME)]


@pytest.mark.parametrize("content_type", ["audio/l16;rate=8000", "audio/pcmu;rate=8000", "", None, 16000])
def test_audio_that_was_not_offered_begins_no_stream(content_type: object) -> None:
    codec = VonageCodec()
    with pytest.raises(FrameError, match="rate=16000"):
        codec.read(json.dumps(CONNECTED | {"content-type": content_type}))
    assert isinstance(codec.read(json.dumps(CONNECTED))[0], Started)


def test_unknown_events_are_ignored() -> None:
    assert connected().read('{"event": "websocket:weather", "rain": true}') == []


@given(st.binary(max_size=5_000))
def test_sent_audio_is_whole_frames_padded_with_silence(audio: bytes) -> None:
    sent = VonageCodec().audio(audio)
    assert len(sent) % FRAME_BYTES == 0
    assert sent[: len(audio)] == audio
    assert set(sent[len(audio) :]) <= {0}
    assert len(sent) - len(audio) < FRAME_BYTES


@given(st.one_of(st.text(), st.binary(), st.dictionaries(st.text(), st.text()).map(json.dumps)))
def test_any_frame_is_an_event_or_an_error(frame: str | bytes) -> None:
    codec = connected()
    with suppress(FrameError):
        assert isinstance(codec.read(frame), list)
