"""Public configurations, unchanged: a whole call with an interruption that Vapi's Python SDK makes and reads.

The keys of the vendors are stored credentials; only the addresses of their fakes are in the server's environment.
"""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.browser.conftest import serve
from tests.call.harness import Sound, bearing, eventually, joining
from tests.configurations import CONFIGURATIONS, Cast
from tests.sdk.conftest import KEY, Sdk

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timed]


async def ask(sdk: Sdk, **request: Any) -> dict[str, Any]:
    answer = await anyio.to_thread.run_sync(lambda: sdk.ask(key=KEY, **request))
    assert answer["ok"], answer["why"]
    return answer["back"]


@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_a_call_is_interrupted_and_ends(tmp_path: Path, name: str, python_sdk: Sdk) -> None:
    async with Cast(CONFIGURATIONS[name]) as cast, serve(tmp_path, BARGEIN_API_KEY=KEY, **cast.addresses) as server:
        async with httpx.AsyncClient(base_url=server.url, headers=bearing(KEY)) as client:
            for credential in cast.credentials:
                assert (await client.post("/credential", json=credential)).status_code == 201
        call = await ask(python_sdk, call=cast.configuration.assistant, url=server.url)
        assert call["type"] == "vapi.websocketCall"
        async with joining(server.url, call, sound=Sound(), key=KEY) as caller:
            await cast.hold_a_call(caller)
        record = await eventually(
            lambda: ask(python_sdk, read=call["id"], url=server.url), lambda one: one["status"] == "ended"
        )
    assert record["endedReason"] == "assistant-ended-call"
    said = [one["message"] for one in record["artifact"]["messages"] if one["role"] in {"user", "bot"}]
    assert said[0] == cast.configuration.assistant["firstMessage"]
    assert said[-1] == cast.configuration.assistant["endCallMessage"]
