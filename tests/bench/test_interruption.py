"""The interruption benchmark: it measures known times over every line, and plays the same scenes each time."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import numpy as np
import pytest
from bench.interruption.caller import SilentError, UsedUpError, calling
from bench.interruption.choice import Options, fitting, seconds
from bench.interruption.conditions import CLEAN, DOUBLE_TALK, RATE_HZ, TELEPHONE, Condition
from bench.interruption.contenders import Contender
from bench.interruption.line import Line
from bench.interruption.material import load
from bench.interruption.peers import RecordedVoice
from bench.interruption.recordings import steady_speech
from bench.interruption.run import measure
from bench.interruption.scenes import PARTS, PLANS, Scene, scenes

from bargein.audio import g711
from bargein.client.server_api import Server
from bargein.clock import LoopClock
from tests.bench.collection import make
from tests.bench.known import KnownServer
from tests.client.stub import Cut, Script, StubServer

if TYPE_CHECKING:
    from bench.interruption.playback import Outcome

CLOCK = LoopClock()
SCENE = Scene(
    part="command", kind="interrupt.command", clip="interrupt/tone.wav", text="stop", onset_ms=150, offset_ms=900,
    inject_ms=300, condition=Condition(),
)  # fmt: skip


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    return make(tmp_path)


@pytest.mark.anyio
@pytest.mark.parametrize("after_ms", [100, 450, 1200])
async def test_a_stop_after_a_detected_onset_is_measured_to_ten_milliseconds(collection: Path, after_ms: int) -> None:
    """The stub finds the onset in the samples that it receives: it must be the scene's onset."""
    script = Script(cuts=[Cut(message_ms=after_ms, silence_ms=after_ms)], greeting_ms=8000)
    async with StubServer(script) as stub:
        async with calling(Server(url=stub.url), {}, CLOCK, load(collection, [SCENE]), CLEAN) as call:
            outcome = await call.play(SCENE)
        (done,) = stub.applied_cuts
    assert outcome.over_speech
    assert not outcome.early
    assert outcome.stop_ms == pytest.approx(done.silence_ms, abs=10)
    assert outcome.message_ms == pytest.approx(done.message_ms, abs=10)
    assert done.silence_ms >= after_ms - 10


@pytest.mark.anyio
async def test_a_stop_at_a_known_time_is_measured_to_ten_milliseconds_over_every_line(collection: Path) -> None:
    found: dict[str, tuple[Outcome, float]] = {}
    wanted = [replace(SCENE, condition=condition) for condition in TELEPHONE]
    material = load(collection, wanted)

    at_once = anyio.CapacityLimiter(4)

    async def over(scene: Scene, after_ms: float, coded: bool) -> None:
        async with (
            at_once,
            KnownServer() as server,
            calling(Server(url=server.url), {}, CLOCK, material, scene.condition, coded=coded) as call,
        ):
            onset_ms = 0.0
            say = call.say

            def heard(begin_ms: float, clip: np.ndarray) -> None:
                nonlocal onset_ms
                onset_ms = begin_ms + scene.onset_ms
                server.calls[0].cut_at_ms = onset_ms + after_ms
                say(begin_ms, clip)

            call.say = heard
            outcome = await call.play(scene)
            found[f"{scene.condition.name} {coded}"] = outcome, server.calls[0].silent_ms - onset_ms

    async with anyio.create_task_group() as tasks:
        for number, scene in enumerate(wanted):
            tasks.start_soon(over, scene, 100 + 60 * number, True)
        tasks.start_soon(over, wanted[1], 500, False)
    assert len(found) == len(TELEPHONE) + 1
    for name, (outcome, silent_ms) in found.items():
        assert outcome.over_speech, name
        assert not outcome.early, name
        assert outcome.stop_ms == pytest.approx(silent_ms, abs=10), name
    assert max(silent_ms for _, silent_ms in found.values()) > 1000


@pytest.mark.parametrize("condition", TELEPHONE, ids=lambda condition: condition.name)
def test_a_lines_delay_is_as_declared(condition: Condition) -> None:
    """Half a second of silence, then a tone: it arrives with the delay of the carrier's buffer."""
    line = Line(condition, coded=True, seed=1)
    t = np.arange(320 * 100) / RATE_HZ
    tone = np.where(t >= 0.5, 0.3 * np.sin(2 * np.pi * 1000 * t), 0).astype(np.float32)
    sent = b"".join(line.through(frame) for frame in tone.reshape(-1, 320))
    pcm = g711.decode(sent) if condition.telephone else np.frombuffer(sent, "<i2")
    per_ms = 8 if condition.telephone else 16
    assert pcm.size == 2_000 * per_ms
    loud = np.abs(pcm.astype(int)) > 3_000
    onset_ms = int(np.argmax(loud)) / per_ms
    lost = [
        not block.any() for block in loud[round((560 + condition.held_back_ms) * per_ms) :].reshape(-1, per_ms * 20)
    ]
    if not condition.loss and not condition.jitter_ms:
        assert onset_ms == pytest.approx(500, abs=10)
        assert not any(lost)
    else:
        assert 490 <= onset_ms - condition.held_back_ms <= 500 + 20 * 8
        assert np.mean(lost) <= (0.6 if condition.jitter_ms == 80 else 0.25)


