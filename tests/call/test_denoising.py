"""Denoising: an operator's denoiser is in front of the transcriber alone, and its failure costs nothing else."""

from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from bargein.call.hearing.denoising import Denoising
from bargein.errors import BargeinError
from bargein.server.agents.denoising import denoising_field, load_denoiser
from bargein.server.agents.problems import problems_of
from bargein.testing.settings import make_settings
from tests.call.conftest import Log
from tests.call.harness import calling, ended
from tests.call.stage import staged
from tests.call.test_recording import tone, tracks

pytestmark = pytest.mark.anyio

ASKS = {"backgroundSpeechDenoisingPlan": {"smartDenoisingPlan": {}}}
HERE = "tests.call.test_denoising"


class Muffler:
    """A denoiser that takes everything for noise."""

    def process(self, pcm: np.ndarray, rate_hz: int) -> np.ndarray:
        assert rate_hz == 16_000
        return np.zeros_like(pcm)


class Failing:
    def process(self, pcm: np.ndarray, rate_hz: int) -> np.ndarray:
        raise OSError("its model is gone")


class Shortening:
    def process(self, pcm: np.ndarray, rate_hz: int) -> np.ndarray:
        return pcm[1:]


def no_denoiser() -> object:
    return object()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, None),
        ({"backgroundSpeechDenoisingPlan": {}}, None),
        (ASKS, "backgroundSpeechDenoisingPlan.smartDenoisingPlan"),
        ({"backgroundSpeechDenoisingPlan": {"smartDenoisingPlan": {"enabled": False}}}, None),
        ({"backgroundSpeechDenoisingPlan": {"fourierDenoisingPlan": {}}}, None),
        (
            {"backgroundSpeechDenoisingPlan": {"fourierDenoisingPlan": {"enabled": True}}},
            "backgroundSpeechDenoisingPlan.fourierDenoisingPlan",
        ),
        ({"backgroundDenoisingEnabled": True}, "backgroundDenoisingEnabled"),
        ({"backgroundDenoisingEnabled": False}, None),
    ],
)
def test_an_assistant_that_asks_for_it_is_told_the_figures(given: dict[str, Any], field: str | None) -> None:
    assert denoising_field(given) == field
    found = [problem for problem in problems_of(given, {}, make_settings()) if "oising" in problem.path]
    assert [problem.path for problem in found] == ([] if field is None else [field])
    assert all("34.1 %" in problem.text and "BARGEIN_DENOISER" in problem.text for problem in found)
    own = make_settings(denoiser=f"{HERE}:Muffler")
    assert not [problem for problem in problems_of(given, {}, own) if "oising" in problem.path]


async def test_only_the_transcriber_gets_what_the_denoiser_makes(tmp_path: Path) -> None:
    levels: dict[bool, int] = {}
    for asks in (False, True):
        folder = tmp_path / str(asks)
        async with staged(folder, denoiser=f"{HERE}:Muffler") as stage:
            async with calling(stage.url, stage.assistant(**(ASKS if asks else {}))) as caller:
                await caller.until(lambda: caller.of("assistant.started"))
                await caller.say(tone(400))
                await anyio.sleep(1)
                await caller.send({"type": "end-call"})
                await caller.until_closed()
            await ended(stage.url, caller.id)
            heard = stage.transcriber.connections[0].samples[:, 0]
            assert heard.size > 8_000
            levels[asks] = int(np.abs(heard.astype(int)).max())
        customer, _ = tracks(folder, caller.id)
        assert np.abs(customer.astype(int)).max() > 1000, "the recording has the caller as he is"
    assert levels[False] > 1000
    assert levels[True] == 0


@pytest.mark.parametrize("kind", [Failing, Shortening])
def test_one_that_fails_is_not_asked_again(log: Log, kind: type) -> None:
    denoising, pcm = Denoising(kind), np.arange(320, dtype=np.int16)
    for _ in range(3):
        assert np.array_equal(denoising.process(pcm), pcm)
    assert len(log.lines("the denoiser failed; the call goes on without it")) == 1


def test_each_call_has_its_own_and_a_successor_may_have_none() -> None:
    made: list[Muffler] = []

    def create() -> Muffler:
        made.append(Muffler())
        return made[-1]

    denoising, pcm = Denoising(create), np.ones(320, np.int16)
    assert not denoising.process(pcm).any()
    denoising.switch(create)
    assert len(made) == 1
    denoising.switch(None)
    assert denoising.process(pcm).all()
    denoising.switch(create)
    assert not denoising.process(pcm).any()
    assert len(made) == 2


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("no_such_package:create", "ModuleNotFoundError"),
        (f"{HERE}:nothing", "AttributeError"),
        (f"{HERE}:no_denoiser", "must name a function"),
        (f"{HERE}:HERE", "must name a function"),
    ],
)
async def test_a_server_with_one_that_cannot_be_used_says_so_at_its_start(
    tmp_path: Path, named: str, problem: str
) -> None:
    with pytest.raises(BargeinError, match=problem):
        load_denoiser(named)


def test_the_setting_is_checked() -> None:
    for wrong in ("denoiser", "a:", ":b", "a b:c", "../a:b"):
        with pytest.raises(ValueError, match="BARGEIN_DENOISER"):
            make_settings(denoiser=wrong)
    assert make_settings(denoiser="a.b:c").calls.denoiser == "a.b:c"
    assert make_settings().calls.denoiser is None
