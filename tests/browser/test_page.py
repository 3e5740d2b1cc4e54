"""The page in a real browser on a real server: a person calls, listens, and interrupts."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bargein.client import Server, create_call, join
from bargein.testing import FakeLlm, LlmScript
from tests.browser.chromium import Page, browse
from tests.browser.conftest import clip, serve, spoken, write_microphone
from tests.programs import located, needs
from tests.speech import SPEECH

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    needs("chromium"),
]

STOP = "interrupt/sc_stop_5f5eef60_nohash_1.flac"
COMMAND = "interrupt/intent_505a930b.flac"
PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "page.png"

SESSION = "(await import('/page/app.js')).currentSession()"
LIVE = "document.body.dataset.state === 'live'"
TROUBLE = "document.querySelector('#trouble:not([hidden]) #trouble-title')?.textContent"


def program() -> str:
    return located("chromium")


async def click(page: Page, element_id: str) -> None:
    await page.evaluate(f"document.getElementById('{element_id}').click()")


async def text_of(page: Page, selector: str) -> list[str]:
    """Return the text of all such elements, without the text for screen readers."""
    return await page.evaluate(f"""[...document.querySelectorAll({selector!r})].map((one) => {{
      const copy = one.cloneNode(true);
      copy.querySelectorAll(".visually-hidden").forEach((hidden) => hidden.remove());
      return copy.textContent;
    }})""")


async def inspect(page: Page, expression: str) -> Any:
    """Return an expression over the page's running `session`."""
    return await page.evaluate(f"(async () => {{ const session = {SESSION}; return {expression}; }})()")


async def complaints(page: Page) -> list[str]:
    return [*page.complaints, *await page.evaluate("globalThis.violations")]


async def a_persons_microphone(path: Path) -> Path:
    """Write a person's speech: asks for a story, stops it, lets it continue, interrupts; real recordings if there
    are."""
    stop = clip(SPEECH / STOP)
    wish = clip(SPEECH / COMMAND)
    story, more = await spoken("Please tell me a story."), await spoken("Please go on.")
    return write_microphone(path, 4.0, story, 6.0, stop, 4.0, more, 6.0, wish)


@pytest.mark.slow
async def test_a_person_interrupts(tmp_path: Path) -> None:
    microphone = await a_persons_microphone(tmp_path / "microphone.wav")
    async with serve(tmp_path / "data") as server, browse(program(), tmp_path / "profile", microphone) as page:
        await page.look(1280, 860, scale=2)
        await page.open(f"{server.url}/")
        await page.evaluate("document.getElementById('first-message').value = 'Hi! Ask me for a story.'")
        await click(page, "call")
        await page.wait_for(LIVE, within_s=20)
        await page.wait_for("document.querySelectorAll('.turn.interrupted .cut-mark').length === 2", within_s=60)
        await page.wait_for("document.querySelectorAll('.marks .mark').length === 2")
        # The answer to the last request sounds: the picture is taken during it.
        await page.wait_for("document.querySelector('.turn:last-child.speaking .heard')?.textContent.length > 12", 20)

        assert await inspect(page, "session.track.assistant.peak(0, 1e9)") > 0.02
        assert await inspect(page, "session.track.voice.peak(0, 1e9)") > 0.9
        assert await text_of(page, ".turn.user .text")
        await check_struck_words(page)
        await check_marks(page)
        await take_pictures(page, tmp_path)
        await check_messages(page)

        await click(page, "call")
        await page.wait_for("document.body.dataset.state === 'ended'")
        assert (await text_of(page, ".turn.note"))[-1] == "You hung up"
        assert await complaints(page) == []


