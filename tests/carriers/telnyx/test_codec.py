"""Telnyx's media socket: what its frames mean, their order, and the order of their bytes."""

import json
from base64 import b64decode

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bargein.audio import g711
from bargein.carriers.interface import FrameError, Heard, KeyPressed, MarkReached, Started, Stopped
from bargein.carriers.telnyx.codec import TelnyxCodec
from tests.carriers.telnyx import wire

CHUNK_BYTES = 640


def begun(**form: object) -> TelnyxCodec:
    codec = TelnyxCodec()
    assert codec.read(wire.CONNECTED) == ()
    codec.read(wire.start(**form))  # type: ignore[arg-type]
    return codec


def frame_of(number: int) -> bytes:
    """20 ms that tell which they are."""
    return bytes([number % 256, 1]) * (CHUNK_BYTES // 2)


def heard(codec: TelnyxCodec, *numbers: int) -> list[int]:
    """Feed chunks; gives the numbers of what came out, -1 for one that was refused."""
    out: list[int] = []
    for number in numbers:
        try:
            found = codec.read(wire.media(frame_of(number), number))
        except FrameError:
            out.append(-1)
            continue
        assert all(isinstance(event, Heard) for event in found)
        out += [event.audio[0] for event in found if isinstance(event, Heard)]
    return out


def test_a_stream_from_its_start_to_its_end() -> None:
    codec = TelnyxCodec()
    assert codec.read(wire.CONNECTED) == ()
    started = codec.read(wire.start())
    assert started == (Started(wire.CALL, {"streamId": "stream", "callSessionId": "session"}),)
    assert codec.read(wire.media(frame_of(1), 1)) == (Heard(frame_of(1)),)
    assert codec.read(wire.dtmf("#")) == (KeyPressed("#"),)
    assert codec.read(wire.dtmf("d")) == (KeyPressed("D"),)
    assert codec.read(wire.mark("m1")) == (MarkReached("m1"),)
    assert codec.read(wire.STOP) == (Stopped(),)
    with pytest.raises(FrameError, match="after the stream's end"):
        codec.read(wire.media(frame_of(2), 2))


def test_sent_frames() -> None:
    codec = TelnyxCodec()
    said = json.loads(codec.audio(frame_of(7)))
    assert (said["event"], b64decode(said["media"]["payload"])) == ("media", frame_of(7))
    assert json.loads(codec.mark("turn 1")) == {"event": "mark", "mark": {"name": "turn 1"}}
    assert json.loads(codec.clear()) == {"event": "clear"}


def test_short_audio_is_padded_with_silence() -> None:
    payload = b64decode(json.loads(TelnyxCodec().audio(b"\1\2" * 10))["media"]["payload"])
    assert payload == b"\1\2" * 10 + bytes(CHUNK_BYTES - 20)


@pytest.mark.parametrize(("byte_order", "loud"), [("little", b"\x00\x40"), ("big", b"\x40\x00")])
def test_the_byte_order_holds_both_ways(byte_order: str, loud: bytes) -> None:
    codec = TelnyxCodec(byte_order)  # type: ignore[arg-type]
    codec.read(wire.start())
    samples = np.full(320, 0x4000, dtype="<i2").tobytes()
    assert codec.read(wire.media(loud * 320, 1)) == (Heard(samples),)
    assert b64decode(json.loads(codec.audio(samples))["media"]["payload"]) == loud * 320


SOUNDS = {
    "a voice": lambda rng: 6000 * np.sin(2 * np.pi * 140 * np.arange(16_000) / 16_000) * rng.uniform(0.2, 1, 16_000),
    "a loud line": lambda rng: np.convolve(rng.normal(0, 12_000, 16_004), np.ones(5) / 5, "valid"),
    "comfort noise": lambda rng: rng.normal(0, 6, 16_000),
    "silence": lambda _: np.zeros(16_000),
}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("sound", SOUNDS)
def test_swapped_bytes_are_reported_once(sound: str, swapped: bool) -> None:
    pcm = SOUNDS[sound](np.random.default_rng(1)).astype("<i2")
    data = (pcm.byteswap() if swapped else pcm).tobytes()
    codec = begun()
    with structlog.testing.capture_logs() as said:
        for number, at in enumerate(range(0, len(data) * 2, CHUNK_BYTES)):
            codec.read(wire.media((data * 2)[at : at + CHUNK_BYTES], number))
    told = [one for one in said if "other byte order" in one["event"]]
    assert len(told) == (1 if swapped and sound in ("a voice", "a loud line") else 0)


def tone(rate_hz: int, seconds: float = 0.5) -> np.ndarray:
    at = np.arange(int(rate_hz * seconds)) / rate_hz
    return (8000 * np.sin(2 * np.pi * 300 * at)).astype(np.int16)


def a_law(pcm: np.ndarray) -> bytes:
    """By the formula of G.711 and not by a table: 13 bits, segments of 16 steps."""
    coded = []
    for sample in pcm.tolist():
        magnitude = min((sample if sample >= 0 else -sample - 1) >> 3, 4095)
        segment = max(0, magnitude.bit_length() - 5)
        step = magnitude >> max(1, segment) & 15
        coded.append((0x80 if sample >= 0 else 0) | segment << 4 | step)
    return bytes(code ^ 0x55 for code in coded)


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "L16"])
def test_audio_of_a_telephone_leg_is_heard_at_16_khz(encoding: str) -> None:
    """Telnyx sends a leg's own encoding where it cannot transcode."""
    pcm = tone(8000)
    encode = {"PCMU": g711.encode, "PCMA": a_law, "L16": lambda pcm: pcm.tobytes()}[encoding]
    codec, out = begun(encoding=encoding, rate_hz=8000), b""
    for number, at in enumerate(range(0, pcm.size, 160)):
        for event in codec.read(wire.media(encode(pcm[at : at + 160]), number)):
            assert isinstance(event, Heard)
            out += event.audio
    found = np.frombuffer(out, "<i2").astype(float)
    want = tone(16_000)[: found.size].astype(float)
    assert want.size * 2 - 16_000 + 160 >= 0  # little is withheld
    assert np.sqrt(np.mean((found - want)[200:] ** 2)) < 300


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "channels"),
    [("OPUS", 16_000, 1), ("L16", 44_100, 1), ("PCMU", 16_000, 1), ("", 0, 1), ("L16", 16_000, 2)],
)
def test_a_stream_that_was_not_requested_does_not_begin(encoding: str, rate_hz: int, channels: int) -> None:
    codec = TelnyxCodec()
    with pytest.raises(FrameError):
        codec.read(wire.start(encoding, rate_hz, channels=channels))
    for early in (wire.mark("m"), wire.dtmf("1"), wire.STOP):
        with pytest.raises(FrameError, match="before the stream's start"):
            codec.read(early)
    assert codec.read(wire.media(frame_of(1), 1)) == (Heard(b""),)


