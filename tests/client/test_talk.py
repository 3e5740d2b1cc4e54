"""`bargein talk` against a stub that falls silent at known times: verifies the measurements."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from bargein.cli import app
from bargein.client.errors import ClientError, UnreachableError
from bargein.client.talk import TalkOptions, talk
from tests.client.stub import AppliedCut, Cut, Script, StubServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file with 300 ms of sound after 60 ms of silence, at a sample rate that has to be converted."""
    t = np.arange(int(0.46 * 48_000)) / 48_000
    tone = np.where((t >= 0.06) & (t < 0.36), 0.4 * np.sign(np.sin(2 * np.pi * 500 * t)), 0.0)
    path = tmp_path / "voice.wav"
    soundfile.write(path, tone, 48_000)
    return path


@pytest.mark.timed
@pytest.mark.parametrize("burst_frames", [1, 3])
async def test_silence_is_measured_to_ten_milliseconds(clip: Path, tmp_path: Path, burst_frames: int) -> None:
    cuts = [
        Cut(message_ms=90, silence_ms=120),
        Cut(message_ms=225, silence_ms=260),
        Cut(message_ms=660, silence_ms=700),
    ]
    lines: list[str] = []
    recording = tmp_path / "both.wav"
    async with StubServer(Script(cuts=cuts, burst_frames=burst_frames)) as stub:
        options = TalkOptions(wav=clip, then=[(0.4, clip)] * 3, url=stub.url, out=recording, flush=False, seconds=20)
        result = await talk(options, lines.append)
    assert result.exit_code == 0, lines
    assert result.ended_reason == "customer-ended-call"
    for cut, applied, event in zip(cuts, stub.applied_cuts, result.interruptions, strict=True):
        # The stub followed its script, except for delays of this machine.
        assert applied.message_ms == pytest.approx(cut.message_ms, abs=40)
        assert applied.silence_ms == pytest.approx(cut.silence_ms, abs=40)
        assert event is not None
        assert event.over_speech
        assert event.after_onset_ms(event.message_ms) == pytest.approx(applied.message_ms, abs=10)
        assert event.after_onset_ms(event.silence_ms) == pytest.approx(applied.silence_ms, abs=10)
        # With a flush, playback ends when the message arrives.
        assert event.flushed_silence_ms == pytest.approx(min(event.silence_ms or 0, event.message_ms or 0), abs=1)
    _check_recording(recording, stub.applied_cuts)
    assert sum("✂ user-interrupted" in line for line in lines) == 3
    assert sum(line.startswith("  ✓ voice.wav: voice at 00:0") for line in lines) == 3


def _check_recording(path: Path, cuts: list[AppliedCut]) -> None:
    """Check the same times in the samples of both channels."""
    both, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == 16_000
    assert both.shape[1] == 2
    caller, assistant = np.abs(both[:, 0].astype(int)) > 1000, np.abs(both[:, 1].astype(int)) > 1000
    onsets = [int(i) for i in np.flatnonzero(caller) if i < 4000 or not caller[i - 4000 : i].any()]
    assert len(onsets) == 4
    for onset, cut in zip(onsets[1:], cuts, strict=True):
        silence = onset + int(np.flatnonzero(~assistant[onset:])[0])
        assert (silence - onset) / 16 == pytest.approx(cut.silence_ms, abs=10)
        assert not assistant[silence : silence + 1600].any()


