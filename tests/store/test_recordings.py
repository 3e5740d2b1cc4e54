"""Recordings on disk: valid at every time, readable in parts, and no failure of a call when the disk is full."""

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile

from bargein.audio.wav import HEADER_BYTES
from bargein.store import recordings
from bargein.store.recordings import RecordingFile, recording_path
from bargein.store.waves import Part, Wave, write_mp3
from tests.call.conftest import Log, log

__all__ = ["log"]

pytestmark = pytest.mark.anyio

CALL = "3f6c2b1e-7f0a-4c1d-9b2e-5a6b7c8d9e0f"


def tone(ms: int, level: int = 8000, hz: int = 440) -> np.ndarray:
    return (level * np.sin(np.arange(ms * 16) * 2 * np.pi * hz / 16_000)).astype(np.int16)


def read(path: Path) -> np.ndarray:
    """Read a file with another library."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


async def recorded(path: Path) -> np.ndarray:
    """A second of the customer, then half a second of the assistant, 200 ms apart, in a call of three seconds."""
    recorder = RecordingFile(path)
    for n in range(50):
        recorder.write_customer(tone(1000)[n * 320 : (n + 1) * 320], 20 * n + n % 3)
    recorder.write_assistant(tone(500, 4000), 1200)
    await recorder.close(3000)
    return read(path)


async def test_both_sides_keep_their_times(tmp_path: Path) -> None:
    sound = await recorded(tmp_path / "a.wav")
    assert len(sound) == 48_000
    assert np.array_equal(sound[:16_000, 0], tone(1000))
    assert not sound[16_000:, 0].any()
    assert np.array_equal(sound[19_200:27_200, 1], tone(500, 4000))
    assert not sound[:19_200, 1].any()
    assert not sound[27_200:, 1].any()


async def test_audio_that_was_cut_is_not_recorded(tmp_path: Path) -> None:
    recorder = RecordingFile(tmp_path / "a.wav")
    recorder.write_assistant(tone(1000), 0)
    recorder.cut_assistant(300)
    await recorder.close(1000)
    sound = read(tmp_path / "a.wav")[:, 1]
    assert np.array_equal(sound[:4800], tone(1000)[:4800])
    assert not sound[4800:].any()


async def test_the_file_is_valid_during_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "_FLUSH_S", 0.01)
    path = recording_path(tmp_path, CALL)
    recorder, now_ms = RecordingFile(path), 0.0
    lengths: list[int] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run, lambda: now_ms)
        for _ in range(5):
            recorder.write_customer(tone(1000), now_ms)
            now_ms += 1000
            with anyio.fail_after(5):
                while not path.exists() or path.stat().st_size < HEADER_BYTES + (now_ms - 500) * 64:
                    await anyio.sleep(0.005)
            lengths.append(len(read(path)))
        tasks.cancel_scope.cancel()
    assert lengths == [8_000, 24_000, 40_000, 56_000, 72_000], "all but the last half second, which can still be cut"
    await recorder.close(5000)
    assert len(read(path)) == 80_000


@pytest.mark.parametrize("part", ["mono", "stereo", "customer", "assistant"])
async def test_each_part_is_a_wav_file(tmp_path: Path, part: Part) -> None:
    sound = await recorded(tmp_path / "a.wav")
    found = Wave(tmp_path / "a.wav", part)
    data = b"".join(found.read(0, found.size))
    assert len(data) == found.size
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="int16")
    wanted = {"stereo": sound, "customer": sound[:, 0], "assistant": sound[:, 1], "mono": sound[:, 0] + sound[:, 1]}
    assert rate_hz == 16_000
    assert np.array_equal(samples, wanted[part])


@pytest.mark.parametrize("part", ["mono", "stereo"])
async def test_any_span_of_it_can_be_read(tmp_path: Path, part: Part) -> None:
    await recorded(tmp_path / "a.wav")
    found = Wave(tmp_path / "a.wav", part)
    whole = b"".join(found.read(0, found.size))
    for start, end in (
        (0, 1),
        (0, 44),
        (3, 45),
        (43, 51),
        (44, 46),
        (45, 46),
        (1001, 9_003),
        (found.size - 1, found.size),
    ):
        assert b"".join(found.read(start, end)) == whole[start:end], (start, end)


async def test_two_loud_voices_are_clipped_and_do_not_overflow(tmp_path: Path) -> None:
    recorder = RecordingFile(tmp_path / "a.wav")
    recorder.write_customer(np.full(160, 30_000, np.int16), 0)
    recorder.write_assistant(np.full(160, 30_000, np.int16), 0)
    await recorder.close(10)
    (samples,) = Wave(tmp_path / "a.wav", "mono").samples()
    assert samples.tolist() == [32_767] * 160


async def test_as_mp3(tmp_path: Path) -> None:
    sound = await recorded(tmp_path / "a.wav")
    write_mp3(Wave(tmp_path / "a.wav", "stereo"), tmp_path / "a.mp3")
    assert {entry.name async for entry in anyio.Path(tmp_path).iterdir()} == {"a.mp3", "a.wav"}
    assert soundfile.info(tmp_path / "a.mp3").format == "MP3"
    samples, rate_hz = soundfile.read(tmp_path / "a.mp3", dtype="float32")
    assert (rate_hz, samples.shape) == (16_000, sound.shape)
    for side in (0, 1):
        was, now = sound[:, side].astype(float) / 32768, samples[:, side]
        assert np.corrcoef(was, now)[0, 1] > 0.99, "the same sound at the same time on the same side"


def full(path: Path) -> None:
    path.symlink_to("/dev/full")


def gone(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_bytes(b"")


@pytest.mark.parametrize(("spoil", "why"), [(full, "No space left on device"), (gone, "File exists")])
async def test_an_unwritable_disk_loses_the_recording_and_is_logged(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], why: str
) -> None:
    monkeypatch.setattr(recordings, "_FLUSH_S", 0.01)
    path = recording_path(tmp_path, CALL)
    path.parent.mkdir()
    spoil(path)
    recorder = RecordingFile(path)
    recorder.write_customer(tone(1000), 0)
    with anyio.fail_after(5):
        await recorder.run(lambda: 1000.0)  # nothing is left to write
    recorder.write_customer(tone(1000), 1000)
    recorder.write_assistant(tone(1000), 1000)
    recorder.cut_assistant(1500)
    await recorder.close(2000)
    (line,) = log.lines("a call's recording cannot be written")
    assert (line["file"], line["reason"]) == (f"{CALL}.wav", why)


async def test_a_failed_write_keeps_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, path = RecordingFile(tmp_path / "a.wav"), tmp_path / "a.wav"
    recorder.write_customer(tone(1000), 0)
    await recorder._flush(500)
    real = recordings._write

    def half(write: Any, data: bytes) -> None:
        real(write, data[: len(data) // 2 - 1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recordings, "_write", half)
    await recorder.close(1000)
    monkeypatch.undo()
    assert np.array_equal(read(path)[:, 0], tone(500))
    (samples,) = Wave(path, "customer").samples()
    assert np.array_equal(samples[:8000], tone(500))


def test_only_a_calls_id_becomes_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not the id of a call"):
        recording_path(tmp_path, "../other")


def test_another_file_is_not_a_recording(tmp_path: Path) -> None:
    for content in (None, b"", b"RIFF"):
        if content is not None:
            (tmp_path / "a.wav").write_bytes(content)
        with pytest.raises(FileNotFoundError):
            Wave(tmp_path / "a.wav", "mono")