def test_the_outbound_track_is_ignored() -> None:
    assert begun().read(wire.media(frame_of(1), 1, "outbound")) == ()


def test_chunks_in_order_are_not_held_back() -> None:
    assert heard(begun(), *range(1, 200)) == list(range(1, 200))


@pytest.mark.parametrize("numbers", [(1, 3, 2, 4), (1, 4, 3, 2, 5), (1, 2, 4, 5, 3, 6)])
def test_early_chunks_wait(numbers: tuple[int, ...]) -> None:
    assert heard(begun(), *numbers) == sorted(numbers)


def test_a_missing_chunk_is_not_waited_for_long() -> None:
    codec = begun()
    assert heard(codec, 1, 3, 4, 5, 6) == [1, 3, 4, 5, 6]  # 60 ms late, once
    assert heard(codec, 8, 9) == [8, 9]  # and less each time that it does not come
    assert heard(codec, 11) == [11]


def test_missing_chunks_are_waited_for_again_after_one_arrived() -> None:
    codec = begun()
    heard(codec, 1, 3, 4, 5, 6, 8, 9, 11)
    assert heard(codec, 10) == [-1]  # late, and dropped
    assert heard(codec, 13, 12, 14) == [12, 13, 14]


def test_a_duplicate_is_dropped() -> None:
    assert heard(begun(), 1, 1, 2, 2, 4, 4, 3, 1) == [1, -1, 2, -1, -1, 3, 4, -1]


