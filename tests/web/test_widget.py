"""Vapi's React widget from npm, unmodified, in a real browser: a person clicks, listens, and hangs up."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.browser.chromium import Page, browse
from tests.browser.conftest import serve
from tests.programs import needs
from tests.web.test_sdk import KEYS, check_the_record, program

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    needs("chromium", "node", "npm"),
]

FIRST = "Welcome to the bakery."


async def made(url: str, assistant: dict[str, Any]) -> str:
    """Store an assistant; return its id."""
    async with httpx.AsyncClient(headers={"Authorization": "Bearer a-private-key"}) as client:
        return (await client.post(f"{url}/assistant", json=assistant)).json()["id"]


async def call_of(url: str) -> dict[str, Any]:
    """Return the only call."""
    async with httpx.AsyncClient(headers={"Authorization": "Bearer a-private-key"}) as client:
        [call] = (await client.get(f"{url}/call")).json()
    return call


async def open_widget(page: Page, site: str, url: str, **props: Any) -> None:
    given = {"publicKey": "a-public-key", "apiUrl": url, "title": "Talk", "voiceShowTranscript": True, **props}
    await page.open(f"{site}/widget.html#{quote(json.dumps(given))}")


async def click(page: Page, words: str) -> None:
    """Click the element with these words as soon as it can be clicked."""
    button = f"[...document.querySelectorAll('button, span')].findLast((one) => one.textContent.trim() === {words!r})"
    await page.wait_for(f"{button} && !{button}.disabled")
    await page.evaluate(f"{button}.click()")


async def test_a_voice_call(tmp_path: Path, site: str) -> None:
    async with serve(tmp_path / "data", **KEYS) as server, browse(program(), tmp_path / "p") as page:
        assistant_id = await made(server.url, {"firstMessage": "Hello {{who}}."})
        overrides = {"firstMessage": FIRST}
        await open_widget(page, site, server.url, mode="voice", assistantId=assistant_id, assistantOverrides=overrides)
        await click(page, "Talk")
        await click(page, "Start")
        await page.wait_for("told.includes('start')", within_s=20)
        await page.wait_for(f"document.body.innerText.includes({FIRST!r})", within_s=20)
        await click(page, "End Call")
        await page.wait_for("told.includes('end')")
        assert not await page.evaluate("told.filter((one) => one.startsWith('error'))")
        call = await call_of(server.url)
        assert call["assistantId"] == assistant_id
        await check_the_record(server.url, call["id"], "customer-ended-call")
        assert page.complaints == []


async def test_a_call_continues_after_the_page_was_reloaded(tmp_path: Path, site: str) -> None:
    """With `voiceAutoReconnect` the widget keeps the call's address and joins the call again."""
    async with serve(tmp_path / "data", **KEYS) as server, browse(program(), tmp_path / "p") as page:
        assistant = {"firstMessage": FIRST}
        await open_widget(page, site, server.url, mode="voice", assistant=assistant, voiceAutoReconnect=True)
        await click(page, "Talk")
        await click(page, "Start")
        await page.wait_for(f"document.body.innerText.includes({FIRST!r})", within_s=20)
        await page.evaluate("globalThis.old = true")
        await page.call("Page.reload")
        await page.wait_for("!globalThis.old && globalThis.told?.includes('start')", within_s=20)
        call = await call_of(server.url)
        assert call["status"] == "in-progress"
        async with httpx.AsyncClient() as client:
            say = {"type": "say", "content": "And I am still here."}
            assert (await client.post(call["monitor"]["controlUrl"], json=say)).status_code == 200
        await page.wait_for("document.body.innerText.includes('And I am still here.')", within_s=20)
        async with httpx.AsyncClient() as client:
            await client.post(call["monitor"]["controlUrl"], json={"type": "end-call"})
        await page.wait_for("told.includes('end')")
        await check_the_record(server.url, call["id"], "manually-canceled")
        assert not await page.evaluate("told.filter((one) => one.startsWith('error'))")


async def test_a_chat(tmp_path: Path, site: str) -> None:
    async with serve(tmp_path / "data", **KEYS) as server, browse(program(), tmp_path / "p") as page:
        assistant_id = await made(server.url, {"name": "Baker"})
        await open_widget(page, site, server.url, mode="chat", assistantId=assistant_id)
        await click(page, "Talk")
        field = "document.querySelector('input[type=text]')"
        await page.wait_for(f"{field} !== null")
        await page.evaluate(f"{field}.focus()")
        await page.call("Input.insertText", text="What can you do?")
        await page.wait_for(f"{field}.value === 'What can you do?'")
        await page.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r")
        said = "document.body.innerText.split('What can you do?')[1]?.trim() ?? ''"
        await page.wait_for(f"({said}).length > 20", within_s=20)
        assert page.complaints == []
