"""A call through the server whose transcriber is a vendor's: what the caller says reaches the model."""

from pathlib import Path
from typing import Any

import pytest

from tests.call.clips import commands
from tests.call.harness import calling, ended
from tests.call.stage import staged
from tests.providers.conformance.transcribers import VENDORS, scripted

pytestmark = pytest.mark.anyio

TEXT = "Tell me a story."


@pytest.mark.parametrize("name", VENDORS)
async def test_the_model_is_asked_with_the_words_of_the_vendor(tmp_path: Path, name: str) -> None:
    vendor = VENDORS[name]
    async with scripted(vendor, TEXT) as fake:
        settings: dict[str, Any] = {**vendor.settings_for(fake.url), f"{vendor.table}_api_key": fake.key}
        async with (
            staged(tmp_path, **settings) as stage,
            calling(stage.url, stage.assistant(transcriber=vendor.config)) as caller,
        ):
            await caller.say(commands(1)[0].samples)
            finals = await caller.until(lambda: caller.of("transcript", role="user", transcriptType="final"))
            asked = await stage.llm.exchange(0)
    assert finals[0]["transcript"] == TEXT
    assert asked.body["messages"][-1] == {"role": "user", "content": TEXT}
    assert fake.attempts == 1


@pytest.mark.parametrize("name", VENDORS)
async def test_a_call_whose_vendor_refuses_the_key_ends_with_the_reason(tmp_path: Path, name: str) -> None:
    vendor = VENDORS[name]
    async with scripted(vendor, TEXT) as fake:
        settings: dict[str, Any] = {**vendor.settings_for(fake.url), f"{vendor.table}_api_key": "wrong-key"}
        async with staged(tmp_path, **settings) as stage:
            async with calling(stage.url, stage.assistant(transcriber=vendor.config)) as caller:
                await caller.until_closed()
            reason = await ended(stage.url, caller.id)
    assert reason.startswith("pipeline-error-")
    assert "transcriber" in reason
