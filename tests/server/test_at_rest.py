"""Everything that a server writes in a full run: only its user can read it, and no secret in it is in clear."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from bargein.clock import LoopClock
from bargein.store import Store
from bargein.store.private import tighten
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript
from tests.call.harness import assistant, bearing, calling, running, stored
from tests.conftest import BOTH
from tests.postgres import binaries
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

KEY = "the-api-key"
MARK = "Mark4711"
"""A part of every secret of these tests; what follows it tells where the secret was given."""


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Take no permission away from what is created: the server must give the modes itself."""
    before = os.umask(0)
    yield
    os.umask(before)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", BOTH, indirect=True)


def tool(url: str) -> dict[str, Any]:
    """Return a tool with a secret in each place where one may be given."""
    return {
        "type": "function",
        "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
        "parameters": [{"key": "account", "value": f"{MARK}-parameter"}],
        "server": {
            "url": f"{url.replace('://', f'://user:{MARK}-userinfo@')}?token={MARK}-query",
            "headers": {"X-Any": f"{MARK}-header"},
            "secret": f"{MARK}-secret",
        },
        "messages": [],
    }


def with_secrets(url: str, llm: Any, voice: Any, transcriber: Any) -> dict[str, Any]:
    """Return an assistant with a secret in each place where one may be given."""
    given = assistant(llm, voice, transcriber)
    return {
        **given,
        "name": "Ada",
        "model": {
            **given["model"],
            "url": f"{given['model']['url']}?api_key={MARK}-model-query",
            "headers": {"X-Any": f"{MARK}-model-header"},
            "messages": [{"role": "system", "content": f"The code is {MARK}-prompt."}],
            "tools": [tool(url)],
        },
        "voice": {"provider": "custom-voice", "server": {**given["voice"]["server"], "secret": f"{MARK}-voice"}},
        "credentials": [{"provider": "custom-llm", "apiKey": f"{MARK}-key", "name": "one"}],
        "server": {"url": f"{url}?key={MARK}-server-query", "headers": {"Authorization": f"Bearer {MARK}-bearer"}},
        "serverMessages": ["status-update", "end-of-call-report", "tool-calls"],
        "artifactPlan": {"recordingFormat": "mp3"},
        "metadata": {"any": f"{MARK}-metadata"},
    }


async def test_a_full_run_leaves_nothing_in_clear_and_nothing_open(
    tmp_path: Path, no_umask: None, database_url: str | None
) -> None:
    folder = tmp_path / "deep" / "data"
    asks = LlmScript(tokens=["One ", "moment."], calls=(("look_up", "{}"),))
    says = LlmScript(tokens=["Done."])

    def script(body: dict[str, Any]) -> LlmScript:
        return says if any(message["role"] == "tool" for message in body["messages"]) else asks

    heard = TranscriberScript(timed=[TimedReply(200, "Look it up.")])
    async with (
        running(folder, database_url=database_url, api_key=KEY) as server,
        FakeLlm(script) as llm,
        FakeVoice() as voice,
        FakeTranscriber(heard) as transcriber,
        Receiver() as owner,
        httpx.AsyncClient(base_url=server.url, headers=bearing(KEY), timeout=20) as client,
    ):
        owner.script[:] = [lambda got: {"results": [{"toolCallId": "call_0", "result": "It is 42."}]}]
        mine = with_secrets(owner.url, llm, voice, transcriber)
        number = await _create_all(client, mine, owner.url)
        values = {"variableValues": {"pin": f"{MARK}-variable"}}
        async with calling(server.url, mine, key=KEY, assistantOverrides=values) as caller:
            await caller.until(lambda: owner.of("tool-calls"), 15)
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"), 15)
        record = await stored(server.url, caller.id, KEY, until=lambda call: call["status"] == "ended")
        recording = await client.get(record["artifact"]["recordingUrl"])
        assert recording.headers["content-type"] == "audio/mpeg"
        await owner.until(lambda: owner.of("end-of-call-report"), 15)
        assert owner.of("tool-calls"), "the tool's server was reached, with its password"
        await client.post("/chat", json={"assistant": mine, "input": "Hello."})
        await client.post(f"/phone-number/{number}/ring", json={})
        _check_clear(folder, "while it runs")
        _check_modes(folder)
    _check_clear(folder, "after it stopped")
    _check_modes(folder)
    if database_url is not None:
        dumped = (await anyio.run_process([binaries() / "pg_dump", "--inserts", database_url])).stdout
        assert b"INSERT INTO public.assistants" in dumped
        assert _seen(dumped) == []


async def _create_all(client: httpx.AsyncClient, mine: dict[str, Any], url: str) -> str:
    """Create one of each resource with secrets; return the id of a phone number."""
    made = {}
    for path, body in {
        "/assistant": mine,
        "/tool": tool(url),
        "/squad": {"members": [{"assistant": mine}]},
        "/credential": {"provider": "webhook", "authenticationPlan": {"type": "bearer", "token": f"{MARK}-token"}},
        "/session": {"assistant": mine},
        "/phone-number": {
            "provider": "vapi",
            "sipUri": f"sip:ada:{MARK}-sip@example.org",
            "server": {"url": f"https://user:{MARK}-number@127.0.0.1:1/?token={MARK}-number-query"},
        },
    }.items():
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, (path, answer.text)
        made[path] = answer.json()["id"]
    upload = await client.post("/file", files={"file": ("a.txt", b"a text", "text/plain")})
    assert upload.status_code == 201
    return str(made["/phone-number"])


def _files(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    names = {str(path.relative_to(folder)).split("/")[0] for path in found}
    assert {"journals", "recordings", "logs", "files", "node", "secret.key"} <= names
    return found


def _check_clear(folder: Path, when: str) -> None:
    for path in _files(folder):
        assert _seen(path.read_bytes()) == [], f"{path.relative_to(folder)} {when}"


def _seen(data: bytes) -> list[bytes]:
    """Return the secrets in data, with what stands around them."""
    return [data[max(0, at - 60) : at + 40] for at in range(len(data)) if data.startswith(MARK.encode(), at)]


def _check_modes(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path.relative_to(folder.parent)


async def test_what_an_older_version_wrote_is_tightened(
    tmp_path: Path, no_umask: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    for name in ("bargein.db-wal", "journals/a.jsonl", "recordings/a.wav", "files/x", "logs/a.jsonl", "mine/notes"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    await (await Store.open(folder / "bargein.db", LoopClock())).close()
    assert "could be read by other users" in capsys.readouterr().out
    assert stat.S_IMODE((folder / "mine/notes").stat().st_mode) == 0o666, "this is not the server's"
    (folder / "mine/notes").unlink()
    (folder / "mine").rmdir()
    _check_modes(folder)
    tighten(folder)
    assert capsys.readouterr().out == "", "nothing is left to do"