def test_one_impossible_chunk_number_does_not_silence_the_caller() -> None:
    assert heard(begun(), 1, 2, 9_000_000, 3, 4) == [1, 2, -1, 3, 4]


def test_a_restarted_count_is_followed() -> None:
    assert heard(begun(), 1, 5000, 5001, 5002) == [1, -1, 5001 % 256, 5002 % 256]
    assert heard(begun(), 5000, 1, 2, 3) == [5000 % 256, -1, 2, 3]


def test_waiting_chunks_are_returned_at_the_end() -> None:
    codec = begun()
    heard(codec, 1, 3)
    assert codec.read(wire.STOP) == (Heard(frame_of(3)), Stopped())


def test_without_numbers_the_order_is_the_sockets() -> None:
    codec = begun()
    assert codec.read(wire.media(frame_of(9))) == (Heard(frame_of(9)),)
    assert codec.read(wire.media(frame_of(3))) == (Heard(frame_of(3)),)


@given(st.permutations(range(24)), st.lists(st.integers(0, 23), max_size=8))
def test_nothing_is_heard_twice_or_out_of_order(order: list[int], doubles: list[int]) -> None:
    codec = begun()
    numbers = order + doubles
    out = [number for number in heard(codec, *numbers) if number >= 0]
    out += [event.audio[0] for event in codec.read(wire.STOP) if isinstance(event, Heard)]
    assert out == sorted(set(out))


@given(st.integers(0, 40), st.lists(st.integers(0, 2), min_size=40, max_size=40))
def test_slightly_reordered_chunks_are_all_kept(first: int, moves: list[int]) -> None:
    """Each chunk comes at most two places early or late."""
    numbers = sorted(range(first, first + 40), key=lambda number: number + moves[number - first])
    numbers.remove(first)
    codec = begun()
    assert [*heard(codec, first, *numbers)] == list(range(first, first + 40))


def test_telnyxs_error_frames_are_ignored() -> None:
    codec = TelnyxCodec()
    complaint = {"event": "error", "payload": {"code": 100003, "title": "malformed_frame", "detail": "x"}}
    assert [codec.read(json.dumps(complaint)) for _ in range(50)] == [()] * 50


BAD = [
    b"\x00\x01",
    "",
    "{",
    "[]",
    "1",
    "null",
    "{}",
    '{"event": 1}',
    '{"event": "magic"}',
    "[" * 100_000,
    '{"event": "media"}',
    '{"event": "media", "media": []}',
    '{"event": "media", "media": {}}',
    '{"event": "media", "media": {"payload": 1}}',
    '{"event": "media", "media": {"payload": "%%%"}}',
    '{"event": "media", "media": {"payload": "\\u00e9"}}',
    '{"event": "media", "media": {"payload": "AAA="}, "x": 1}'.replace("AAA=", "AA=="),
    '{"event": "media", "media": {"payload": "AAA=", "chunk": "x"}}',
    '{"event": "media", "media": {"payload": "AAA=", "chunk": -1}}',
    '{"event": "media", "media": {"payload": "AAA=", "chunk": true}}',
    '{"event": "media", "media": {"payload": "AAA=", "chunk": 1.5}}',
    '{"event": "media", "media": {"payload": "AAA=", "chunk": 99999999999999999999999}}',
    '{"event": "media", "media": {"payload": "AAA=", "chunk": "\\u0661"}}',
    '{"event": "dtmf", "dtmf": {"digit": "12"}}',
    '{"event": "dtmf", "dtmf": {}}',
    '{"event": "mark", "mark": {"name": null}}',
    '{"event": "error"}',
    wire.start(),
    "x" * (1 << 18),
]


@pytest.mark.parametrize("frame", BAD, ids=range(len(BAD)))
def test_unreadable_frames_are_refused_and_the_call_goes_on(frame: str | bytes) -> None:
    codec = begun()
    with pytest.raises(FrameError):
        codec.read(frame)
    assert heard(codec, 1, 2) == [1, 2]
