"""Calls with voices of vendors: the caller interrupts, the vendor stops, and the history has what was heard."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.testing import FakeLlm, FakeTranscriber, LlmScript, TranscriberScript
from bargein.testing.vendors.voice_speech import KEY, WORD_MS, VendorVoiceScript
from tests.call.clips import ask, commands
from tests.call.harness import assistant, calling, serving
from tests.providers.conformance.voice_cases import CASES, VoiceCase

pytestmark = pytest.mark.anyio

ASKS = TranscriberScript(utterances=["Tell me a story.", "Wait, which one?"], partials=False)
STORY = LlmScript(tokens=[f"word{n:02d} " for n in range(80)])
WHOLE_CALLS = ("11labs", "cartesia", "deepgram")
CALLS = [case for case in CASES if case.provider in WHOLE_CALLS]


def speaking(case: VoiceCase, llm: Any, transcriber: Any, **more: Any) -> dict[str, Any]:
    """An assistant with the vendor's voice."""
    given = assistant(llm, llm, transcriber, **more)
    return {**given, "voice": {"provider": case.provider, **case.config}}


@pytest.mark.parametrize("case", CALLS, ids=lambda case: case.provider)
async def test_a_vendors_voice_is_interrupted(tmp_path: Path, case: VoiceCase) -> None:
    clips = commands(2)
    table = case.setting.removesuffix("_base_url")
    async with case.fake(VendorVoiceScript(realtime=True)) as fake:
        settings = {case.setting: fake.origin, f"{table}_api_key": KEY}
        async with (
            serving(tmp_path, **settings) as url,
            FakeLlm(STORY) as llm,
            FakeTranscriber(ASKS) as transcriber,
            calling(url, speaking(case, llm, transcriber)) as caller,
        ):
            await ask(caller, clips[0])
            await anyio.sleep(1.5)
            await caller.say(clips[1].samples)
            await caller.until(lambda: caller.of("user-interrupted"))
            with anyio.fail_after(2):
                await fake.made.cut.wait()
            cut = caller.when("user-interrupted")[0]
            assert caller.last_sound(cut + 200) - cut < 150
            await caller.until(
                lambda: [m for m in caller.of("conversation-update") if m["messages"][-1]["role"] == "bot"]
            )
            update = caller.of("conversation-update")[-1]
    words = update["messagesOpenAIFormatted"][-1]["content"].split()
    assert words == [f"word{n:02d}" for n in range(len(words))]
    assert 3 <= len(words) <= 20
    assert fake.made.requests[0].text.startswith("word00 word01")
    assert fake.made.ms < 240 / 7 * WORD_MS


async def test_a_refused_key_ends_the_call_with_the_vendors_reason(tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.provider == "11labs")
    first = {"firstMessage": "Hello.", "firstMessageMode": "assistant-speaks-first"}
    async with (
        case.fake(VendorVoiceScript(status=401, says="Invalid API key")) as fake,
        serving(tmp_path, elevenlabs_base_url=fake.origin, elevenlabs_api_key=KEY) as url,
        FakeLlm(STORY) as llm,
        FakeTranscriber() as transcriber,
        calling(url, speaking(case, llm, transcriber, **first)) as caller,
    ):
        await caller.until(lambda: caller.of("status-update", status="ended"))
        ended = caller.of("status-update", status="ended")[0]
    assert ended["endedReason"] == "pipeline-error-eleven-labs-invalid-api-key"
