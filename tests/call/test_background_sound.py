"""A background sound: it plays without a gap under and between replies, and changes nothing of them."""

import io
import tracemalloc
from pathlib import Path
from typing import Any, cast

import anyio
import numpy as np
import pytest
import soundfile

from bargein.audio.ambience import LEVEL_DBFS, BackgroundLoop, loop_of, office
from bargein.audio.pcm import level_dbfs, to_float
from bargein.call.hearing.echo import EchoControl
from bargein.call.hearing.reference import PlayoutReference
from bargein.http_client import new_client
from bargein.providers.embedded.vad import SileroDetector, StreamState
from bargein.server.agents import background_sounds
from bargein.server.agents.background_sounds import MAX_BYTES, BackgroundSounds, SoundError
from bargein.testing import TimedReply, TranscriberScript
from bargein.webhooks.guard import AddressGuard
from tests.call.conftest import Log
from tests.call.harness import Caller, calling, ended
from tests.call.stage import staged
from tests.call.test_audio_output import RATE, Output, heard
from tests.call.test_recording import tracks
from tests.webhooks.receiver import NEVER, Receiver, response

pytestmark = pytest.mark.anyio

CUTS = TranscriberScript(timed=[TimedReply(1500, "Stop, please stop.")])
VOICE = 5000
"""A constant sample of a voice, higher than any background."""


def counting() -> BackgroundLoop:
    """Return a loop of which each sample is another one than its neighbours."""
    return BackgroundLoop((np.arange(2 * RATE) % 1000).astype(np.int16), RATE)