def test_an_uncoded_line_gives_the_sound_of_a_telephone() -> None:
    coded = Line(TELEPHONE[1], coded=True, seed=1)
    plain = Line(TELEPHONE[1], coded=False, seed=1)
    t = np.arange(3_200) / RATE_HZ
    frames = (0.3 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32).reshape(-1, 320)
    assert [len(coded.through(frame)) for frame in frames] == [160] * 10
    pcm = [np.frombuffer(plain.through(frame), "<i2") for frame in frames]
    assert [piece.size for piece in pcm] == [320] * 10
    assert np.abs(pcm[-1]).max() == pytest.approx(0.3 * 32767, rel=0.1)


@pytest.mark.parametrize(("condition", "share"), [(TELEPHONE[5], 0.05), (TELEPHONE[7], 0.05), (TELEPHONE[11], 0.47)])
def test_a_line_loses_its_declared_share_of_frames(condition: Condition, share: float) -> None:
    line = Line(replace(condition, telephone=False), coded=False, seed=1)
    frame = np.full(320, 0.5, dtype=np.float32)
    gone = [not any(line.through(frame)) for _ in range(10_000)]
    assert np.mean(gone[3:]) == pytest.approx(share, abs=0.01)
    runs = [len(run) for run in "".join("x" if lost else " " for lost in gone[3:]).split()]
    if condition.burst:
        assert np.mean(runs) == pytest.approx(4, abs=0.7)


def test_a_held_frame_fades() -> None:
    line = Line(Condition(loss=1.0, hold=True), coded=False, seed=1)
    assert not any(line.through(np.full(320, 0.5, dtype=np.float32)))
    held = Line(Condition(loss=0.3, hold=True), coded=False, seed=1)
    frame = np.full(320, 0.5, dtype=np.float32)
    levels = {int(np.frombuffer(held.through(frame), "<i2")[0]) for _ in range(50)}
    assert {16_384, 8_192} <= levels


@pytest.mark.anyio
async def test_a_server_that_does_not_stop_is_observed_to_the_end(collection: Path) -> None:
    async with (
        KnownServer() as server,
        calling(Server(url=server.url), {}, CLOCK, load(collection, [SCENE]), CLEAN) as call,
    ):
        outcome = await call.play(SCENE)
        with pytest.raises(UsedUpError):
            await call.play(replace(SCENE, offset_ms=60_000))
    assert outcome.over_speech
    assert not outcome.stopped
    assert outcome.exposed_ms == pytest.approx(1_750, abs=1)


@pytest.mark.anyio
async def test_scenes_follow_each_other_and_an_oracle_sends_the_words(collection: Path) -> None:
    backchannel = replace(SCENE, part="listening", clip="backchannel/yes.wav", text="yes", onset_ms=100, offset_ms=400)
    material = load(collection, [SCENE, backchannel])
    async with (
        KnownServer(pause_ms=900) as server,
        calling(Server(url=server.url), {}, CLOCK, material, CLEAN, oracle=True) as call,
    ):
        say = call.say

        begun: list[float] = []

        def cut(begin_ms: float, clip: np.ndarray) -> None:
            begun.append(begin_ms)
            server.calls[0].cut_at_ms = begin_ms + 300
            say(begin_ms, clip)

        call.say = cut
        false = await call.play(backchannel)
        silent_ms = server.calls[0].silent_ms
        true = await call.play(replace(SCENE, inject_ms=2_000))
        with anyio.fail_after(3):
            while len(server.calls[0].said) < 2:
                await anyio.sleep(0.01)
    assert [m["text"] for m in server.calls[0].said[:2]] == ["yes", "stop"]
    assert false.stop_ms == pytest.approx(silent_ms - begun[0] - 100, abs=15)
    assert true.stop_ms == pytest.approx(server.calls[0].silent_ms - begun[1] - 150, abs=15)
    assert false.gap_ms is not None
    assert false.gap_ms >= 800
    assert false.resumed_ms == pytest.approx(false.gap_ms + false.stop_ms - 300, abs=1)


@pytest.mark.anyio
async def test_an_ended_call_gives_no_outcome(collection: Path) -> None:
    async with (
        StubServer(Script(greeting_ms=8000, close_after_ms=100)) as stub,
        calling(Server(url=stub.url), {}, CLOCK, load(collection, [SCENE]), CLEAN) as call,
    ):
        with pytest.raises(SilentError):
            await call.play(SCENE)


