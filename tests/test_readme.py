"""The README's clients run as they are written there."""

import re
import subprocess
import sys
from pathlib import Path

import anyio
import httpx
import pytest

from bargein.clock import LoopClock
from bargein.providers.embedded import Embedded
from tests.browser.chromium import browse
from tests.call.harness import serving
from tests.programs import located, needs

pytestmark = pytest.mark.anyio
README = Path(__file__).resolve().parent.parent / "README.md"


def snippet(language: str) -> str:
    found = re.search(rf"<!-- test: {language} -->\n```\w+\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


async def hang_up_from_outside(url: str) -> None:
    """End the only call once it has begun, as an operator would."""
    async with httpx.AsyncClient() as client:
        with anyio.fail_after(20):
            while not (calls := (await client.get(f"{url}/call")).json()) or calls[0]["status"] != "in-progress":
                await anyio.sleep(0.05)
        await anyio.sleep(1)
        answer = await client.post(calls[0]["monitor"]["controlUrl"], json={"type": "end-call"})
        assert answer.status_code == 200


async def test_the_python_client_talks(tmp_path: Path) -> None:
    program = snippet("python").replace("http://127.0.0.1:8700", "{url}")
    async with serving(tmp_path, Embedded(LoopClock())) as url, anyio.create_task_group() as tasks:
        tasks.start_soon(hang_up_from_outside, url)
        with anyio.fail_after(30):
            done = await anyio.run_process(
                [sys.executable, "-c", program.replace("{url}", url)], stderr=subprocess.STDOUT, check=False
            )
    assert done.stdout.decode().split() == ["in-progress", "ended"]
    assert done.returncode == 0


@pytest.mark.browser
@needs("chromium")
async def test_the_javascript_client_talks(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "data", Embedded(LoopClock())) as url,
        browse(located("chromium"), tmp_path / "profile") as page,
        anyio.create_task_group() as tasks,
    ):
        await page.open(f"{url}/")
        await page.evaluate("console.log = (line) => { (globalThis.lines ??= []).push(line); }")
        await page.evaluate(f"(async () => {{ {snippet('javascript')}\n await main(location.origin); }})()")
        tasks.start_soon(hang_up_from_outside, url)
        await page.wait_for("globalThis.lines?.join() === 'in-progress,ended'", within_s=20)
