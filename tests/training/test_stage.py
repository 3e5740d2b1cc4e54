"""A call on the simulated clock: the policy is measured to the millisecond, and an echo can be cancelled."""

import json
from dataclasses import replace
from pathlib import Path

import anyio
import numpy as np
from bench.interruption.recordings import room
from training.interruption_classifier.corpus import FOLDS
from training.interruption_classifier.evaluation import Evaluation, Kept, chosen_scenes, echo_scenes, figures
from training.interruption_classifier.stage import StageClock, run_on_stage

from bargein.providers.embedded.network import Network
from tests.speech import SPEECH


def constant(interruption: float) -> Network:
    """Return a network that always gives the same probability of an interruption."""
    zeros = np.zeros(307, dtype=np.float32)
    output = np.zeros((2, 3), dtype=np.float32)
    output[1, 0] = np.log(2 * interruption / (1 - interruption))
    return Network(zeros, zeros + 1, np.zeros((308, 1), dtype=np.float32), output)


def test_time_jumps_to_the_next_timer() -> None:
    async def sleep() -> tuple[float, float]:
        clock = StageClock()
        before = clock.monotonic_ms()
        await anyio.sleep(3600)
        return before, clock.monotonic_ms()

    before, after = run_on_stage(sleep)
    assert after - before == 3_600_000


def test_a_policy_is_measured_to_the_millisecond(tmp_path: Path) -> None:
    kept = Kept()
    commands = chosen_scenes(SPEECH, ("command",), 1, telephone=False)[:1]
    sure = Evaluation(SPEECH, [constant(0.99)] * FOLDS, kept).play(commands)
    for played in sure:
        assert played.why is not None
        assert played.why.startswith("128 ms of voice are an interruption with 99 %")
        assert played.outcome.over_speech
        assert played.outcome.stop_ms is not None
        # 128 ms of voice, 12 for detector and classifier, 40 on the wire, and the delay of the detector.
        assert 128 <= played.outcome.stop_ms <= 420
    result = figures(sure)
    assert result["command"]["recall"]["value"] == 1.0
    kept.save(tmp_path)
    again = Kept.load(tmp_path)
    assert again.words == kept.words
    assert set(again.sounds) == set(kept.sounds)
    explicit = Evaluation(SPEECH, [constant(0.01)] * FOLDS, again).play(commands, plan={"voiceSeconds": 0.2})
    assert all(played.why == "200 ms of voice, voiceSeconds is 0.2" for played in explicit)


def test_an_echo_interrupts_unless_it_is_cancelled() -> None:
    evaluation = Evaluation(SPEECH, [constant(0.01)] * FOLDS, Kept())
    voices: list[int] = []
    for cancellation in ("off", "on"):
        scene = replace(echo_scenes(-6, 0.5)[0], offset_ms=6000)
        (played,) = evaluation.play([scene], response=room(SPEECH), echo_cancellation=cancellation)
        events = [json.loads(line) for line in played.lines[1:]]
        voices.append(sum(e.get("event") == "VoiceStarted" for e in events))
    heard, cancelled = voices
    assert heard
    assert not cancelled
