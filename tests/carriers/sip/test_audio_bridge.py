"""The sound of a call, over streams that stand where baresip's stand and move by hand."""

import numpy as np
import pytest
from baresip import AudioNotActive, AudioRestarted
from baresip.audio import AudioInfo

from bargein.carriers.sip.agent.audio_bridge import AudioBridge


class Streams:
    """baresip's buffers: a little room, flushed at the next tick of their own clock."""

    def __init__(self, rate_hz: int = 8000, channels: int = 1, capacity: int = 3200) -> None:
        self.rate_hz, self.channels, self.capacity = rate_hz, channels, capacity
        self.buffered = bytearray()
        self.played = bytearray()
        self.came = bytearray()
        self.flush = False
        self.fails: type[Exception] | None = None

    def info(self) -> AudioInfo:
        if self.fails is not None:
            raise self.fails
        rate, channels = self.rate_hz, self.channels
        buffered = len(self.buffered)
        came, room = len(self.came), self.capacity
        return AudioInfo(True, True, rate, channels, 20, rate, channels, buffered, came, room, room)

    def read(self, max_bytes: int) -> bytes:
        data = bytes(self.came[:max_bytes])
        del self.came[:max_bytes]
        return data

    def write(self, pcm: bytes) -> int:
        taken = pcm[: self.capacity - len(self.buffered)]
        self.buffered += taken
        return len(taken)

    def flush_tx(self) -> None:
        self.flush = True

    def packet(self) -> None:
        """Play 20 ms."""
        if self.flush:
            self.buffered.clear()
            self.flush = False
        size = self.rate_hz // 50 * 2 * self.channels
        self.played += self.buffered[:size]
        del self.buffered[:size]


def counted(samples: int) -> bytes:
    return np.arange(samples, dtype="<i2").tobytes()


def test_long_audio_is_written_in_pieces_and_marks_are_reached_when_it_was_played() -> None:
    streams = Streams()
    audio_bridge = AudioBridge(streams, 8000, 0)
    audio_bridge.play(counted(8000))
    audio_bridge.mark("all")
    reached: list[float] = []
    for ms in range(0, 1300, 20):
        _, names = audio_bridge.tick(ms)
        reached += [ms for _ in names]
        streams.packet()
    assert bytes(streams.played) == counted(8000)
    assert reached == [1040]


def test_audio_after_a_clear_is_not_cleared() -> None:
    streams = Streams()
    audio_bridge = AudioBridge(streams, 8000, 0)
    audio_bridge.play(counted(8000))
    audio_bridge.mark("old")
    audio_bridge.tick(0)
    assert audio_bridge.clear(5) == ["old"]
    audio_bridge.play(counted(160))
    audio_bridge.mark("new")
    assert audio_bridge.tick(10)[1] == []
    assert streams.flush
    before = len(streams.played)
    names: list[str] = []
    for ms in range(20, 120, 20):
        streams.packet()
        names += audio_bridge.tick(ms)[1]
    assert bytes(streams.played[before:]) == counted(160)
    assert names == ["new"]


def test_wideband_and_stereo_streams_are_converted() -> None:
    streams = Streams(rate_hz=48_000, channels=2, capacity=1 << 20)
    audio_bridge = AudioBridge(streams, 16_000, 0)
    tone = (np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000) * 8000).astype("<i2")
    audio_bridge.play(tone.tobytes())
    audio_bridge.tick(0)
    out = np.frombuffer(bytes(streams.buffered), "<i2").reshape(-1, 2)
    assert abs(out.shape[0] - 48_000) < 200
    assert (out[:, 0] == out[:, 1]).all()
    streams.came += streams.buffered
    heard = b"".join(audio_bridge.tick(ms)[0] for ms in (10, 20, 30, 40))
    back = np.frombuffer(heard, "<i2").astype(float)
    assert abs(back.size - 16_000) < 200
    assert 7000 < np.abs(back[1000:-1000]).max() < 9000


def test_silence_is_filled_in_for_a_silent_far_end() -> None:
    streams = Streams()
    audio_bridge = AudioBridge(streams, 8000, 0)
    streams.came += counted(160)
    heard = len(audio_bridge.tick(20)[0])
    for ms in range(30, 2030, 10):
        heard += len(audio_bridge.tick(ms)[0])
    assert 1.9 < heard / 16_000 < 2.03
    # what comes late is heard, and does not pile up
    streams.came += counted(8000)
    assert len(audio_bridge.tick(2040)[0]) == 16_000
    for ms in range(2050, 4050, 10):
        heard += len(audio_bridge.tick(ms)[0])
    assert heard / 16_000 < 4.2


@pytest.mark.parametrize("error", [AudioNotActive, AudioRestarted])
def test_inactive_streams_lose_no_waiting_audio(error: type[Exception]) -> None:
    streams = Streams()
    audio_bridge = AudioBridge(streams, 8000, 0)
    streams.fails = error
    audio_bridge.play(counted(1600))
    audio_bridge.mark("said")
    for ms in range(0, 500, 10):
        assert audio_bridge.tick(ms)[1] == []
    streams.fails = None
    names: list[str] = []
    for ms in range(500, 900, 20):
        names += audio_bridge.tick(ms)[1]
        streams.packet()
    assert bytes(streams.played) == counted(1600)
    assert names == ["said"]
