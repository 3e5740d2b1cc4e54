"""The measurement of vendors' transcribers runs, and what they add to a partial is small."""

import statistics

import pytest
from bench.vendors.transcribers import partial_times_ms

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", ["deepgram", "assembly-ai"])
async def test_a_partial_comes_soon_after_its_frame(name: str) -> None:
    times = await partial_times_ms(name)
    assert len(times) > 5
    assert statistics.median(times) < 10  # 1.4 ms on a busy machine with two cores