async def check_struck_words(page: Page) -> None:
    """Check that each cut turn is split into heard and unheard words, which together are the model's text."""
    turns = await inspect(page, "session.conversation.turns.filter((turn) => turn.state === 'interrupted')")
    heard, unheard = await text_of(page, "del.heard"), await text_of(page, "del.unheard")
    assert len(turns) == len(heard) == len(unheard) == 2
    for turn, before, after in zip(turns, heard, unheard, strict=True):
        assert turn["turnId"]
        assert before == turn["text"][: turn["heard"]]
        assert turn["text"][turn["heard"] :].strip().startswith(after.rstrip("…"))
        assert 2 <= len(before.split()) < 60
    looks = await page.evaluate("""["heard", "unheard"].map((name) => {
      const style = getComputedStyle(document.querySelector(`del.${name}`));
      return [style.textDecorationLine, style.color];
    })""")
    assert [line for line, _ in looks] == ["line-through", "line-through"]
    assert looks[0][1] != looks[1][1]
    # The history for the next reply agrees with the words that the page shows as heard.
    remembered = await inspect(page, "session.conversation.remembered")
    assert remembered >= 4


async def check_marks(page: Page) -> None:
    """Check that timeline and words show the same figures, and that these are the times of a fast cut."""
    marks = await page.evaluate("[...document.querySelectorAll('.marks .mark')].map((mark) => +mark.dataset.tookMs)")
    assert await text_of(page, ".cut-mark") == [f"silent in {took_ms} ms" for took_ms in marks]
    assert all(100 <= took_ms <= 900 for took_ms in marks), marks
    assert "2 interruptions" in (await text_of(page, "#figures"))[0]


async def check_messages(page: Page) -> None:
    """Check that the drawer has the message itself."""
    await click(page, "open-messages")
    await page.evaluate("""(() => {
      const filter = document.getElementById("filter");
      filter.value = "user-interrupted";
      filter.dispatchEvent(new Event("input"));
    })()""")
    assert await text_of(page, ".message .type") == ["user-interrupted"] * 2
    await page.evaluate("document.querySelector('.message summary').click()")
    await page.wait_for("document.querySelector('.message pre')?.textContent.includes('\"turnId\"')")
    await click(page, "close-messages")