async def test_an_ignored_clip_fails_and_a_recording_with_a_flush_ends_at_the_message(
    clip: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    cuts = [Cut(message_ms=150, silence_ms=400), Cut(message_ms=None)]
    async with StubServer(Script(cuts=cuts)) as stub:
        options = TalkOptions(
            wav=clip, then=[(0.3, clip), (0.3, clip)], url=stub.url, out=tmp_path / "x.flac", seconds=6, colour=True
        )
        result = await talk(options, lines.append)
    assert result.exit_code == 1
    first, second = result.interruptions
    assert first is not None
    assert second is not None, lines
    assert not first.missed
    assert second.missed
    assert second.over_speech
    assert any("no user-interrupted" in line and "\x1b[1;31m" in line for line in lines)
    both, _ = soundfile.read(tmp_path / "x.flac", dtype="int16")
    caller, assistant = np.abs(both[:, 0].astype(int)) > 1000, np.abs(both[:, 1].astype(int)) > 1000
    onset = [int(i) for i in np.flatnonzero(caller) if i < 4000 or not caller[i - 4000 : i].any()][1]
    assert int(np.flatnonzero(~assistant[onset:])[0]) / 16 == pytest.approx(stub.applied_cuts[0].message_ms, abs=10)


async def test_the_remaining_clips_of_a_broken_call_are_reported_as_not_played(clip: Path) -> None:
    lines: list[str] = []
    async with StubServer(Script(close_after_ms=100, greeting_ms=0)) as stub:
        result = await talk(TalkOptions(wav=clip, then=[(1, clip)], url=stub.url, seconds=5), lines.append)
    assert result.interruptions == (None,)
    assert result.exit_code == 1
    assert any("never played" in line for line in lines)


async def test_a_server_is_started_and_stopped_if_nothing_answers(clip: Path) -> None:
    running: list[bool] = []

    @asynccontextmanager
    async def start() -> AsyncGenerator[str]:
        async with StubServer(Script(cuts=[Cut(message_ms=100, silence_ms=150)])) as stub:
            running.append(True)
            yield stub.url + "/"
        running.append(False)

    lines: list[str] = []
    options = TalkOptions(wav=clip, then=[(0.3, clip)], url="http://127.0.0.1:9", start_server=start, seconds=5)
    assert (await talk(options, lines.append)).exit_code == 0
    assert running == [True, False]
    with pytest.raises(UnreachableError, match="bargein serve"):
        await talk(TalkOptions(wav=clip, url="http://127.0.0.1:9"), lines.append)


async def test_the_assistant_comes_from_a_file(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "assistant.json"
    for text, error in (("{", "is not JSON"), ("[]", "does not contain an assistant")):
        path.write_text(text)
        with pytest.raises(ClientError, match=error):
            await talk(TalkOptions(wav=clip, assistant=path), print)
    with pytest.raises(ClientError, match="cannot read"):
        await talk(TalkOptions(wav=clip, assistant=tmp_path / "none.json"), print)
    path.write_text(json.dumps({"firstMessage": "Hello"}))
    async with StubServer(Script(greeting_ms=0)) as stub:
        await talk(TalkOptions(wav=clip, assistant=path, url=stub.url, seconds=0.5), lambda _: None)
        assert stub.requests[-1].body["assistant"] == {"firstMessage": "Hello"}


RING = "/phone-number/%2B15550001111/ring"


async def test_a_stored_number_is_called_from_another(clip: Path) -> None:
    lines: list[str] = []
    async with StubServer(Script(cuts=[Cut(message_ms=100, silence_ms=150)], ring_path=RING)) as stub:
        arguments = ["talk", "--wav", str(clip), "--to", "+15550001111", "--caller", "+15551234567", "--url", stub.url]
        arguments += ["--then", "0.4", str(clip), "--seconds", "20"]
        done = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(app, arguments))
        lines = done.output.splitlines()
        (request,) = [request for request in stub.requests if request.path == RING]
        assert not [request for request in stub.requests if request.path == "/call"]
    assert done.exit_code == 0, done.output
    assert request.body["customer"] == {"number": "+15551234567"}
    assert request.body["transport"]["provider"] == "vapi.websocket"
    assert request.body["transport"]["audioFormat"]["sampleRate"] == 16_000
    assert "assistant" not in request.body
    assert any("✂ user-interrupted" in line for line in lines)


async def test_no_customer_is_sent_without_a_caller(clip: Path) -> None:
    async with StubServer(Script(greeting_ms=0, ring_path="/phone-number/n1/ring")) as stub:
        await talk(TalkOptions(wav=clip, to="n1", url=stub.url, seconds=0.5), lambda _: None)
        assert "customer" not in stub.requests[-1].body


async def test_a_call_that_no_assistant_takes_fails_with_its_reason(clip: Path) -> None:
    body = {
        "id": "c1",
        "status": "ended",
        "endedReason": "assistant-request-failed",
        "endedMessage": "no answer in time",
        "transport": {"websocketCallUrl": "ws://127.0.0.1:9/c1/transport"},
    }
    async with StubServer(Script(body=body, ring_path=RING)) as stub:
        with pytest.raises(ClientError, match=r"assistant-request-failed \(no answer in time\)"):
            await talk(TalkOptions(wav=clip, to="+15550001111", url=stub.url), lambda _: None)
    excluding = CliRunner().invoke(app, ["talk", "--wav", str(clip), "--to", "n1", "--assistant", str(clip)])
    assert excluding.exit_code != 0
    assert "exclude each other" in excluding.output