@pytest.mark.anyio
async def test_a_run_plays_every_scene_once_to_each_server(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.interruption.playback.LATE_MS", 1_000)  # no time is measured here
    quick = [replace(scene, inject_ms=300) for scene in scenes(collection, ("command", "listening"), 1.0, 1)]
    explicit = [replace(scene, study="explicit", plan='{"voiceSeconds":0.2}') for scene in quick if scene.is_true]
    async with KnownServer() as server:
        ours = Contender(name="known", version="1", server=Server(url=server.url), assistant={"name": "x"})
        options, material = Options(data=collection, at_once=3), load(collection, quick)
        column = await measure(ours, options, [*quick, *explicit], [], material)
        theirs = await measure(replace(ours, plans=False), options, [*quick[1:], *explicit], [], material)
    assert column["figures"]["trials"] == 2
    assert column["explicit"]["trials"] == 1
    assert column["figures"]["true"]["recall"]["value"] == 0
    assert column["figures"]["listening"]["stopped"]["value"] == 0
    assert theirs["figures"]["trials"] == 1
    assert theirs["explicit"]["trials"] == 0, "other servers have no plans"
    assert {"name": "x", "stopSpeakingPlan": {"voiceSeconds": 0.2}} in server.assistants
    assert column["lost"] == theirs["lost"] == []


def test_the_same_seed_gives_the_same_scenes(collection: Path) -> None:
    first = scenes(collection, PARTS, 1.0, 2)
    assert first == scenes(collection, PARTS, 1.0, 2)
    main = [s for s in first if s.study == "main"]
    assert Counter(s.part for s in main) == {"command": 2, "word": 2, "listening": 2, "noise": 4, "echo": 20}
    assert len({s.inject_ms for s in main if s.part == "command"}) == 2
    assert all(2_000 <= s.inject_ms <= 12_000 for s in main if s.part != "echo")
    assert {s.condition.level_dbfs for s in main if s.part == "noise"} == {-26.0, -36.0}
    assert scenes(collection, PARTS[:4], 0.0, 1) == []
    order = [(s.study, s.condition, s.plan) for s in first]
    assert order[0][0] == "main"
    assert len([1 for a, b in pairwise(order) if a != b]) == len(set(order)) - 1, "one group each"


def test_the_parts_that_play_clips_again_play_them_at_the_same_time(collection: Path) -> None:
    again = scenes(collection, ("explicit", "phone", "plans", "double", "telephone"), 10.0, 1)
    assert Counter(s.study for s in again) == {
        "explicit": 1, "phone": 3, "plans": 2 * len(PLANS),
        "double": len(DOUBLE_TALK), "telephone": 3 * len(TELEPHONE),
    }  # fmt: skip
    lines = [s for s in again if s.study == "telephone" and s.part == "word"]
    assert len({s.inject_ms for s in lines}) == 1
    assert len({s.condition.name for s in lines}) == len(TELEPHONE)


def test_the_text_of_a_perfect_transcriber_is_known(collection: Path) -> None:
    texts = {s.part: s.text for s in scenes(collection, PARTS[:5], 1.0, 1)}
    assert texts["noise"] == texts["echo"] == ""
    assert texts["word"] == "interrupt/word.wav"
    assert "[" not in texts["command"]


def test_a_run_takes_as_many_clips_as_fit_into_the_time(collection: Path) -> None:
    options = Options(data=collection, against=("pipecat",), minutes=2)
    assert 0 < fitting(options) < 1
    assert sum(seconds(options, fitting(options))) <= 120
    assert fitting(replace(options, minutes=500)) == 1.0


@pytest.mark.anyio
async def test_the_voice_of_the_benchmark_speaks_the_requested_words(tmp_path: Path) -> None:
    for number in range(2):
        speech = (np.arange(640_000) // 6_400 + 1_000 * number).astype("<i2")  # each word is its own number
        (tmp_path / f"{number}.pcm").write_bytes(speech.tobytes())
    async with RecordedVoice(tmp_path) as voice, httpx.AsyncClient(trust_env=False) as http:

        async def words(text: str, call_id: str) -> set[int]:
            message = {"text": text, "sampleRate": 16_000, "call": {"id": call_id}}
            said = np.frombuffer((await http.post(voice.url, json={"message": message})).content, "<i2")
            assert said.size == 6_400 * len(text.split())
            return {int(sample) for sample in said}

        first = await words("word7 word8 word9", "a")
        assert first in ({7, 8, 9}, {1007, 1008, 1009})
        assert await words("word9", "a") < first
        assert {frozenset(await words("word1", str(n))) for n in range(9)} == {frozenset({1}), frozenset({1001})}


def test_the_assistant_of_the_benchmark_speaks_without_pauses(collection: Path) -> None:
    speech = steady_speech(collection)
    frames = speech[: speech.size // 320 * 320].reshape(-1, 320)
    quiet = np.sqrt(np.mean(frames**2, axis=1)) < 0.003
    assert speech.size > 0.7 * RATE_HZ
    assert not np.any(np.convolve(quiet, np.ones(8), "valid") >= 8)