async def take_pictures(page: Page, tmp_path: Path) -> None:
    """Take pictures: for the README on request, the others for work on the page's looks."""
    picture = PICTURE if os.environ.get("BARGEIN_WRITE_SCREENSHOT") else tmp_path / "page.png"
    await page.screenshot(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    await page.look(1280, 860, dark=True)
    await page.screenshot(tmp_path / "dark.png")
    await page.look(390, 844, scale=2)
    await page.wait_for("innerWidth === 390")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.screenshot(tmp_path / "phone.png")


async def test_a_key_is_asked_for_and_a_lost_server_is_reported(tmp_path: Path) -> None:
    keys = {"BARGEIN_API_KEY": "a-private-key", "BARGEIN_PUBLIC_KEY": "a-public-key"}
    microphone = write_microphone(tmp_path / "silence.wav", 1.0)
    async with serve(tmp_path / "data", **keys) as server, browse(program(), tmp_path / "p", microphone) as page:
        await page.open(f"{server.url}/")
        await click(page, "call")
        await page.wait_for(f"{TROUBLE} === 'This server wants a key'")
        await page.evaluate("""(() => {
          document.getElementById("key").value = "a-public-key";
          document.getElementById("key-form").requestSubmit();
        })()""")
        await page.wait_for(LIVE)
        assert await page.evaluate("document.getElementById('trouble').hidden")
        await click(page, "mute")
        assert await page.evaluate("document.getElementById('mute').getAttribute('aria-pressed')") == "true"
        assert await inspect(page, "session.muted") is True
        server.process.kill()
        await page.wait_for(f"{TROUBLE} === 'The connection was lost'")
        await click(page, "again")
        await page.wait_for(f"{TROUBLE} === 'The server does not answer'")
        assert await page.evaluate("globalThis.violations") == []


async def test_without_a_microphone_a_person_can_type(tmp_path: Path) -> None:
    async with serve(tmp_path / "data") as server, browse(program(), tmp_path / "profile") as page:
        await page.open(f"{server.url}/")
        await page.evaluate("""navigator.mediaDevices.getUserMedia = () =>
          Promise.reject(new DOMException("denied", "NotAllowedError"))""")
        await page.evaluate("document.getElementById('first-message').value = 'Hi!'")
        await click(page, "call")
        await page.wait_for(f"{TROUBLE} === 'Your microphone is off limits'")
        await click(page, "silent")
        await page.wait_for(LIVE, within_s=20)
        await page.wait_for("document.querySelector('.turn.assistant.said')", within_s=20)
        await submit_words(page, "What can you do?", "ask")
        await page.wait_for("document.querySelector('.turn.assistant:last-child .heard')?.textContent.length > 12", 20)
        assert await text_of(page, ".turn.user .text") == ["What can you do?"]
        await submit_words(page, "These are my words.", "say")
        await page.wait_for(
            "document.querySelector('.turn.assistant:last-child .text').textContent.startsWith('These')"
        )
        # The client's own `say` replaced the answer: that is no interruption by the caller.
        assert await text_of(page, ".turn.cut .cut-mark") == ["stopped"]
        assert await text_of(page, ".marks .mark") == []
        # What is typed over a story interrupts it, and is heard behind the words that sounded.
        await page.wait_for(
            "document.querySelector('.turn.assistant.said:last-child .text')?.textContent === 'These are my words.'"
        )
        await submit_words(page, "Tell me a story.", "ask")
        await page.wait_for("document.querySelector('.turn.assistant:last-child .heard')?.textContent.length > 12", 20)
        await submit_words(page, "stop", "ask")
        await page.wait_for("document.querySelectorAll('.turn.interrupted del.unheard').length === 1")
        assert await inspect(page, "session.conversation.turns.find((turn) => turn.state === 'interrupted').turnId")
        await page.wait_for("document.querySelector('.turn.assistant:last-child .heard')?.textContent.length > 8", 20)
        assert await complaints(page) == []


WITH_ASSISTANT = """(() => {
  const plain = globalThis.fetch;
  globalThis.fetch = (url, options) =>
    plain(url, url === "/call/web" ? { ...options, body: JSON.stringify({ assistant: %s }) } : options);
})()"""
"""Makes the page call with another assistant."""
ADVICE = "document.getElementById('trouble-advice').textContent"


async def test_a_call_that_fails_at_its_start_or_later_says_why(tmp_path: Path) -> None:
    first = "assistant-speaks-first-with-model-generated-message"
    async with (
        FakeLlm(LlmScript(status=404)) as llm,
        serve(tmp_path / "data") as server,
        browse(program(), tmp_path / "profile", write_microphone(tmp_path / "silence.wav", 1.0)) as page,
    ):
        dead = {"provider": "custom-llm", "url": llm.url, "model": "any"}
        for model, words in (
            ({"provider": "openai", "model": "gpt-4o"}, "OPENAI_API_KEY"),
            (dead, "as the script says"),
        ):
            await page.open(f"{server.url}/")
            await page.evaluate(WITH_ASSISTANT % json.dumps({"model": model, "firstMessageMode": first}))
            await click(page, "call")
            await page.wait_for(f"{TROUBLE} === 'The call failed'", within_s=30)
            assert words in await page.evaluate(ADVICE)
            assert not await page.evaluate("document.getElementById('again').hidden")
            assert any(words in note for note in await text_of(page, "#turns *"))
            assert await complaints(page) == []


async def submit_words(page: Page, words: str, how: str) -> None:
    await page.evaluate(f"""(() => {{
      document.getElementById("words").value = {words!r};
      document.querySelector("#type button[value={how}]").click();
    }})()""")


async def test_another_clients_call_can_be_watched(tmp_path: Path) -> None:
    """For example a telephone call, whose id is in the page's address."""
    async with serve(tmp_path / "data") as server, browse(program(), tmp_path / "profile") as page:
        where = Server(url=server.url)
        call = await create_call(where, assistant={"firstMessage": "Hello, this is the bakery speaking."})
        await page.open(f"{server.url}/?listen={call.id}")
        await page.wait_for("document.getElementById('state').textContent === 'Waiting for the call…'")
        async with join(where, call) as connection:
            await page.wait_for(LIVE, within_s=20)
            await connection.say("It is open until six.")
            await page.wait_for(
                "document.querySelector('.turn.assistant:last-child')?.textContent.includes('open until six')", 20
            )
            assert await page.evaluate("document.getElementById('mute').disabled")
            await click(page, "call")  # the button hangs up now
            await page.wait_for("document.body.dataset.state === 'ended'", within_s=20)
        assert await text_of(page, "#trouble:not([hidden])") == []
        assert await complaints(page) == []
