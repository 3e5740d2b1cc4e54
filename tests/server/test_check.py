"""`bargein check` lists all problems of assistants and squads in files, with the path of each field."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import Result
from typer.testing import CliRunner

from bargein.cli import app
from bargein.clock import LoopClock
from bargein.server.commands.check import check_files
from bargein.server.lifespan import DATABASE
from bargein.store import Store
from bargein.testing.settings import make_settings

GROQ = {"model": {"provider": "groq", "model": "llama-3.1-8b-instant"}}
NO_KEY = "model: model provider groq needs a key: add a credential for groq, or set GROQ_API_KEY"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, data: object) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return name


def run(*arguments: str, **environ: str) -> Result:
    kept = {"GROQ_API_KEY": "", "BARGEIN_DATA_DIR": "data"}
    return CliRunner().invoke(app, ["check", *arguments], env={**kept, **environ})


def problems(*arguments: str, **environ: str) -> list[str]:
    result = run(*arguments, "--json", **environ)
    found = json.loads(result.output)
    assert result.exit_code == (1 if found["problems"] else 0)
    listed = [f"{one['path']}: {one['text']}" for file in found["files"] for one in file["problems"]]
    assert found["problems"] == len(listed)
    return listed


def test_an_assistant_without_problems() -> None:
    result = run(write("a.json", {"firstMessage": "Hello"}))
    assert result.exit_code == 0
    assert result.output == "a.json: ok\n1 assistant(s) in 1 file(s), 0 problem(s)\n"


def test_all_problems_of_a_file_are_listed_with_their_fields() -> None:
    assistant = {
        **GROQ,
        "firstMesage": "Hello",
        "stopSpeakingPlan": {"numWords": 11, "interruptionPhrases": ["x" * 300]},
        "voice": {"provider": "playht", "voiceId": "jennifer"},
    }
    result = run(write("a.json", assistant))
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == "a.json"
    assert "  firstMesage: should not exist" in lines
    assert "  stopSpeakingPlan.numWords: must not be greater than 10" in lines
    assert any(line.startswith("  stopSpeakingPlan.interruptionPhrases: each value must be shorter") for line in lines)
    assert any(line.startswith("  voice.provider: must not be playht: PlayHT closed its service") for line in lines)
    assert f"  {NO_KEY}" in lines
    assert lines[-1] == "1 assistant(s) in 1 file(s), 5 problem(s)"


def test_a_field_that_is_told_once_is_not_told_by_its_vendor_too() -> None:
    (found,) = problems(write("a.json", {"model": {"provider": "custom-llm", "model": "m"}}))
    assert found == "model.url: should not be null or undefined"


def test_keys_count_from_the_environment_and_from_the_assistant() -> None:
    name = write("a.json", GROQ)
    assert problems(name) == [NO_KEY]
    assert problems(name, GROQ_API_KEY="k") == []
    assert problems(write("b.json", {**GROQ, "credentials": [{"provider": "groq", "apiKey": "k"}]})) == []


@pytest.mark.anyio
async def test_keys_count_that_are_stored_in_the_data_folder() -> None:
    name = write("a.json", GROQ)
    settings = make_settings(data_dir=Path("data"))
    (before,) = await check_files([Path(name)], settings, Path("data"))
    assert [str(one) for one in before.problems] == [NO_KEY]
    await anyio.Path("data").mkdir()
    store = await Store.open(Path("data") / DATABASE, LoopClock())
    await store.credentials.create({"provider": "groq", "apiKey": "k"})
    await store.close()
    (after,) = await check_files([Path(name)], settings, Path("data"))
    assert after.problems == []


def test_the_check_of_a_folder_writes_nothing_into_the_data_folder() -> None:
    run(write("a.json", GROQ))
    assert not Path("data").exists()


def test_an_export_may_hold_several_assistants() -> None:
    stored = {"id": "1", "orgId": "o", "createdAt": "2026-01-01", "updatedAt": "2026-01-01"}
    assert problems(write("a.json", [{**stored, **GROQ}, stored])) == [f"0.{NO_KEY}"]
    assert problems(write("b.json", {"assistants": [stored, GROQ], "squads": []})) == [f"assistants.1.{NO_KEY}"]
    assert problems(write("c.json", {"results": [{**stored, **GROQ}], "metadata": {}})) == [f"results.0.{NO_KEY}"]


def test_the_members_of_a_squad_are_checked_with_their_overrides() -> None:
    write("folder/one.json", {"id": "one", "firstMessage": "Hello"})
    squad = {
        "members": [
            {"assistantId": "one", "assistantOverrides": GROQ},
            {"assistantId": "two"},
            {"assistant": {"voice": {"provider": "nobody"}}},
            {},
        ]
    }
    write("folder/squad.json", squad)
    found = problems("folder")
    assert f"members.0.assistant.{NO_KEY}" in found
    assert "members.1.assistantId: no assistant with the id two was found" in found
    assert any(one.startswith("members.2.assistant.voice.provider: must be one of the following") for one in found)
    assert "members.3: needs either assistantId or assistant" in found
    assert len(found) == len(set(found)) == 4


def test_the_assistant_of_a_call_is_checked_with_its_overrides() -> None:
    call = {"assistant": {}, "assistantOverrides": {**GROQ, "variableValues": {"a": 1}}}
    assert problems(write("call.json", call)) == [f"assistant.{NO_KEY}"]


def test_a_folder_is_searched_and_files_of_other_kinds_are_left_out() -> None:
    write("folder/a.json", GROQ)
    write("folder/deep/b.json", {"firstMessage": "Hello"})
    write("folder/package.json", {"name": "x", "version": "1"})
    write("folder/readme.txt", "no JSON")
    result = run("folder")
    assert result.exit_code == 1
    assert "folder/package.json: no assistant, left out" in result.output
    assert "folder/deep/b.json: ok" in result.output
    assert "readme" not in result.output
    assert result.output.splitlines()[-1] == "2 assistant(s) in 3 file(s), 1 problem(s)"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "file: it is not valid JSON"),
        ("3", "file: must be an assistant or a squad"),
        (None, "file: cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(content: str | None, text: str) -> None:
    name = "a.json" if content is None else write("a.json", content)
    assert problems(name) == [text]


def test_no_secret_is_printed() -> None:
    secret = "a-secret-of-the-test"
    assistant: dict[str, Any] = {
        "credentials": [{"provider": "groq", "apiKey": secret}],
        "voice": {"provider": "custom-voice", "server": {"url": "not a url", "secret": secret}},
    }
    result = run(write("a.json", assistant), GROQ_API_KEY=secret)
    assert result.exit_code == 1
    assert secret not in result.output
