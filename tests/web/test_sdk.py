"""Vapi's web SDK from npm, unmodified, in a real browser, on a page of another origin than the server's."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_sockets

from tests.browser.chromium import Page, browse
from tests.browser.conftest import RATE_HZ, clip, serve, spoken, write_microphone
from tests.programs import located, needs
from tests.speech import SPEECH

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    needs("chromium", "node", "npm"),
]

KEYS = {"BARGEIN_API_KEY": "a-private-key", "BARGEIN_PUBLIC_KEY": "a-public-key"}
STOP = "interrupt/sc_stop_5f5eef60_nohash_1.flac"
FIRST = "Hi! Ask me for a story."

HALF_A_SECOND = "new Promise((resolve) => setTimeout(resolve, 600))"
LATEST_SOUND_MS = 250
"""Limit for the silence after the message of an interruption. Measured: 36 ms. Unflushed audio lasts much longer."""


def program() -> str:
    return located("chromium")


async def open_page(page: Page, site: str, server: str, config: dict[str, Any] | None = None) -> None:
    await page.open(f"{site}/sdk.html")
    given = ", ".join(map(json.dumps, ("a-public-key", server, config or {})))
    await page.evaluate(f"globalThis.page = new TestPage({given}); 0")


async def start(page: Page, assistant: dict[str, Any]) -> dict[str, Any]:
    call = await page.evaluate(f"page.vapi.start({json.dumps(assistant)})")
    assert call is not None, await page.evaluate("page.events('error')")
    return call


async def names(page: Page, *wanted: str) -> list[str]:
    """Return which of these events the page has received, in order."""
    return await page.evaluate(
        f"page.told.map(({{name}}) => name).filter((name) => {json.dumps(wanted)}.includes(name))"
    )


@pytest.mark.slow
async def test_a_call_with_an_interruption_and_a_call_after_it(tmp_path: Path, site: str) -> None:
    stop = clip(SPEECH / STOP)
    microphone = write_microphone(tmp_path / "microphone.wav", 3.5, await spoken("Please tell me a story."), 5.0, stop)
    async with serve(tmp_path / "data", **KEYS) as server, browse(program(), tmp_path / "p", microphone) as page:
        await open_page(page, site, server.url)
        call = await start(page, {"firstMessage": FIRST})
        assert call["type"] == "webCall"
        await check_the_beginning(page)
        await page.wait_for("page.cuts().length > 0", within_s=30)
        await check_the_interruption(page)
        await check_controls(page)
        await check_devices(page)
        await page.evaluate("page.vapi.end(); 0")
        await page.wait_for("page.events('call-end').length === 1")
        await page.wait_for("page.vapi.getDailyCallObject() === null")
        assert await page.evaluate("document.querySelectorAll('audio').length") == 0
        await check_the_record(server.url, call["id"], "customer-ended-call")

        # the next call of the same page, which the assistant ends after its last word
        again = await start(page, {"firstMessage": "Hello again."})
        await page.wait_for("page.messages('transcript').some(({transcript}) => /Hello again/.test(transcript))")
        await page.evaluate("page.vapi.say('Good bye!', true); 0")
        await page.wait_for("page.events('call-end').length === 2", within_s=20)
        assert (await page.evaluate("page.messages('status-update').at(-1)"))["status"] == "ended"
        await check_the_record(server.url, again["id"], "assistant-ended-call-after-message-spoken")
        assert await names(page, "error", "camera-error", "call-start-failed") == []
        assert page.complaints == []


async def check_the_beginning(page: Page) -> None:
    await page.wait_for("page.events('speech-end').length > 0", within_s=20)
    story = "call-start", "speech-start", "speech-end"
    assert (await names(page, *story))[:3] == list(story)
    assert (await names(page, "message", "call-start"))[0] == "call-start"
    kinds = await page.evaluate("page.events('message').map(({value}) => value.type ?? null)")
    assert kinds[:2] == ["status-update", "assistant.started"]  # none was lost before the SDK listened
    first = await page.evaluate("page.messages('transcript').filter((m) => m.transcriptType === 'final')")
    assert " ".join(message["transcript"] for message in first) == FIRST
    assert await page.evaluate("Math.max(...page.events('volume-level').map(({value}) => value))") > 0.2
    # the first sound of the first message was audible: the assistant did not speak before the page could play it
    heard_from = await page.evaluate("page.readings.find(({rms}) => rms > 0.01).at - page.readings[0].at")
    assert heard_from >= 0


async def check_the_interruption(page: Page) -> None:
    await page.evaluate(HALF_A_SECOND)  # over which the silence is measured
    cut = await page.evaluate("page.cuts()[0]")
    outputs = await page.evaluate("page.messages('model-output')")
    of_it = [output for output in outputs if output["turnId"] == cut["turnId"]]
    assert of_it
    assert [output for output in of_it if output["at"] > cut["at"]] == []
    assert cut["soundedMs"] <= LATEST_SOUND_MS


async def check_controls(page: Page) -> None:
    """Check mute, say, a message for the history, and the microphone's level."""
    await page.evaluate("page.vapi.startLocalAudioLevelObserver(100)")
    await page.evaluate("page.vapi.setMuted(true); 0")
    assert await page.evaluate("page.vapi.isMuted()") is True
    await page.wait_for("page.events('local-volume-level').at(-1)?.value === 0")
    await page.evaluate("page.vapi.setMuted(false); 0")
    assert await page.evaluate("page.vapi.isMuted()") is False
    said = "(text) => page.messages('conversation-update').some((m) => JSON.stringify(m.conversation).includes(text))"
    noted = {
        "type": "add-message",
        "message": {"role": "user", "content": "A note."},
        "triggerResponseEnabled": False,
    }
    await page.evaluate(f"page.vapi.send({json.dumps(noted)}); 0")
    await page.wait_for(f"({said})('A note.')")
    await page.evaluate("page.vapi.say('These are my words.', false, true, true); 0")
    await page.wait_for(f"({said})('These are my words.')", within_s=15)


