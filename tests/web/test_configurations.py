"""Configurations made for Vapi, unchanged: a whole call with an interruption by Vapi's web SDK, in a real browser."""

from pathlib import Path

import pytest

from bargein.clock import LoopClock
from tests.browser.chromium import Page, browse
from tests.browser.conftest import clip, serve, write_microphone
from tests.configurations import ASKING_CLIP, CONFIGURATIONS, INTERRUPTING_CLIP, Cast
from tests.programs import needs
from tests.web.test_sdk import KEYS, LATEST_SOUND_MS, check_the_record, names, open_page, program, start

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timed,
    needs("chromium", "node", "npm"),
]

GREETING_S = 4.5
ANSWER_S = 3.2
"""After so long the caller speaks, and interrupts: a microphone is a file."""

HEARD_MS = """page.readings.filter(({at}) => at >= %s && at <= %s).reduce(
  ([heard, before], {at, rms}) => [heard + (rms > 0.01 ? Math.max(0, at - before) : 0), at], [0, Infinity])[0]"""
"""How long the assistant sounded between two times of the page."""


async def monotonic_ms(page: Page, at: float) -> float:
    """Return a time of the page by the test's clock."""
    before = LoopClock().monotonic_ms()
    now = await page.evaluate("performance.now()")
    return (before + LoopClock().monotonic_ms()) / 2 - now + at


@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_a_call_is_interrupted_and_ends(tmp_path: Path, site: str, name: str) -> None:
    parts = GREETING_S, clip(ASKING_CLIP), ANSWER_S, clip(INTERRUPTING_CLIP)
    microphone = write_microphone(tmp_path / "microphone.wav", *parts)
    async with (
        Cast(CONFIGURATIONS[name]) as cast,
        serve(tmp_path / "data", **KEYS, **cast.addresses, **cast.keys) as server,
        browse(program(), tmp_path / "p", microphone) as page,
    ):
        await open_page(page, site, server.url)
        call = await start(page, cast.configuration.assistant)
        await page.wait_for("page.messages('user-interrupted').length === 1", within_s=20)
        cast.end_the_call()
        [cut] = await page.evaluate("page.messages('user-interrupted')")
        await cast.check_silence(await monotonic_ms(page, cut["at"]))
        [heard] = await page.evaluate("page.cuts()")
        assert heard["soundedMs"] <= LATEST_SOUND_MS
        await page.wait_for("page.events('call-end').length === 1", within_s=15)
        messages = await page.evaluate("page.events('message').map(({at, value}) => ({...value, at}))")
        outputs = [one for one in messages if one["type"] == "model-output"]
        assert {one["turnId"] for one in outputs} == {cut["turnId"]}
        assert max(one["at"] for one in outputs) <= cut["at"]
        began = [one["at"] for one in messages if one["type"] == "speech-update" and one["status"] == "started"]
        answered = max(at for at in began if at < cut["at"] - 500)
        cast.check_what_is_remembered(messages, await page.evaluate(HEARD_MS % (answered, cut["at"])), more_words=1)
        assert await names(page, "error", "camera-error", "call-start-failed") == []
        assert page.complaints == []
        await check_the_record(server.url, call["id"], "assistant-ended-call")
        await cast.check_closed()