class Playing(Output):
    """An output with a background sound, and all that its far end got."""

    def __init__(self, can_clear: bool, has_marks: bool = False) -> None:
        super().__init__(can_clear, has_marks)
        self.sent: list[tuple[float, np.ndarray]] = []
        self.cleared_at: list[float] = []
        self.leg.send_audio = self.send  # type: ignore[method-assign]
        self.audio_output.set_background(counting())

    def send(self, frame: bytes) -> None:
        self.sent.append((self.clock.now_ms, np.frombuffer(frame, np.int16)))

    def say(self, turn_id: str, ms: int) -> None:
        self.audio_output.open(turn_id)
        self.audio_output.queue(turn_id, np.full(ms * RATE // 1000, VOICE, np.int16))
        self.audio_output.complete(turn_id)
        self.audio_output.play(turn_id)

    @property
    def all(self) -> np.ndarray:
        return np.concatenate([frame for _, frame in self.sent])

    def leads(self) -> list[float]:
        """Return how much a far end that plays without a gap has left, each time before it gets more."""
        found, end = list[float](), self.sent[0][0]
        for at, frame in self.sent:
            found.append(end - at)
            end = max(end, at) + frame.size * 1000 / RATE
        return found


@pytest.mark.parametrize("can_clear", [False, True])
def test_it_plays_without_a_gap_under_replies_and_between_them(can_clear: bool) -> None:
    output = Playing(can_clear)
    output.clock.until(51_000)
    output.say("one", 430)
    output.clock.until(52_000)
    output.say("two", 100)
    output.clock.until(53_000)
    sent = output.all
    voiced = sent >= VOICE - 1000
    assert sent.size / RATE * 1000 == pytest.approx(3000, abs=40)
    assert voiced.sum() == 530 * RATE // 1000
    # what is left without the voice is the loop, one sample after the other
    voice = np.where(voiced, VOICE, 0)
    assert np.array_equal(sent - voice, np.arange(sent.size) % 1000)
    assert min(output.leads()) >= 0


@pytest.mark.parametrize("can_clear", [False, True])
def test_a_reply_waits_for_one_frame_of_it_at_most_and_is_timed_by_what_is_heard(can_clear: bool) -> None:
    for begins in range(51_000, 51_025, 3):
        output = Playing(can_clear)
        output.clock.until(begins)
        output.say("one", 1000)
        first = next(n for n, (_, frame) in enumerate(output.sent) if frame[0] >= VOICE - 1000)
        before_ms = sum(frame.size for _, frame in output.sent[:first]) * 1000 / RATE
        starts_ms = output.sent[0][0] + before_ms
        assert 0 <= starts_ms - begins <= 30
        assert output.sent[first][0] == begins, "it is sent at once"
        output.clock.until(begins + 500)
        position_ms, drained = heard(output)
        assert position_ms == pytest.approx(begins + 500 - starts_ms, abs=1.5)
        assert not drained
        assert output.at[first] == pytest.approx(starts_ms - 50_000, abs=1.5)


def test_it_goes_on_after_an_interruption_and_the_voice_does_not() -> None:
    for can_clear in (True, False):
        output = Playing(can_clear)
        output.clock.until(50_500)
        output.say("one", 5000)
        output.clock.until(51_210)
        before = len(output.sent)
        output.audio_output.stop("one")
        output.clock.until(52_000)
        after = np.concatenate([frame for _, frame in output.sent[before:]])
        assert after.max() < 1000
        assert output.leg.cleared == 1
        assert bool(output.silent_from) == can_clear
        if can_clear:  # the far end is empty: the background begins at once
            assert output.sent[before][0] == 51_210
            assert after.size == pytest.approx(790 * RATE / 1000, abs=700)


def test_it_fills_the_gaps_of_a_slow_voice_whose_position_stays_true() -> None:
    output = Playing(can_clear=False)
    output.audio_output.open("one")
    output.audio_output.queue("one", np.full(100 * RATE // 1000, VOICE, np.int16))
    output.audio_output.play("one")
    output.clock.until(50_500)
    assert heard(output)[0] == 100
    output.audio_output.queue("one", np.full(100 * RATE // 1000, VOICE, np.int16))
    output.clock.until(50_550)
    assert 120 <= heard(output)[0] <= 150
    output.clock.until(51_000)
    assert heard(output)[0] == 200
    assert min(output.leads()) >= 0


def test_the_marks_of_a_far_end_count_the_voice_alone() -> None:
    output = Playing(can_clear=True, has_marks=True)
    output.clock.until(50_500)
    output.say("one", 400)
    output.clock.until(50_600)
    assert output.leg.marks == ["1-640", "1-6400"][: len(output.leg.marks)] or len(output.leg.marks) >= 1
    assert output.audio_output.mark_reached(output.leg.marks[0])
    assert heard(output)[0] == int(output.leg.marks[0].split("-")[1]) // 32
    output.clock.until(51_200)
    for mark in output.leg.marks[1:]:
        output.audio_output.mark_reached(mark)
    assert heard(output) == (400, True)


def test_it_stops_with_the_call() -> None:
    output = Playing(can_clear=False)
    output.clock.until(50_500)
    output.audio_output.close()
    sent = len(output.sent)
    output.audio_output.set_background(counting())
    output.clock.until(51_000)
    assert len(output.sent) == sent
    assert not output.clock.due


class TestOffice:
    def test_it_has_its_level_and_no_seam(self) -> None:
        cursor = loop_of(office(), 16_000).cursor()
        sound = np.concatenate([cursor.take(320) for _ in range(50 * 45)])
        assert level_dbfs(sound) == pytest.approx(LEVEL_DBFS, abs=0.5)
        assert np.abs(np.diff(sound.astype(int))).max() < 3300
        assert loop_of(office(), 16_000).peak <= 1650

    @pytest.mark.parametrize("gain_db", [-20, 0, 12])
    def test_no_detector_takes_it_for_a_voice(self, gain_db: float) -> None:
        session, state = SileroDetector().load(), StreamState(16_000)
        cursor = loop_of(office(), 16_000).cursor()
        gain = np.float32(10 ** (gain_db / 20))
        windows = [np.clip(to_float(cursor.take(512)) * gain, -1, 1) for _ in range(40 * 16_000 // 512)]
        assert max(state.infer(session, window) for window in windows) < 0.4

    def test_alone_it_is_not_searched_for_an_echo(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looked: list[bool] = []
        monkeypatch.setattr(EchoControl, "_is_echo", lambda _self: bool(looked.append(True)))
        loop = loop_of(office(), 16_000)
        for with_voice in (False, True):
            control, cursor = EchoControl("auto"), loop.cursor()
            control.background_peak = loop.peak
            for _ in range(60):
                played = cursor.mixed(np.full(512, 6000 * with_voice, np.int16))
                control.push(np.full(512, 900, np.int16), played)
                control.push_window(0.9)
            assert bool(looked) == with_voice


def test_the_classifier_gets_the_voice_alone_and_the_canceller_everything() -> None:
    output, loop = Playing(can_clear=False), counting()
    leg = cast("Any", output.leg)
    reference = PlayoutReference(leg, lambda _pcm, _at_ms: None)
    assert reference.read_voice(320) is None
    output.audio_output._on_sent = reference.add_frame
    output.audio_output._on_voice = reference.add_voice
    reference.separate_voice()
    output.clock.until(50_500)
    output.say("one", 200)
    output.clock.until(51_000)
    played, voice = reference.read(8000, 800), reference.read_voice(8000)
    assert voice is not None
    assert set(voice.tolist()) == {0, VOICE}
    assert (voice == VOICE).sum() == 200 * 16
    under = played.astype(int) - voice
    assert np.array_equal(np.diff(under) % 1000, np.ones(7999))
    assert loop.peak == 999


async def test_a_call_has_it_from_beginning_to_end_and_in_its_recording(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=CUTS) as stage:
        speaker = stage.speaker(firstMessageInterruptionsEnabled=True, backgroundSound="office")
        async with calling(stage.url, speaker) as caller:
            await caller.until(lambda: caller.of("user-interrupted"))
            cut_ms = caller.when("user-interrupted")[0]
            await anyio.sleep(1)
            assert caller.ahead_ms() < 80
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await ended(stage.url, caller.id)
    after = sound(caller, cut_ms + 100, cut_ms + 900)
    assert after.size > 0.6 * RATE
    assert level_dbfs(after) == pytest.approx(LEVEL_DBFS, abs=6)
    assert np.abs(after.astype(int)).max() <= 1650
    assert np.abs(sound(caller, 0, cut_ms).astype(int)).max() > 3000
    _, assistant = tracks(tmp_path, caller.id)
    end = assistant[-RATE // 2 : -RATE // 10]
    assert level_dbfs(end) == pytest.approx(LEVEL_DBFS, abs=6)


def sound(caller: Caller, begin_ms: float, end_ms: float) -> np.ndarray:
    frames = [np.frombuffer(frame, "<i2") for at, frame in caller.audio if begin_ms <= at < end_ms]
    return np.concatenate([np.zeros(0, "<i2"), *frames])


async def test_a_call_over_a_socket_has_none_by_default(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, calling(stage.url, stage.assistant()) as caller:
        await caller.until(lambda: caller.of("assistant.started"))
        await anyio.sleep(0.3)
        assert not caller.audio


def file(seconds: float = 3, rate_hz: int = 22_050, kind: str = "MP3") -> bytes:
    """Return a stereo file of two tones."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    both = np.stack((np.sin(time_s * 2 * np.pi * 300), np.sin(time_s * 2 * np.pi * 500)), 1) * 0.3
    out = io.BytesIO()
    soundfile.write(out, both, rate_hz, format=kind)
    return out.getvalue()


class TestFiles:
    async def test_a_file_is_fetched_once_and_brought_to_the_level(self) -> None:
        async with Receiver([response(200, file(), "audio/mpeg")]) as web, new_client() as client:
            sounds = BackgroundSounds(client)
            loops = list[BackgroundLoop]()

            async def load() -> None:
                loops.append(await sounds.load(web.url, 8_000))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(load)
                tasks.start_soon(load)
            await load()
            assert len(web.got) == 1
            assert loops[0] is loops[1] is loops[2]
            cursor = loops[0].cursor()
            cursor.take(6_000)  # the seam
            sound = cursor.take(8_000)
            assert level_dbfs(sound) == pytest.approx(LEVEL_DBFS, abs=1)
            spectrum = np.abs(np.fft.rfft(sound.astype(float)))
            assert {int(hz) for hz in np.argsort(spectrum)[-2:]} == {300, 500}

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (response(404), "404"),
            (response(200, b"no sound at all", "text/plain"), "no audio file"),
            (response(200, bytes(MAX_BYTES + 1), "audio/wav"), "longer than 10 MiB"),
            (response(200, file(seconds=0.5, kind="WAV"), "audio/wav"), "shorter"),
        ],
    )
    async def test_one_that_cannot_be_played_is_left_out_with_the_reason(
        self, log: Log, answer: bytes, reason: str
    ) -> None:
        async with Receiver([answer]) as web, new_client() as client:
            load = BackgroundSounds(client).loader(web.url, 16_000, phone=False)
            assert load is not None
            assert await load() is None
        (line,) = log.lines("the background sound is left out")
        assert reason in line["reason"]

    def test_a_small_file_of_many_channels_takes_little_memory(self) -> None:
        out = io.BytesIO()
        soundfile.write(out, np.zeros((60 * 8_000, 8), np.int16), 8_000, format="FLAC")
        decode: Any = background_sounds._decoded
        tracemalloc.start()
        samples, rate_hz = decode(out.getvalue())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (samples.size, rate_hz) == (60 * 8_000, 8_000)
        assert peak < 8_000_000, "all samples of all channels would take 15 MB"

    async def test_a_decoder_that_fails_as_nobody_expects_ends_no_call(
        self, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise TypeError("a bug")

        monkeypatch.setattr("bargein.server.agents.background_sounds._loop", fail)
        async with new_client() as client:
            load = BackgroundSounds(client).loader("office", 16_000, phone=False)
            assert load is not None
            assert await load() is None
        assert len(log.lines("the background sound is left out")) == 1

    async def test_a_server_that_never_answers_and_a_private_address_are_given_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bargein.server.agents.background_sounds._TIMEOUT_S", 0.2)
        async with Receiver([NEVER]) as web:
            async with new_client() as client:
                with pytest.raises(SoundError, match="took longer"):
                    await BackgroundSounds(client).load(web.url, 16_000)
            async with new_client(AddressGuard(allow_private=False).transport()) as client:
                with pytest.raises(SoundError, match="private"):
                    await BackgroundSounds(client).load(web.url, 16_000)
            assert len(web.got) == 1

    async def test_the_default_is_vapis(self) -> None:
        async with new_client() as client:
            sounds = BackgroundSounds(client)
            assert sounds.loader(None, 8_000, phone=False) is None
            assert sounds.loader("off", 8_000, phone=True) is None
            load = sounds.loader(None, 8_000, phone=True)
            assert load is not None
            assert await load() is await sounds.load("office", 8_000)
