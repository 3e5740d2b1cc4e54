"""Configurations made for Vapi, unchanged: a whole call with an interruption by `POST /call` and the call's socket."""

from pathlib import Path

import pytest

from tests.call.harness import calling, ended, serving
from tests.configurations import CONFIGURATIONS, Cast, as_settings

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timed]


@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_a_call_is_interrupted_and_ends(tmp_path: Path, name: str) -> None:
    async with (
        Cast(CONFIGURATIONS[name]) as cast,
        serving(tmp_path, **as_settings({**cast.addresses, **cast.keys})) as url,
    ):
        async with calling(url, cast.configuration.assistant) as caller:
            await cast.hold_a_call(caller)
        assert await ended(url, caller.id) == "assistant-ended-call"