async def check_devices(page: Page) -> None:
    """Check another loudspeaker, and a microphone that the SDK has made louder."""
    daily = "page.vapi.getDailyCallObject()"
    chosen = await page.evaluate(f"{daily}.setOutputDeviceAsync({{ outputDeviceId: 'default' }})")
    assert set(chosen) == {"mic", "speaker", "camera"}
    failed = f"{daily}.setOutputDeviceAsync({{ outputDeviceId: 'nowhere' }}).catch((error) => error.name)"
    assert await page.evaluate(failed) == "NotFoundError"
    microphone = f"{daily}.participants().local.tracks.audio.persistentTrack"
    await page.evaluate(f"globalThis.before = {microphone}; 0")
    await page.evaluate("page.vapi.increaseMicLevel(2)")
    assert await page.evaluate(f"[before.readyState, {microphone}.readyState]") == ["ended", "live"]
    asked = "page.vapi.setInputDevicesAsync({ audioDeviceId: 'default' })"
    await page.evaluate(asked)
    assert await page.evaluate(f"{microphone}.getSettings().echoCancellation") is True


async def check_the_record(url: str, call_id: str, reason: str) -> None:
    """Check that the server has stored the end of the call."""
    async with httpx.AsyncClient(headers={"Authorization": "Bearer a-private-key"}) as client:
        with anyio.fail_after(5):
            while (call := (await client.get(f"{url}/call/{call_id}")).json())["status"] != "ended":
                await anyio.sleep(0.05)
    assert call["endedReason"] == reason


