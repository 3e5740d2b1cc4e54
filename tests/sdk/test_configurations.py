"""Configurations made for Vapi, unchanged: a whole call with an interruption that Vapi's Python SDK makes and reads.

The keys of the vendors are stored credentials; only the addresses of their fakes are in the server's settings.
"""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.call.harness import Sound, bearing, eventually, joining, serving
from tests.configurations import CONFIGURATIONS, Cast, as_settings
from tests.sdk.conftest import KEY, Sdk

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.timed,
    pytest.mark.timeout(300),  # the SDK takes 20 s of CPU to build its types
]


async def ask(sdk: Sdk, **request: Any) -> dict[str, Any]:
    answer = await anyio.to_thread.run_sync(lambda: sdk.ask(key=KEY, **request))
    assert answer["ok"], answer["why"]
    return answer["back"]


@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_a_call_is_interrupted_and_ends(tmp_path: Path, name: str, python_sdk: Sdk) -> None:
    async with (
        Cast(CONFIGURATIONS[name]) as cast,
        serving(tmp_path, api_key=KEY, **as_settings(cast.addresses)) as url,
    ):
        async with httpx.AsyncClient(base_url=url, headers=bearing(KEY)) as client:
            for credential in cast.credentials:
                assert (await client.post("/credential", json=credential)).status_code == 201
        call = await ask(python_sdk, call=cast.configuration.assistant, url=url)
        assert call["type"] == "vapi.websocketCall"
        async with joining(url, call, sound=Sound(), key=KEY) as caller:
            await cast.hold_a_call(caller)
        record = await eventually(
            lambda: ask(python_sdk, read=call["id"], url=url), lambda one: one["status"] == "ended"
        )
    assert record["endedReason"] == "assistant-ended-call"
    said = [one["message"] for one in record["artifact"]["messages"] if one["role"] in {"user", "bot"}]
    assert said[0] == cast.configuration.assistant["firstMessage"]
    assert said[-1] == cast.configuration.assistant["endCallMessage"]
