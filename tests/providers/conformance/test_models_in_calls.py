"""Calls through the server whose model is a vendor's: a tool in between, and failures that are told in words."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.providers.registry import MODELS, VENDORS
from bargein.testing.vendors.bedrock_llm import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from bargein.testing.vendors.scripted_llm import KEY, ModelScript, ScriptedLlm
from tests.call.harness import calling, stored
from tests.call.stage import staged
from tests.call.test_tools import WEATHER, Runner, hired
from tests.providers.conformance.models import CASES, Case

pytestmark = pytest.mark.anyio

WITH_STATE = [
    case for case in CASES if case.provider in {"google", "anthropic", "anthropic-bedrock", "deep-seek", "groq"}
]
"""Each protocol, and each kind of state that a vendor wants back with a call."""

THINKING = {"thinking": {"type": "enabled", "budgetTokens": 1024}}


def settings_of(case: Case, fake: ScriptedLlm, key: str = KEY) -> dict[str, Any]:
    table = next(vendor.name for vendor in VENDORS if case.provider in vendor.models)
    if case.provider == "anthropic-bedrock":
        return {
            "anthropic_bedrock_base_url": fake.url,
            "anthropic_aws_access_key_id": ACCESS_KEY_ID if key == KEY else key,
            "anthropic_aws_secret_access_key": SECRET_ACCESS_KEY,
            "anthropic_aws_region": "eu-central-1",
        }
    return {f"{table}_{case.base_url}": fake.url, f"{table}_api_key": key}


def model_of(case: Case, **more: Any) -> dict[str, Any]:
    thinks = THINKING if "thinking" in MODELS[case.provider].config.model_fields else {}
    return {"provider": case.provider, "model": case.model, **thinks, **more}


@pytest.mark.parametrize("case", WITH_STATE, ids=lambda case: case.provider)
async def test_a_tool_is_run_and_the_vendor_gets_back_what_it_wants(
    tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = ModelScript(thoughts=("I think.",), tokens=("Let me see.",), calls=[("weather", '{"city": "Bern"}')])
    runner = Runner(release=anyio.Event())
    async with case.fake(script) as fake:
        with hired(monkeypatch, runner):
            async with staged(tmp_path, **settings_of(case, fake)) as stage:
                assistant = stage.assistant(model=model_of(case, tools=[WEATHER]))
                async with calling(stage.url, assistant) as caller:
                    await caller.until(lambda: runner.ran)
                    fake.script = ModelScript(tokens=("It rains.",))
                    assert runner.release is not None
                    runner.release.set()
                    again = await fake.exchange(1, within_s=10)
                    await caller.until(lambda: "It rains." in str(caller.of("transcript", role="assistant")))
                assert len(fake.exchanges) == 2
                assert fake.probes >= 1
    given = str(again.body)
    wanted = {
        "google": "thoughtSignature", "anthropic": "'signature'", "anthropic-bedrock": "'signature'",
        "deep-seek": "'reasoning_content': 'I think.'", "groq": "tool_calls",
    }  # fmt: skip
    assert wanted[case.provider] in given
    assert "It rains." in given, "the tool's result"


@pytest.mark.parametrize("case", WITH_STATE, ids=lambda case: case.provider)
async def test_a_call_whose_model_fails_ends_with_the_reason_in_the_vendors_words(tmp_path: Path, case: Case) -> None:
    script = ModelScript(status=404, message="model 'm' not found, try pulling it first")
    async with case.fake(script) as fake, staged(tmp_path, **settings_of(case, fake)) as stage:
        async with calling(stage.url, stage.assistant(model=model_of(case))) as caller:
            await caller.until_closed(30)
        call = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
    assert call["endedReason"] == f"pipeline-error-{case.provider}-llm-failed"
    assert "try pulling it first" in call["endedMessage"]
    assert "model.model" in call["endedMessage"]