async def test_a_refused_microphone_and_a_wrong_key_are_reported(tmp_path: Path, site: str) -> None:
    async with serve(tmp_path / "data", **KEYS) as server, browse(program(), tmp_path / "p") as page:
        await open_page(page, site, server.url, {"workletUrl": f"{site}/worklet.js"})
        await page.evaluate("""navigator.mediaDevices.getUserMedia = () =>
          Promise.reject(new DOMException("denied", "NotAllowedError"))""")
        await start(page, {"firstMessage": "Hello."})
        await page.wait_for("page.events('speech-start').length === 1")
        [event] = await page.evaluate("page.events('camera-error')")
        assert event["value"]["error"]["error"]["type"] == "permissions"
        assert "NotAllowedError" in event["value"]["error"]["errorMsg"]["errorMsg"]
        await page.evaluate("page.vapi.startRecording(); 0")
        [event] = await page.evaluate("page.events('recording-error')")
        assert "artifactPlan" in event["value"]["errorMsg"]
        await page.evaluate("page.vapi.stop()")
        await page.wait_for("page.events('call-end').length === 1")

        await page.evaluate(f"globalThis.page = new TestPage('another-key', {json.dumps(server.url)}); 0")
        assert await page.evaluate("page.vapi.start({})") is None
        assert await names(page, "call-start-failed") == ["call-start-failed"]


async def test_a_call_that_fails_is_an_error_with_the_servers_sentence(tmp_path: Path, site: str) -> None:
    model = {"provider": "custom-llm", "url": "http://127.0.0.1:1", "model": "any"}
    first = "assistant-speaks-first-with-model-generated-message"
    async with serve(tmp_path / "data", **KEYS) as server, browse(program(), tmp_path / "p") as page:
        for number, (given, words) in enumerate(
            (
                ({"model": {"provider": "openai", "model": "gpt-4o"}}, "OPENAI_API_KEY"),
                ({"model": model, "firstMessageMode": first}, "BARGEIN_ALLOW_PRIVATE_ADDRESSES"),
            )
        ):
            await open_page(page, site, server.url)
            await start(page, given)
            await page.wait_for("page.events('call-end').length === 1", within_s=30)
            [event] = [one["value"] for one in await page.evaluate("page.events('error')")]
            assert event["type"] == "daily-error", number
            assert words in event["error"]["errorMsg"]
            assert words in event["error"]["message"]["msg"]
            assert await names(page, "error", "call-end") == ["error", "call-end"]


async def flood(socket: ServerConnection) -> None:
    """Send five seconds of a tone at once; answer each message with an interruption."""
    tone = (8000 * np.sin(2 * np.pi * 300 * np.arange(5 * RATE_HZ) / RATE_HZ)).astype("<i2").tobytes()
    for at in range(0, len(tone), 640):
        await socket.send(tone[at : at + 640])
    async for data in socket:
        if isinstance(data, str):
            await socket.send(json.dumps({"type": "user-interrupted", "turnId": "t"}))


FAKE_CREATE = """globalThis.fetch = async () => new Response(
  JSON.stringify({ id: "c", webCallUrl: %s }), { headers: { "Content-Type": "application/json" } })"""


async def test_the_pages_queued_audio_is_flushed(tmp_path: Path, site: str) -> None:
    """Audio that the network delayed and then delivered all at once must not make the assistant talk on."""
    async with serve_sockets(flood, "127.0.0.1", 0) as server, browse(program(), tmp_path / "p") as page:
        port = next(iter(server.sockets)).getsockname()[1]
        await open_page(page, site, "http://127.0.0.1:1")
        await page.evaluate(FAKE_CREATE % json.dumps(f"ws://127.0.0.1:{port}/c/transport"))
        await start(page, {})
        await page.wait_for("page.readings.filter(({rms}) => rms > 0.1).length > 100")
        await page.evaluate("page.vapi.say('anything'); 0")
        await page.wait_for("page.messages('user-interrupted').length === 1")
        await page.evaluate(HALF_A_SECOND)
        [cut] = await page.evaluate("page.cuts()")
        assert cut["soundedMs"] <= LATEST_SOUND_MS
