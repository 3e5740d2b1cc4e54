"""Audio formats: at every rate and encoding and with frames of any length, the caller is heard and interrupts."""

from pathlib import Path

import anyio
import numpy as np
import pytest

from bargein.audio.pcm import level_dbfs
from bargein.testing import TranscriberScript
from tests.call.clips import ask, commands
from tests.call.harness import Caller, Sound, calling
from tests.call.stage import Stage, staged

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

SOUNDS = [
    Sound(8_000, "mulaw", 160),
    Sound(8_000, "mulaw", 1_021),
    Sound(8_000, frame_samples=256),
    Sound(16_000, "mulaw", 333),
    Sound(16_000, frame_samples=4_096),
    Sound(44_100, frame_samples=16_384),
    Sound(44_100, frame_samples=257),
    Sound(48_000, frame_samples=8_192),
    Sound(11_025, frame_samples=1_000),
]


async def test_every_rate_and_length_of_frame_is_heard_and_interrupts(tmp_path: Path) -> None:
    asks = TranscriberScript(utterances=["Tell me a story.", "Wait, which one?"], partials=False)
    callers: dict[Sound, Caller] = {}
    async with staged(tmp_path, transcriber=asks) as stage, anyio.create_task_group() as tasks:
        for sound in SOUNDS:
            tasks.start_soon(_talk, stage, sound, callers)
    for sound, caller in callers.items():
        heard = np.concatenate([sound.decode(frame) for _, frame in caller.audio])
        assert level_dbfs(heard) > -25
        assert caller.ahead_ms() <= 100
    assert set(callers) == set(SOUNDS)


async def _talk(stage: Stage, sound: Sound, callers: dict[Sound, Caller]) -> None:
    question, command = commands(2)
    async with calling(stage.url, stage.assistant(), sound=sound) as caller:
        await ask(caller, question)
        await anyio.sleep(1)
        said = await caller.say(command.samples)
        await caller.until(lambda: caller.of("user-interrupted"))
        cut = caller.when("user-interrupted")[0]
        assert caller.of("user-interrupted")[0]["turnId"] == caller.of("model-output")[0]["turnId"]
        # A long frame is heard once it has been filled.
        assert cut - said - command.onset_ms < 350 + 2 * sound.frame_ms
        assert caller.last_sound(cut + 300) - cut < 75
        callers[sound] = caller
