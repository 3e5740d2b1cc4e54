"""The benchmark of the vendors: what it measures of an adapter, and how it judges it."""

import pytest
from bench.vendors import models, official, transcribers, voices
from bench.vendors.figures import CPU_GOAL, Figures, all_missed, spread, table

from tests.providers.conformance.models import CASES as MODELS
from tests.providers.conformance.voice_cases import CASES as VOICES

pytestmark = pytest.mark.anyio

BASIS = Figures(part="transcriber", provider="custom-transcriber", first_ms=[9.0], cpu_ms=4.0)


def test_a_goal_that_is_missed_is_named() -> None:
    slow = Figures(part="transcriber", provider="a", first_ms=[1.0, 2.5, 3.0], cpu_ms=4.0 * CPU_GOAL + 0.1)
    fine = Figures(part="transcriber", provider="b", first_ms=[1.0, 2.0, 30.0], cpu_ms=4.0 * CPU_GOAL)
    late = Figures(part="model", provider="c", first_ms=[5.0], cut_ms=[5.1])
    theirs = Figures(part="model", provider="c", client="sdk 1", first_ms=[50.0], cut_ms=[50.0])
    rows = [BASIS, slow, fine, late, theirs]
    assert all_missed(rows) == ["transcriber a: first, CPU", "model c: cut"]
    assert [line.split("|")[-2].strip() for line in table("transcriber", rows)[2:]] == [
        "-",
        "missed: first, CPU",
        "met",
    ]
    assert [line.split("|")[-2].strip() for line in table("model", rows)[2:]] == ["missed: cut", "-"]
    assert spread([1.0, 2.0, 30.0]) == "2.0 / 30.0"


async def test_each_part_is_measured() -> None:
    transcriber = await transcribers.measure("deepgram", 3, 1)
    model = await models.measure(MODELS[0], 3)
    voice = await voices.measure(VOICES[0], 3, 1)
    for figures in (transcriber, model, voice, await official.anthropic_model(3)):
        assert len(figures.first_ms) == 3
        assert all(0 < each < 400 for each in figures.first_ms)
    for figures in (model, voice):
        assert len(figures.cut_ms) == 3
        assert all(0 < each < 400 for each in figures.cut_ms)
    assert transcriber.cpu_ms
    assert voice.cpu_ms
